//! What the agent prints on standard output: events, and the members as they are at each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, StdoutLock};

use swimmer::{Change, Event, Member, Message, NodeId, Notice, Snapshot, State};

use crate::args::Format;
use crate::feed::{Deed, Feed, Item};
use crate::json::JsonWriter;
use crate::text::TextWriter;

/// Members that are gone and still shown; more are forgotten, the longest gone first.
const GONE_MAX: usize = 16;
/// Members that have left and are still counted: as many as a node remembers unless configured otherwise.
const LEFT_MAX: usize = 4_096;

/// Prints events in the format that was asked for.
pub(crate) struct Printer {
    writer: Writer,
}

enum Writer {
    Text(TextWriter),
    Json(JsonWriter),
}

impl Printer {
    pub(crate) fn new(format: Format) -> Self {
        let writer = match format {
            Format::Text => Writer::Text(TextWriter::new()),
            Format::Json => Writer::Json(JsonWriter::default()),
        };
        Self { writer }
    }

    /// Prints until the node stops, or nobody reads.
    pub(crate) fn print_all(mut self, mut feed: Feed) -> io::Result<()> {
        let out = &mut io::stdout().lock();
        let start = feed.events.snapshot().clone();
        let mut view = View::new(&start);
        // The start goes before all others.
        if let Some(deed) = feed.try_deed() {
            self.deed(out, &deed, &view)?;
        }
        // Met before this began to listen.
        for member in start.others() {
            self.event(out, &Event::Joined(member.clone()), &view)?;
        }
        loop {
            let item = match feed.try_next() {
                Some(item) => item,
                None => {
                    self.pause(out, &view)?;
                    let Some(item) = feed.next() else { return Ok(()) };
                    item
                }
            };
            match item {
                Item::Update(update) => {
                    view.take_over(&update.change);
                    view.update_marks(|| feed.events.latest());
                    self.change(out, &update.change, &view)?;
                }
                Item::Message(Message { from, delivery, payload }) => {
                    self.event(out, &Event::Message { from, delivery, payload }, &view)?;
                }
                Item::Notice(notice) => {
                    view.update_marks(|| feed.events.latest());
                    self.notice(out, &notice, &view)?;
                }
                Item::Deed(deed) => self.deed(out, &deed, &view)?,
            }
        }
    }

    /// People are told on standard error.
    fn deed(&mut self, out: &mut StdoutLock, deed: &Deed, view: &View) -> io::Result<()> {
        match &mut self.writer {
            Writer::Text(_) => Ok(()),
            Writer::Json(writer) => writer.deed(out, deed, view),
        }
    }

    fn change(&mut self, out: &mut StdoutLock, change: &Change, view: &View) -> io::Result<()> {
        match (change, &mut self.writer) {
            (Change::Event(event), _) => self.event(out, event, view),
            (Change::Resync(_), Writer::Text(writer)) => writer.resync(out, view),
            (Change::Resync(_), Writer::Json(writer)) => writer.resync(out, view),
        }
    }

    /// People are told on standard error, by [`Narrator`](crate::narrator::Narrator).
    fn notice(&mut self, out: &mut StdoutLock, notice: &Notice, view: &View) -> io::Result<()> {
        match &mut self.writer {
            Writer::Text(_) => Ok(()),
            Writer::Json(writer) => writer.notice(out, notice, view),
        }
    }

    fn event(&mut self, out: &mut StdoutLock, event: &Event, view: &View) -> io::Result<()> {
        match &mut self.writer {
            Writer::Text(writer) => writer.event(out, event, view),
            Writer::Json(writer) => writer.event(out, event, view),
        }
    }

    /// No further event has come yet.
    fn pause(&mut self, out: &mut StdoutLock, view: &View) -> io::Result<()> {
        match &mut self.writer {
            Writer::Text(writer) => writer.pause(out, view),
            Writer::Json(_) => Ok(()),
        }
    }
}

/// The members as the events so far have told of them.
pub(crate) struct View {
    local: Member,
    present: BTreeMap<NodeId, Member>,
    /// Dead or left, the longest gone first; at most [`GONE_MAX`].
    gone: Vec<Member>,
    /// All that have left, also those that are no more in `gone`; at most [`LEFT_MAX`].
    left: BTreeSet<NodeId>,
    /// The members that were heard while this node is isolated; `None`: it is not.
    heard: Option<BTreeSet<NodeId>>,
}

impl View {
    fn new(snapshot: &Snapshot) -> Self {
        let local = snapshot.local().clone();
        let (present, gone, left) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        let mut view = Self { local, present, gone, left, heard: heard_in(snapshot) };
        for member in snapshot.members() {
            view.put(member);
        }
        view
    }

    fn take_over(&mut self, change: &Change) {
        match change {
            Change::Event(event) => self.apply(event),
            Change::Resync(snapshot) => *self = Self::new(snapshot),
        }
    }

    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Joined(member)
            | Event::Up(member)
            | Event::Suspected(member)
            | Event::Down(member, _)
            | Event::Left(member)
            | Event::Updated(member)
            | Event::MemberConflict { member, .. } => self.put(member),
            Event::Conflict { local, .. } => self.local = local.clone(),
            Event::Isolated(_) => self.heard = Some(BTreeSet::new()),
            Event::Healed(_) => self.heard = None,
            _ => {}
        }
    }

    /// No event says that an isolated node has heard a member: the newest snapshot does, unless it is
    /// of a time after the isolation.
    fn update_marks(&mut self, latest: impl FnOnce() -> Snapshot) {
        if self.heard.is_some()
            && let Some(heard) = heard_in(&latest())
        {
            self.heard = Some(heard);
        }
    }

    pub(crate) fn put(&mut self, member: &Member) {
        self.present.remove(&member.id);
        self.gone.retain(|gone| gone.id != member.id);
        self.left.remove(&member.id);
        if member.state == State::Left && self.left.len() < LEFT_MAX {
            self.left.insert(member.id);
        }
        if member.state.is_present() {
            self.present.insert(member.id, member.clone());
        } else {
            if self.gone.len() == GONE_MAX {
                self.gone.remove(0);
            }
            self.gone.push(member.clone());
        }
    }

    /// How many are alive or suspect, this node included.
    pub(crate) fn present(&self) -> usize {
        self.present.len() + usize::from(self.local.state != State::Left)
    }

    /// Whether this node is isolated, as far as the events have told.
    pub(crate) fn is_isolated(&self) -> bool {
        self.heard.is_some()
    }

    /// Whether this is a present member that this node has not heard while it is isolated.
    pub(crate) fn is_unheard(&self, member: &Member) -> bool {
        let not_heard = self.heard.as_ref().is_some_and(|heard| !heard.contains(&member.id));
        not_heard && member.id != self.local.id && member.state.is_present()
    }

    /// How many are so.
    pub(crate) fn unheard(&self) -> usize {
        self.present.values().filter(|member| self.is_unheard(member)).count()
    }

    /// How many have left.
    pub(crate) fn left(&self) -> usize {
        self.left.len()
    }

    pub(crate) fn local(&self) -> &Member {
        &self.local
    }

    /// All to be shown: this node, those present, and those that have gone last.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.local).chain(self.present.values()).chain(self.gone.iter().rev())
    }
}

/// The members that were heard while the node is isolated; `None`: it is not.
fn heard_in(snapshot: &Snapshot) -> Option<BTreeSet<NodeId>> {
    let present = snapshot.others().map(|member| member.id);
    snapshot.is_isolated().then(|| present.filter(|&id| !snapshot.is_unheard(id)).collect())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use swimmer::Incarnation;

    /// A member without a name whose id begins with this byte.
    pub(crate) fn member(id: u8, state: State) -> Member {
        let mut bytes = [0; 16];
        bytes[0] = id;
        Member {
            id: NodeId::from_bytes(bytes),
            name: "".into(),
            address: ([10, 0, 0, id], 7).into(),
            state,
            incarnation: Incarnation(1),
            metadata: [].into(),
            versions: Default::default(),
        }
    }

    /// Member 1 as it sees so many others.
    pub(crate) fn view(others: u8) -> View {
        let local = member(1, State::Alive);
        let (present, gone, left) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        let mut view = View { local, present, gone, left, heard: None };
        (2..2 + others).for_each(|id| view.put(&member(id, State::Alive)));
        view
    }

    #[test]
    fn present_members_are_marked_from_the_isolation_to_the_healing() {
        let mut view = view(3);
        let local = view.local.clone();
        let marked = |view: &View| -> Vec<u8> {
            let marked = view.members().filter(|member| view.is_unheard(member));
            marked.map(|member| member.id.as_bytes()[0]).collect()
        };
        assert!(!view.is_isolated() && marked(&view).is_empty());
        view.apply(&Event::Isolated(local.clone()));
        view.apply(&Event::Left(member(3, State::Left)));
        assert_eq!((marked(&view), view.unheard()), (vec![2, 4], 2));
        view.apply(&Event::Healed(local));
        assert!(!view.is_isolated() && marked(&view).is_empty());
    }

    #[test]
    fn the_longest_gone_are_forgotten_and_whoever_comes_back_is_there_once() {
        let mut view = view(20);
        (2..=21).for_each(|id| view.apply(&Event::Left(member(id, State::Left))));
        assert_eq!(view.present(), 1);
        let shown: Vec<u8> = view.members().map(|member| member.id.as_bytes()[0]).collect();
        assert_eq!(shown, [&[1][..], &(6..=21).rev().collect::<Vec<u8>>()].concat());
        view.apply(&Event::Joined(member(2, State::Alive)));
        view.apply(&Event::Joined(member(21, State::Alive)));
        assert_eq!((view.present(), view.members().count()), (3, 18));
    }
}
