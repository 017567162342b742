//! The members as handles see them, beside the node: reading never waits for the loop.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use swim_proto::{NodeId, State as MemberState};
use tokio::sync::watch;

use super::log::{Log, Reader};
use super::subscription::{Change, Update};
use crate::Member;
use crate::event::{Death, Event};
use crate::node::{DriverCounters, Node, Stats};

/// Events that a slow subscriber may lag behind before it gets a resync instead.
const EVENTS_MAX: usize = 1_024;

/// All members at one moment. Cheap to clone; it does not change under its reader.
#[derive(Clone, Debug)]
pub struct Snapshot {
    inner: Arc<SnapshotInner>,
}

#[derive(Debug)]
struct SnapshotInner {
    seq: u64,
    local: Member,
    members: Vec<Member>,
    deaths: BTreeMap<NodeId, Arc<Death>>,
    /// The members that were heard while this node is isolated; `None`: it is not.
    heard: Option<BTreeSet<NodeId>>,
}

impl Snapshot {
    /// The number of the last event that it contains; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.inner.seq
    }

    /// This node.
    pub fn local(&self) -> &Member {
        &self.inner.local
    }

    /// The other members that are held, of every state, by id. This node is not among them.
    pub fn members(&self) -> &[Member] {
        &self.inner.members
    }

    /// All members that are held, of every state: this node first, then the others by id.
    pub fn all(&self) -> impl Iterator<Item = &Member> {
        std::iter::once(self.local()).chain(self.members())
    }

    /// The members that are present, alive or suspect: this node first, while it has not left, then the
    /// others by id.
    pub fn present(&self) -> impl Iterator<Item = &Member> {
        self.all().filter(|member| member.state.is_present())
    }

    /// How many there are of [`present`](Self::present).
    pub fn present_count(&self) -> usize {
        self.present().count()
    }

    /// The members that are present, without this node.
    pub fn others(&self) -> impl Iterator<Item = &Member> {
        self.members().iter().filter(|member| member.state.is_present())
    }

    /// The members of this name, of every state, this node included. Names need not be unique.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Member> {
        self.all().filter(move |member| &*member.name == name)
    }

    /// The member of this id, if it is held; this node included.
    pub fn get(&self, id: NodeId) -> Option<&Member> {
        if id == self.local().id {
            return Some(self.local());
        }
        let members = self.members();
        members.binary_search_by_key(&id, |member| member.id).ok().map(|at| &members[at])
    }

    /// Whether this node hears from nobody: [`Event::Isolated`] was told, and since then neither
    /// [`Event::Healed`] nor that this node has left (S5). It declares nobody dead for a while, so
    /// that members are shown as they were; [`is_unheard`](Self::is_unheard) says of which.
    pub fn is_isolated(&self) -> bool {
        self.inner.heard.is_some()
    }

    /// Whether this node is isolated and has not heard the present member of this id: since
    /// [`Event::Isolated`], or since this node last asked it in vain, the member has answered no probe
    /// by any way, relayed nothing, sent no ping and compared no tables. What is held of it may be old.
    pub fn is_unheard(&self, id: NodeId) -> bool {
        let not_heard = self.inner.heard.as_ref().is_some_and(|heard| !heard.contains(&id));
        let is_present = || self.get(id).is_some_and(|member| member.state.is_present());
        not_heard && id != self.local().id && is_present()
    }

    /// All members that are so; none while this node is not isolated.
    pub fn unheard(&self) -> impl Iterator<Item = &Member> {
        self.others().filter(|member| self.is_unheard(member.id))
    }

    /// Why the member of this id is held dead; `None` if it is not, and of one that had left before
    /// it was said to be dead.
    pub fn death(&self, id: NodeId) -> Option<&Death> {
        self.inner.deaths.get(&id).map(Arc::as_ref)
    }
}

#[derive(Debug)]
struct State {
    local: Member,
    members: BTreeMap<NodeId, Member>,
    /// Of those that are held dead.
    deaths: BTreeMap<NodeId, Arc<Death>>,
    /// The members that were heard while the node is isolated; `None`: it is not.
    heard: Option<BTreeSet<NodeId>>,
    seq: u64,
    stats: Stats,
    /// Built when asked for, kept until the next change.
    snapshot: Option<Snapshot>,
    driver: DriverCounters,
    /// What the transport had counted when the node was stopped.
    transport: Vec<(&'static str, u64)>,
}

/// How far a node has come with its join.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) joined: bool,
    pub(super) synced: bool,
    pub(super) present: usize,
    pub(super) left: bool,
    pub(super) stopped: bool,
}

/// What handles read. Locked only for as long as it takes to copy; no user code runs under it.
#[derive(Debug)]
pub(super) struct Mirror {
    state: Mutex<State>,
    events: Arc<Log<Arc<Update>>>,
    progress: watch::Sender<Progress>,
}

impl Mirror {
    pub(super) fn new(local: Member) -> Self {
        Self::with_events_max(local, EVENTS_MAX)
    }

    pub(super) fn with_events_max(local: Member, events_max: usize) -> Self {
        let state = Mutex::new(State {
            local,
            members: BTreeMap::new(),
            deaths: BTreeMap::new(),
            heard: None,
            seq: 0,
            stats: Stats::default(),
            snapshot: None,
            driver: DriverCounters::default(),
            transport: Vec::new(),
        });
        let events = Arc::new(Log::new(events_max));
        Self { state, events, progress: watch::Sender::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn local(&self) -> Member {
        self.lock().local.clone()
    }

    /// What is counted, but for what a transport that still runs counts.
    pub(super) fn stats(&self) -> Stats {
        let state = self.lock();
        Stats { driver: state.driver, transport: state.transport.clone(), ..state.stats.clone() }
    }

    /// Counts something that happens outside of the node.
    pub(super) fn count(&self, count: impl FnOnce(&mut DriverCounters)) {
        count(&mut self.lock().driver);
    }

    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(super) fn note_progress(&self, progress: Progress) {
        self.progress.send_if_modified(|held| {
            let changed = *held != progress;
            *held = progress;
            changed
        });
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.lock().snapshot()
    }

    /// The members and the events from there on, without a gap between them.
    pub(super) fn subscribe(&self) -> (Snapshot, Reader<Arc<Update>>) {
        let mut state = self.lock();
        (state.snapshot(), self.events.read_new())
    }

    /// Takes over what one batch of input has changed, and publishes its events. They are numbered
    /// under the lock, so that snapshots and numbers agree, and sent outside of it: whoever is
    /// woken may look at once.
    pub(super) fn publish(&self, node: &mut Node, batch: &mut Vec<Event>) {
        #[cfg(test)]
        super::visible_tests::delay(&self.local().name);
        let mut state = self.lock();
        state.take_changes(node);
        if batch.is_empty() {
            return;
        }
        let first = state.seq + 1;
        state.seq += batch.len() as u64;
        state.snapshot = None;
        drop(state);
        let numbered = (first..).zip(batch.drain(..));
        let update = |(seq, event)| Arc::new(Update { seq, change: Change::Event(event) });
        self.events.push_all(numbered.map(update));
    }

    /// The node was stopped: subscribers get what is left, then the end.
    pub(super) fn close(&self) {
        self.events.close();
        self.progress.send_modify(|progress| progress.stopped = true);
    }

    /// The last that the transport has counted.
    pub(super) fn keep_transport(&self, counters: Vec<(&'static str, u64)>) {
        self.lock().transport = counters;
    }
}

impl State {
    fn take_changes(&mut self, node: &mut Node) {
        self.stats = node.stats();
        let mut changed = !node.is_local(&self.local);
        if changed {
            self.local = node.local();
        }
        let (members, deaths) = (&mut self.members, &mut self.deaths);
        let mut dead = Vec::new();
        let complete = node.drain_changes(|id, member| {
            changed = true;
            deaths.remove(&id);
            match member {
                Some(member) => {
                    dead.extend((member.state == MemberState::Dead).then_some(id));
                    members.insert(id, member);
                }
                None => drop(members.remove(&id)),
            }
        });
        if !complete {
            changed = true;
            members.clear();
            members.extend(node.members().map(|member| (member.id, member)));
            deaths.clear();
            dead = members.keys().copied().collect();
        }
        deaths.extend(dead.into_iter().filter_map(|id| Some((id, Arc::new(node.death(id)?)))));
        // An isolated node hears few members, so that all of them are read again.
        let heard = node.heard_while_isolated().map(Iterator::collect);
        changed |= heard != self.heard;
        self.heard = heard;
        if changed {
            self.snapshot = None;
        }
    }

    fn snapshot(&mut self) -> Snapshot {
        let Self { seq, local, members, deaths, heard, snapshot, .. } = self;
        let build = || {
            let (members, deaths) = (members.values().cloned().collect(), deaths.clone());
            let (local, heard) = (local.clone(), heard.clone());
            let inner = SnapshotInner { seq: *seq, local, members, deaths, heard };
            Snapshot { inner: Arc::new(inner) }
        };
        snapshot.get_or_insert_with(build).clone()
    }
}
