//! What every node sees, as one small picture: a row an observer, a column a member.

use std::fmt::Write;
use std::io::{self, IsTerminal};

use swimmer::{NodeId, State};

use super::node::DemoNode;

/// One node's view of all, in the order of the columns; `None`: never met.
pub(super) type Row = Vec<Option<State>>;

/// The legend of the picture.
pub(super) const LEGEND: &str = "+ alive   ? suspect   x dead   < left   . not met   o itself";

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

    /// Whether anyone but `id` itself holds `id` in another state than alive.
    pub(super) fn any_doubts(&self, id: NodeId) -> bool {
        self.others_of(id).any(|held| held != Some(State::Alive))
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

    /// The picture.
    pub(super) fn draw(&self) -> String {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = io::stdout().is_terminal() && !no_color;
        let width = self.columns.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = format!("    {:width$} ", "");
        for (name, _) in &self.columns {
            // Writing to a string cannot fail.
            let _ = write!(text, " {name:>3}");
        }
        text.push('\n');
        for (name, id, row) in &self.rows {
            let _ = write!(text, "    {name:width$} ");
            for (&held, &(_, column)) in row.iter().zip(&self.columns) {
                let (sign, on) = if column == *id { ('o', "") } else { sign(held) };
                let (on, off) = if colour { (on, "\x1b[0m") } else { ("", "") };
                let _ = write!(text, "   {on}{sign}{off}");
            }
            text.push('\n');
        }
        text
    }
}

fn sign(held: Option<State>) -> (char, &'static str) {
    match held {
        Some(State::Alive) => ('+', "\x1b[32m"),
        Some(State::Suspect) => ('?', "\x1b[33m"),
        Some(State::Dead) => ('x', "\x1b[31m"),
        Some(State::Left) => ('<', "\x1b[34m"),
        None => ('.', "\x1b[2m"),
    }
}
