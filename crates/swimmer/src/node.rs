//! A node as a pure machine: the composition of codec, membership and dissemination.
//!
//! Inputs are `handle_…` and the commands; what follows from them is polled, in the order in
//! which it was decided, until [`Output::Wait`]. A datagram is encoded, and its news chosen, when
//! it is polled, so that it carries the freshest. The same seed and inputs give the same outputs,
//! byte for byte.
//!
//! ```
//! use swimmer::node::{Node, Output, Settings};
//! use swimmer::{ClusterName, Instant, NodeId};
//!
//! let settings = Settings::new(
//!     NodeId::from_bytes([7; 16]),
//!     ClusterName::new("cluster1")?,
//!     "192.0.2.1:2552".parse()?,
//! );
//! let mut node = Node::new(settings, Instant::ZERO)?;
//! node.join(Instant::ZERO, &["192.0.2.2:2552".parse()?]);
//! node.handle_timeout(Instant::ZERO);
//! assert!(matches!(node.poll_output(), Output::Exchange { .. }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod commands;
mod exchanges;
mod hearing;
mod inputs;
mod offers;
mod output;
mod pack;
mod place;
mod rooms;
mod round;
mod stats;
mod sync;
mod told;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use swim_dissemination::{Outbox, SeenSet, Urgency, transmit_limit};
use swim_membership::{
    Action, Ask, Config, Death as MembershipDeath, Event as MembershipEvent, EventKind, Instant,
    Lookup, MemberIx, MemberView, Membership, Now, Suspicion, Table, Tell, Who,
};
use swim_proto::{
    BincodeCodec, Claim, ClusterName, Codec, Datagram, NodeId, Record, RecordError, RecordFields,
    Seq, ShortId, State, Subject, TinyId, Versions,
};

pub use commands::{SendError, TooLong};
pub use exchanges::Answer;
pub use output::{Completion, ExchangeId, OfferId, Output, RequestId, SendId, SendOutcome, Taken};
pub use stats::{DriverCounters, Stats, WireCounters};
pub use swim_membership::SavedState;

use crate::Member;
use crate::event::{Death, DeathPath, Event, Message, Notice};
use exchanges::Exchanges;
use offers::Offers;
use pack::{Broadcast, key_of};
use place::Place;
use rooms::Rooms;
use told::Told;

/// What news about a member takes, who is alive, has no name, and says when it started.
const NEWS_BYTES: usize = 32;

/// What a node is made of.
pub struct Settings {
    /// Its identity.
    pub id: NodeId,
    /// The cluster that it belongs to.
    pub cluster: ClusterName,
    /// Where others reach it.
    pub address: SocketAddr,
    /// Its name, for people: at most 128 bytes without control characters; may be empty.
    pub name: String,
    /// What its application says of it: at most 512 bytes.
    pub metadata: Vec<u8>,
    /// Its timing and bounds. Default: the `lan` preset.
    pub config: Config,
    /// Its wire. Default: [`BincodeCodec`].
    pub codec: Option<Box<dyn Codec>>,
    /// What decides every random choice. Default 0; nodes of one cluster should differ in it.
    pub seed: u64,
    /// What the life before has saved, [`SavedState::default`] in the first. Default `None`: nothing
    /// is kept over a restart, and [`Output::Persist`] never comes.
    pub saved: Option<SavedState>,
    /// When this process started, by its wall clock, as the time since 1970: it stands in the record in
    /// seconds, up to 2106, and decides which of two processes with one id is to end (R4). Default
    /// `None`: it is not said, and such a process counts as the earlier one.
    pub started: Option<Duration>,
}

impl Settings {
    /// The settings of a node without name and metadata, with the `lan` preset.
    pub fn new(id: NodeId, cluster: ClusterName, address: SocketAddr) -> Self {
        Self {
            id,
            cluster,
            address,
            name: String::new(),
            metadata: Vec::new(),
            config: Config::default(),
            codec: None,
            seed: 0,
            saved: None,
            started: None,
        }
    }

    /// The record of a node of these settings at its start, but for a pause that it expects or
    /// remembers (S6).
    ///
    /// # Errors
    /// When name, metadata or address do not make a record (W7).
    pub fn record(&self) -> Result<Record, RecordError> {
        let record = RecordFields {
            address: self.address,
            versions: Versions::default(),
            name: &self.name,
            metadata: &self.metadata,
            later: &[],
        };
        let record = record.build()?.with_timing(self.config.timing())?;
        let seconds = |started: Duration| u32::try_from(started.as_secs()).unwrap_or(u32::MAX);
        record.with_start(self.started.map(seconds))
    }
}

/// What waits to be polled. Bytes are made when it is.
enum Pending {
    Send { to: SocketAddr, message: Datagram<'static>, tell: Tell, bytes_max: usize },
    Gossip { to: SocketAddr },
    User { to: SocketAddr, payload: Vec<u8> },
    Ask { to: SocketAddr, ask: Ask },
    UserExchange { id: SendId, to: SocketAddr, payload: Vec<u8> },
    Continue(round::Next),
    Reply { id: RequestId, frame: Vec<u8> },
    Event(Event),
    Message { id: OfferId, message: Message },
    Notice(Notice),
    Persist(SavedState),
    Completed(Completion),
}

/// What was made ready in the node's buffer, or needs none.
enum Ready {
    Datagram { to: SocketAddr },
    Exchange { id: ExchangeId, to: SocketAddr, deadline: Instant },
    Reply { id: RequestId },
    Event(Event),
    Message { id: OfferId, message: Message },
    Notice(Notice),
    Persist(SavedState),
    Completed(Completion),
}

/// One node.
pub struct Node {
    cluster: ClusterName,
    membership: Membership,
    codec: Box<dyn Codec>,
    outbox: Outbox<Broadcast>,
    seen: SeenSet,
    exchanges: Exchanges,
    offers: Offers,
    pending: VecDeque<Pending>,
    /// The bytes that are lent.
    out: Vec<u8>,
    scratch: Vec<u8>,
    chosen: Vec<MemberIx>,
    selected: Vec<(ShortId, MemberIx)>,
    gossip_at: Instant,
    gossiped_at: Instant,
    next_send: u64,
    told: Told,
    place: Place,
    /// How long frames may be.
    rooms: Rooms,
    /// Whether the tables were compared to the end since somebody has answered the join.
    synced: bool,
    rng: Xoshiro256PlusPlus,
    wire: WireCounters,
    /// The moment of the last input, for what is made ready when it is polled.
    now: Instant,
    /// The moment that was asked for last, to see how late the next wake-up is.
    asked_at: Instant,
}

impl Node {
    /// A node alone, at the beginning of a life.
    ///
    /// # Errors
    /// When name, metadata or address do not make a record.
    pub fn new(settings: Settings, now: impl Into<Now>) -> Result<Self, RecordError> {
        let now = now.into();
        let record = settings.record()?;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(settings.seed);
        let (config, tag) = (settings.config, settings.cluster.tag());
        let default_codec = || Box::new(BincodeCodec::new(settings.cluster.clone())) as Box<_>;
        let mut node = Self {
            codec: settings.codec.unwrap_or_else(default_codec),
            membership: Membership::with_saved(
                config,
                settings.id,
                record,
                tag,
                rng.random(),
                now.monotonic,
                settings.saved,
            ),
            outbox: Outbox::new(),
            seen: SeenSet::new(rng.random()),
            exchanges: Exchanges::default(),
            offers: Offers::default(),
            pending: VecDeque::new(),
            out: Vec::new(),
            scratch: Vec::new(),
            chosen: Vec::new(),
            selected: Vec::new(),
            gossip_at: Instant::NEVER,
            gossiped_at: Instant::ZERO,
            next_send: 0,
            told: Told::default(),
            place: Place::default(),
            rooms: Rooms::default(),
            synced: true,
            rng,
            wire: WireCounters::default(),
            now: now.monotonic,
            asked_at: Instant::NEVER,
            cluster: settings.cluster,
        };
        node.collect(usize::MAX);
        Ok(node)
    }

    /// Takes over a whole table, as if everybody in it had been met long ago; for simulations and
    /// benches, which cannot wait for so many joins. The own entry in it is left out.
    pub fn adopt(&mut self, now: impl Into<Now>, table: &Table) {
        let now = self.enter(now);
        self.membership.adopt(now, table);
    }

    /// Puts back a fault, for simulations.
    #[cfg(feature = "known-bugs")]
    #[doc(hidden)]
    pub fn put_back(&mut self, bug: swim_membership::KnownBug) {
        self.membership.put_back(bug);
    }

    /// What is to be done next. To be called until it says [`Output::Wait`].
    pub fn poll_output(&mut self) -> Output<'_> {
        while let Some(pending) = self.pending.pop_front() {
            if let Some(ready) = self.prepare(pending) {
                return self.lend(ready);
            }
        }
        let deadline = self.deadline();
        self.asked_at = deadline.max(self.now);
        Output::Wait(deadline)
    }

    fn prepare(&mut self, pending: Pending) -> Option<Ready> {
        match pending {
            Pending::Send { to, message, tell, bytes_max } => {
                self.pack_datagram(to, &message, tell, bytes_max)
            }
            Pending::Gossip { to } => self.pack_gossip(to),
            Pending::User { to, payload } => self.pack_user(to, &payload),
            Pending::Ask { to, ask } => self.pack_ask(to, ask),
            Pending::UserExchange { id, to, payload } => self.pack_user_request(id, to, &payload),
            Pending::Continue(next) => self.pack_next(next),
            Pending::Reply { id, frame } => {
                self.out = frame;
                Some(Ready::Reply { id })
            }
            Pending::Event(event) => Some(Ready::Event(event)),
            Pending::Message { id, message } => Some(Ready::Message { id, message }),
            Pending::Notice(notice) => Some(Ready::Notice(notice)),
            Pending::Persist(state) => Some(Ready::Persist(state)),
            Pending::Completed(completion) => Some(Ready::Completed(completion)),
        }
    }

    fn lend(&self, ready: Ready) -> Output<'_> {
        match ready {
            Ready::Datagram { to } => Output::Datagram { to, payload: &self.out },
            Ready::Exchange { id, to, deadline } => {
                Output::Exchange { id, to, request: &self.out, deadline }
            }
            Ready::Reply { id } => Output::Reply { id, frame: &self.out },
            Ready::Event(event) => Output::Event(event),
            Ready::Message { id, message } => Output::Message { id, message },
            Ready::Notice(notice) => Output::Notice(notice),
            Ready::Persist(state) => Output::Persist(state),
            Ready::Completed(completion) => Output::Completed(completion),
        }
    }

    fn deadline(&self) -> Instant {
        let gossips = self.has_news() && !self.membership.is_in_grace();
        let gossip_at = if gossips { self.gossip_at } else { Instant::NEVER };
        self.membership.deadline().min(gossip_at)
    }

    /// Whether there is no news of members to tell (D2).
    fn is_quiet(&self) -> bool {
        self.outbox.updates().is_empty()
    }

    /// Whether there is anything to gossip and anybody to gossip it to.
    fn has_news(&self) -> bool {
        !self.outbox.is_empty() && self.membership.table().present() > 0 && self.is_running()
    }

    /// The time that [`Output::Wait`] asked for has come, or more.
    pub fn handle_timeout(&mut self, now: impl Into<Now>) {
        let now = self.enter(now);
        if self.membership.handle_lateness(now, now - self.asked_at) {
            // What has waited comes first; the time to go on is asked for next.
            self.collect(usize::MAX);
            return;
        }
        self.membership.handle_timeout(now);
        self.collect(usize::MAX);
        if self.has_news() && now >= self.gossip_at {
            self.gossip(now);
        }
    }

    /// What is due while this node's senders are stuck, each with its first message: for
    /// simulations of programs that have a thread for each.
    pub fn handle_timeout_stuck(&mut self, now: Instant) {
        self.now = now;
        self.membership.handle_timeout_stuck(now);
        self.collect(usize::MAX);
    }

    /// When [`handle_timeout_stuck`](Self::handle_timeout_stuck) is wanted.
    pub fn deadline_stuck(&self) -> Instant {
        self.membership.deadline_stuck()
    }

    /// An input comes at this moment.
    fn enter(&mut self, now: impl Into<Now>) -> Instant {
        let now = now.into();
        self.now = now.monotonic;
        self.membership.handle_clock(now);
        self.now
    }

    /// Queues a gossip datagram for a few random members (G3).
    fn gossip(&mut self, now: Instant) {
        self.gossiped_at = now;
        self.gossip_at = now + self.membership.config().gossip_tick();
        let fanout = self.membership.config().gossip_fanout() as usize;
        let mut chosen = std::mem::take(&mut self.chosen);
        let table = self.membership.table();
        let reached = |ix| self.membership.is_reachable(ix);
        table.choose_present(fanout, &mut self.rng, reached, &mut chosen);
        let datagrams = self.gossip_datagrams();
        for ix in chosen.drain(..) {
            let to = self.membership.address(ix);
            self.pending.extend((0..datagrams).map(|_| Pending::Gossip { to }));
        }
        self.chosen = chosen;
    }

    /// How many datagrams hold all the news that waits, within a bound: when many join at once,
    /// one a tick would take seconds to tell it.
    fn gossip_datagrams(&self) -> usize {
        let config = self.membership.config();
        let fit = config.datagram_bytes_max() / NEWS_BYTES;
        self.outbox.updates().len().div_ceil(fit).clamp(1, config.gossip_datagrams() as usize)
    }

    /// Takes over what the membership has decided. `bytes_max` bounds answers to what has just
    /// come in, so that a stranger cannot make us send more than he sent.
    fn collect(&mut self, bytes_max: usize) {
        while let Some(action) = self.membership.poll_action() {
            match action {
                Action::Send { to, message, tell } => {
                    self.pending.push_back(Pending::Send { to, message, tell, bytes_max });
                }
                Action::Exchange { to, ask } => self.pending.push_back(Pending::Ask { to, ask }),
                Action::News { who, urgent } => self.on_news(who, urgent),
                Action::Forget(ix) => self.outbox.remove_update(key_of(Who::Member(ix))),
                Action::Event(event) => self.on_event(event),
                Action::Persist(state) => self.pending.push_back(Pending::Persist(state)),
                Action::PersistedAgain => {
                    self.pending.push_back(Pending::Notice(Notice::PersistedAgain));
                }
                Action::Joined { seed } => {
                    self.pending.push_back(Pending::Notice(Notice::JoinedBy { seed }));
                }
                Action::Elsewhere { id, from, port, record } => {
                    self.tell_elsewhere(id, from, port, record);
                }
                Action::SlowNetwork { round_trip } => self.on_slow_network(round_trip),
                Action::OnePlane { id, address, plane, since } => {
                    let since = UNIX_EPOCH + since;
                    let notice = Notice::OnePlane { id, address, plane, since };
                    self.pending.push_back(Pending::Notice(notice));
                }
                Action::OtherTiming { member } => self.on_other_timing(member),
                Action::StartedLater { other } => {
                    self.pending.push_back(Pending::Notice(Notice::StartedLater { other }));
                }
                Action::Left { acknowledged, told } => {
                    // Until now this node has passed on what it knew.
                    self.outbox = Outbox::new();
                    let completion = Completion::Left { acknowledged, told };
                    self.pending.push_back(Pending::Completed(completion));
                }
            }
        }
    }

    fn on_news(&mut self, who: Who, urgent: bool) {
        let urgency = if urgent { Urgency::Urgent } else { Urgency::Normal };
        self.arm_gossip();
        self.outbox.push_update(key_of(who), urgency);
    }

    /// The first news after a silence goes out at once, further news with the next tick (G3).
    fn arm_gossip(&mut self) {
        if self.has_news() {
            return;
        }
        let tick = self.membership.config().gossip_tick();
        self.gossip_at = match self.membership.config().gossip_at_once() {
            true => self.now.max(self.gossiped_at + tick),
            false => self.next_tick(tick),
        };
    }

    /// The next moment of a clock that ticks all the time, for each node at moments of its own.
    fn next_tick(&self, tick: Duration) -> Instant {
        let micros = tick.as_micros() as u64;
        let phase = u64::from(self.membership.tiny().0) % micros;
        let ticks = (self.now.as_micros() + micros - phase) / micros;
        Instant::from_micros(ticks * micros + phase)
    }

    fn on_event(&mut self, event: MembershipEvent) {
        let member = member_of(&event.member);
        let event = match event.kind {
            EventKind::Joined => Event::Joined(member),
            EventKind::Up => Event::Up(member),
            EventKind::Suspected => Event::Suspected(member),
            EventKind::Down(death) => Event::Down(member, self.death_of(&death)),
            EventKind::Left => Event::Left(member),
            EventKind::Updated => Event::Updated(member),
            EventKind::Isolated => Event::Isolated(member),
            EventKind::Healed => Event::Healed(member),
            EventKind::Conflict { other } if member.id == self.membership.id() => {
                Event::Conflict { local: member, other }
            }
            EventKind::Conflict { other } => Event::MemberConflict { member, other },
        };
        self.pending.push_back(Pending::Event(event));
    }

    fn death_of(&self, death: &MembershipDeath) -> Death {
        let accusers = death.accusers.as_slice().iter();
        Death {
            accusers: accusers.filter_map(|&tiny| self.id_of(tiny)).collect(),
            path: if death.own { DeathPath::Suspicion } else { DeathPath::Gossip },
            at: UNIX_EPOCH.checked_add(death.at).unwrap_or(UNIX_EPOCH),
            suspected_for: death.suspected_for,
            health: death.health,
        }
    }

    fn id_of(&self, tiny: TinyId) -> Option<NodeId> {
        if tiny == self.membership.tiny() {
            return Some(self.membership.id());
        }
        match self.membership.table().find_tiny(tiny) {
            Lookup::Found(ix) => Some(self.membership.view(ix).id),
            _ => None,
        }
    }

    fn send_limit(&self) -> u32 {
        if self.membership.has_left() {
            // It tells until it ends (L2).
            return u32::MAX;
        }
        transmit_limit(self.membership.present(), self.membership.config().gossip_lambda())
    }

    /// This node as it speaks of itself.
    pub fn local(&self) -> Member {
        member_of(&self.membership.local())
    }

    /// Whether this node still speaks of itself as `member` says: cheaper than to compare it with
    /// [`local`](Self::local), which allocates.
    pub fn is_local(&self, member: &Member) -> bool {
        let claim = self.membership.local_claim();
        let fields = self.membership.local_record().fields();
        member.id == self.membership.id()
            && (member.incarnation, member.state) == (claim.incarnation, claim.state)
            && (member.address, member.versions) == (fields.address, fields.versions)
            && *member.name == *fields.name
            && *member.metadata == *fields.metadata
    }

    /// A member as it is held, or `None` if it is not, or is this node.
    pub fn member(&self, id: NodeId) -> Option<Member> {
        let ix = self.membership.table().find(id)?;
        Some(member_of(&self.membership.view(ix)))
    }

    /// Why a member is held dead; `None` for others, and for one that had left before it was said to
    /// be dead. Kept as long as the member is.
    pub fn death(&self, id: NodeId) -> Option<Death> {
        let ix = self.membership.table().find(id)?;
        self.membership.death(ix).map(|death| self.death_of(&death))
    }

    /// Whether an ack of this number would end a probe, or be handed on: for checkers.
    pub fn awaits_ack(&self, seq: Seq) -> bool {
        self.membership.awaits_ack(seq)
    }

    /// The suspicions that run, and about whom: for checkers.
    pub fn suspicions(&self) -> impl Iterator<Item = (NodeId, Suspicion)> + '_ {
        let running = self.membership.running_suspicions();
        running.map(|(ix, suspicion)| (self.membership.view(ix).id, suspicion))
    }

    /// What is held of a member that a message names so: for checkers.
    pub fn find(&self, subject: Subject) -> Option<(NodeId, Claim)> {
        match self.membership.table().find_subject(subject) {
            Lookup::Found(ix) => Some((self.membership.view(ix).id, self.membership.claim(ix))),
            Lookup::Unknown | Lookup::Ambiguous => None,
        }
    }

    /// The digest of the present members, this node included, as its pings and acks tell it.
    pub fn digest(&self) -> u64 {
        self.membership.digest()
    }

    /// What this node claims of itself.
    pub fn local_claim(&self) -> Claim {
        self.membership.local().claim
    }

    /// What is held of a member, or `None` if nothing is; cheaper than [`member`](Self::member).
    pub fn claim(&self, id: NodeId) -> Option<Claim> {
        let ix = self.membership.table().find(id)?;
        Some(self.membership.claim(ix))
    }

    /// All other members that are held: present, dead and left.
    pub fn members(&self) -> impl Iterator<Item = Member> + '_ {
        let table = self.membership.table();
        table.iter().map(|ix| member_of(&self.membership.view(ix)))
    }

    /// How many members are present (alive or suspect), this node included while it has not left.
    pub fn present(&self) -> usize {
        self.membership.present()
    }

    /// Calls `each` for every member that has changed since the last call, with what is held of
    /// it now, `None` if it was forgotten. Returns `false` when there were more changes than can
    /// be listed: then all of [`members`](Self::members) is to be read afresh.
    #[must_use]
    pub fn drain_changes(&mut self, mut each: impl FnMut(NodeId, Option<Member>)) -> bool {
        let mut changed = Vec::new();
        let complete = self.membership.drain_changes(|id| changed.push(id));
        for id in changed {
            each(id, self.member(id));
        }
        complete
    }

    /// What is counted, and how full queues and tables are.
    pub fn stats(&self) -> Stats {
        Stats {
            membership: self.membership.counters(),
            wire: self.wire,
            members_present: self.membership.present() as u64,
            members_held: self.membership.table().len() as u64,
            suspicions: self.membership.suspicions() as u64,
            health: u64::from(self.membership.health()),
            updates_queued: self.outbox.updates().len() as u64,
            broadcasts_queued: self.outbox.broadcasts().len() as u64,
            broadcasts_dropped: self.outbox.broadcasts().dropped(),
            exchanges_open: self.exchanges.len() as u64,
            driver: DriverCounters::default(),
            transport: Vec::new(),
        }
    }

    /// Checks what must hold after every input. For tests and simulations: it costs O(n).
    ///
    /// # Panics
    /// When an invariant is broken, which is a fault of this crate.
    pub fn check(&self) {
        self.membership.check();
        assert!(self.exchanges.len() <= exchanges::OPEN_MAX);
    }

    /// Whether this node is alive, in its own words: it has not left.
    pub fn is_running(&self) -> bool {
        self.membership.local_claim().state == State::Alive
    }
}

/// A member as users see it.
fn member_of(view: &MemberView) -> Member {
    let fields = view.record.fields();
    Member {
        id: view.id,
        name: fields.name.into(),
        address: fields.address,
        state: view.claim.state,
        incarnation: view.claim.incarnation,
        metadata: fields.metadata.into(),
        versions: fields.versions,
    }
}
