//! What every node sees, as one small picture: a row an observer, a column a member.

use std::fmt::Write;

use swimmer::{NodeId, State};

use super::node::DemoNode;
use crate::text::{BLUE, DIM, GREEN, RED, RESET, YELLOW};

/// One node's view of all, in the order of the columns; `None`: never met.
pub(super) type Row = Vec<Option<State>>;

/// The legend of the picture.
pub(super) const LEGEND: &str = "\
A row is what one node sees, shown whenever it changes:
+ alive   ? suspect   x dead   < left   . not met   o itself";

/// The views of all nodes that run.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Views {
    rows: Vec<(String, NodeId, Row)>,
    columns: Vec<(String, NodeId)>,
}

impl Views {
    /// Looks at all nodes. `columns` names every member, those that do not run too.
    pub(super) fn of(nodes: &[DemoNode], columns: &[(String, NodeId)]) -> Self {
        let row = |node: &DemoNode| {
            let members = node.cluster.members();
            columns.iter().map(|&(_, id)| members.get(id).map(|member| member.state)).collect()
        };
        let rows = nodes.iter().map(|node| (node.name.clone(), node.id(), row(node))).collect();
        Self { rows, columns: columns.to_vec() }
    }

    /// Whether everyone but `id` itself holds `id` in this state.
    pub(super) fn all_hold(&self, id: NodeId, state: State) -> bool {
        self.others_of(id).all(|held| held == Some(state))
    }

    /// Whether anyone but `id` itself holds `id` in this state.
    pub(super) fn any_holds(&self, id: NodeId, state: State) -> bool {
        self.others_of(id).any(|held| held == Some(state))
    }

    /// Whether all of these observers hold all of those members in this state.
    pub(super) fn hold(&self, observers: &[NodeId], members: &[NodeId], state: State) -> bool {
        let observers = self.rows.iter().filter(|(_, id, _)| observers.contains(id));
        observers.into_iter().all(|(_, _, row)| {
            let mut of = row.iter().zip(&self.columns).filter(|(_, (_, id))| members.contains(id));
            of.all(|(held, _)| *held == Some(state))
        })
    }

    fn others_of(&self, id: NodeId) -> impl Iterator<Item = Option<State>> + '_ {
        let column = self.columns.iter().position(|&(_, column)| column == id);
        let others = self.rows.iter().filter(move |(_, observer, _)| *observer != id);
        others.map(move |(_, _, row)| column.and_then(|column| row[column]))
    }

    /// Whether all that run hold all that run alive.
    pub(super) fn all_see_all(&self) -> bool {
        self.rows.iter().all(|&(_, id, _)| self.all_hold(id, State::Alive))
    }

    /// The picture of the rows that are not in `shown`, under the names of the columns. `None`:
    /// there are none.
    pub(super) fn draw_changes(&self, shown: &Self, colour: bool) -> Option<String> {
        let is_new = |row: &&(String, NodeId, Row)| !shown.rows.contains(row);
        let mut rows = self.rows.iter().filter(is_new).peekable();
        rows.peek()?;
        let width = self.columns.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = format!("{:width$} ", "");
        for (name, _) in &self.columns {
            // Writing to a string cannot fail.
            let _ = write!(text, " {name:>3}");
        }
        text.push('\n');
        for (name, id, row) in rows {
            let _ = write!(text, "{name:width$} ");
            for (&held, &(_, column)) in row.iter().zip(&self.columns) {
                let (sign, on) = if column == *id { ('o', "") } else { sign(held) };
                let (on, off) = if colour { (on, RESET) } else { ("", "") };
                let _ = write!(text, "   {on}{sign}{off}");
            }
            text.push('\n');
        }
        Some(text)
    }
}

fn sign(held: Option<State>) -> (char, &'static str) {
    match held {
        Some(State::Alive) => ('+', GREEN),
        Some(State::Suspect) => ('?', YELLOW),
        Some(State::Dead) => ('x', RED),
        Some(State::Left) => ('<', BLUE),
        None => ('.', DIM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> NodeId {
        NodeId::from_bytes([byte; 16])
    }

    fn views(rows: [[Option<State>; 2]; 2]) -> Views {
        let columns = vec![("n1".to_owned(), id(1)), ("n2".to_owned(), id(2))];
        let rows =
            columns.iter().zip(rows).map(|((name, id), row)| (name.clone(), *id, row.into()));
        Views { rows: rows.collect(), columns }
    }

    #[test]
    fn only_rows_that_changed_are_drawn() {
        let alive = Some(State::Alive);
        let before = views([[alive, None], [alive, alive]]);
        let after = views([[alive, Some(State::Suspect)], [alive, alive]]);
        assert_eq!(after.draw_changes(&before, false).unwrap(), "     n1  n2\nn1    o   ?\n");
        assert_eq!(after.draw_changes(&after, false), None);
    }

    #[test]
    fn a_view_of_oneself_does_not_count() {
        let views = views([[None, Some(State::Dead)], [Some(State::Alive), None]]);
        assert!(views.all_hold(id(2), State::Dead) && views.any_holds(id(2), State::Dead));
        assert!(!views.any_holds(id(1), State::Dead) && !views.all_see_all());
    }

    #[test]
    fn halves_are_looked_at_apart() {
        let (alive, dead) = (Some(State::Alive), Some(State::Dead));
        let views = views([[alive, dead], [alive, alive]]);
        assert!(views.hold(&[id(1)], &[id(2)], State::Dead));
        assert!(!views.hold(&[id(1), id(2)], &[id(2)], State::Dead));
        assert!(!views.hold(&[id(2)], &[id(1)], State::Dead));
    }
}
