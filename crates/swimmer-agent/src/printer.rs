//! What the agent prints on standard output: events, and the members as they are at each of them.

use std::collections::BTreeMap;
use std::io::{self, StdoutLock};

use swimmer::{Change, Event, Member, NodeId, Notice, Snapshot, State};

use crate::args::Format;
use crate::feed::{Feed, Item};
use crate::json::JsonWriter;
use crate::text::TextWriter;

/// Members that are gone and still shown; more are forgotten, the longest gone first.
const GONE_MAX: usize = 16;

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
        // Met before this began to listen.
        for member in start.present() {
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
                Item::Update(update) => self.change(out, &update.change, &mut view)?,
                Item::Notice(notice) => self.notice(out, &notice, &view)?,
            }
        }
    }

    fn change(&mut self, out: &mut StdoutLock, change: &Change, view: &mut View) -> io::Result<()> {
        match change {
            Change::Event(event) => {
                view.apply(event);
                self.event(out, event, view)
            }
            Change::Resync(snapshot) => {
                *view = View::new(snapshot);
                match &mut self.writer {
                    Writer::Text(writer) => writer.resync(out, view),
                    Writer::Json(writer) => writer.resync(out, view),
                }
            }
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
}

impl View {
    fn new(snapshot: &Snapshot) -> Self {
        let local = snapshot.local().clone();
        let mut view = Self { local, present: BTreeMap::new(), gone: Vec::new() };
        for member in snapshot.members() {
            view.put(member);
        }
        view
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Joined(member)
            | Event::Up(member)
            | Event::Suspected(member)
            | Event::Down(member, _)
            | Event::Left(member)
            | Event::Updated(member) => self.put(member),
            Event::Conflict { local, .. } => self.local = local.clone(),
            _ => {}
        }
    }

    pub(crate) fn put(&mut self, member: &Member) {
        self.present.remove(&member.id);
        self.gone.retain(|gone| gone.id != member.id);
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

    pub(crate) fn local(&self) -> &Member {
        &self.local
    }

    /// All to be shown: this node, those present, and those that have gone last.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(&self.local).chain(self.present.values()).chain(self.gone.iter().rev())
    }
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
        let mut view = View { local, present: BTreeMap::new(), gone: Vec::new() };
        (2..2 + others).for_each(|id| view.put(&member(id, State::Alive)));
        view
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
