//! The machine: what comes in changes the table, and what should happen is queued as actions.

mod detect;
mod expiry;
mod hearing;
mod kept;
mod leave;
mod messages;
mod news;
mod one_plane;
mod own;
mod pauses;
mod refusals;
mod repair;
mod state;
mod where_from;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use swim_proto::{
    Accusers, Claim, ClusterTag, Datagram, Held, Incarnation, NodeId, Part, Record, Seq, ShortId,
    State, Subject, TinyId,
};

use crate::action::{Action, Death, Event, EventKind, MemberView, Via, Who};
use crate::agreement::Agreement;
use crate::config::Config;
use crate::conflict_times::ConflictTimes;
use crate::counters::Counters;
use crate::deadlines::Deadlines;
use crate::healing::Healing;
use crate::health::LocalHealth;
use crate::isolation::Isolation;
use crate::keeping::{Keeping, SavedState};
use crate::known::Known;
use crate::known_bug::KnownBug;
use crate::leaving::Leaving;
use crate::local::Local;
use crate::moves::Moves;
use crate::order::Order;
use crate::patience::Patience;
use crate::places::Places;
use crate::planes::Planes;
use crate::probe::{Probes, Purpose};
use crate::refusing::Refusing;
use crate::relay::Relays;
use crate::rtt::RoundTrips;
use crate::seeds::Seeds;
use crate::slow_network::SlowNetwork;
use crate::suspicion::Suspicion;
use crate::table::{Lookup, MemberIx, Table};
use crate::time::{Clock, Instant};

pub use where_from::is_out_of_reach;

/// Changes beyond this number that nobody has drained are not listed one by one any more.
const CHANGES_MAX: usize = 65_536;
/// Contradictions that one exchange answers.
const CONTRADICTIONS_MAX: usize = 1_024;

/// Where something about a member came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The address that sent it.
    pub address: SocketAddr,
    /// How it came.
    pub via: Via,
}

impl Source {
    /// Whether this is the member itself, as far as can be told: it has answered a probe or an
    /// exchange of ours at the address that its record names (M3).
    fn is_owner(self, id: NodeId, record: &Record) -> bool {
        let answers = self.via == Via::Ack(id) || self.via == Via::Reply(id);
        answers && self.address == record.address()
    }
}

/// Who is there, as one node knows it.
#[derive(Debug)]
pub struct Membership {
    config: Config,
    tag: ClusterTag,
    local: Local,
    table: Table,
    rng: Xoshiro256PlusPlus,
    health: LocalHealth,
    probes: Probes,
    relays: Relays,
    suspicions: Deadlines<Suspicion>,
    refusing: Refusing,
    moves: Moves,
    /// Which addresses lead to their members, and who speaks from elsewhere (J3, J4).
    places: Places,
    /// The dead and left, and how the dead came to be; the deadline is when to forget.
    tombstones: Deadlines<Option<Death>>,
    seeds: Seeds,
    /// Addresses out of an earlier life.
    known: Known,
    keeping: Keeping,
    leaving: Option<Leaving>,
    order: Order,
    clock: Clock,
    isolation: Isolation,
    /// For how long this node may be silent (S6).
    patience: Patience,
    /// Which members answer by one plane only (E8).
    planes: Planes,
    trips: RoundTrips,
    /// Whether they are too long for this configuration, and the user knows (P4).
    slow_network: SlowNetwork,
    /// Until when only what has waited is taken in (S8).
    grace_until: Instant,
    probe_at: Instant,
    /// When a turn is taken at the latest, whatever the wall clock shows (P1).
    turn_until: Instant,
    sync_at: Instant,
    heal_at: Instant,
    heal_seed_next: bool,
    /// Whether a partition is over (E6).
    healing: Healing,
    /// Until when the one is remembered that was the most recently dead when it was tried (E5).
    healed_last: Instant,
    /// What the digests of others say (D2 to D5).
    agreement: Agreement,
    /// What this node is in its own digest, and for which claim that was computed.
    own_hash: (Claim, u64),
    heal_known_next: bool,
    /// When a jump may be looked into again (M3).
    verify_at: Instant,
    /// Whom we have answered in this period, so that each gets one answer (G6).
    answered: Vec<SocketAddr>,
    answered_until: Instant,
    contradictions: Vec<Who>,
    /// How many suspects others were asked for word of in this period (S9).
    inquired: u32,
    inquired_until: Instant,
    changes: Vec<NodeId>,
    changes_lost: bool,
    actions: VecDeque<Action>,
    counters: Counters,
    scratch: Vec<MemberIx>,
    /// `None` but in simulations.
    bug: Option<KnownBug>,
}

impl Membership {
    /// A node alone, which keeps nothing over a restart. `seed` decides every random choice.
    pub fn new(
        config: Config,
        id: NodeId,
        record: Record,
        tag: ClusterTag,
        seed: u64,
        now: Instant,
    ) -> Self {
        Self::with_saved(config, id, record, tag, seed, now, None)
    }

    /// A node alone, in the life after the one that has saved this; `None` keeps nothing. What it
    /// wants to be saved comes as [`Action::Persist`].
    pub fn with_saved(
        config: Config,
        id: NodeId,
        record: Record,
        tag: ClusterTag,
        seed: u64,
        now: Instant,
        saved: Option<SavedState>,
    ) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let incarnation = saved.as_ref().map(|saved| saved.incarnation);
        let pause = saved.as_ref().map_or(Duration::ZERO, |saved| saved.pause);
        let (patience, record) = pauses::first_patience(now, &config, pause, record);
        let local =
            Local::new(id, id.short(tag).tiny(), record, incarnation, ConflictTimes::of(&config));
        let keeping = Keeping::new(now, saved.as_ref());
        let addresses = saved.map_or_else(Vec::new, |saved| saved.addresses);
        let forget_at = now + config.tombstone_age();
        let known = Known::new(addresses, local.address(), forget_at, &mut rng);
        let mut membership = Self {
            known,
            keeping,
            heal_known_next: false,
            tag,
            local,
            table: Table::new(tag, rng.random()),
            health: LocalHealth::new(config.health_max()),
            probes: Probes::new(Seq(rng.random())),
            relays: Relays::default(),
            suspicions: Deadlines::default(),
            refusing: Refusing::default(),
            moves: Moves::default(),
            places: Places::default(),
            tombstones: Deadlines::default(),
            seeds: Seeds::default(),
            leaving: None,
            order: Order::new(config.probe_order()),
            clock: Clock::default(),
            isolation: Isolation::new(now),
            patience,
            planes: Planes::default(),
            trips: RoundTrips::new(config.base_timeout()),
            slow_network: SlowNetwork::default(),
            grace_until: Instant::NEVER,
            probe_at: Instant::NEVER,
            turn_until: Instant::NEVER,
            sync_at: now + config.sync_interval(),
            heal_at: now + config.healing_interval(),
            heal_seed_next: false,
            healing: Healing::default(),
            healed_last: Instant::ZERO,
            agreement: Agreement::default(),
            own_hash: (Claim::new(Incarnation(0), State::Left), 0),
            verify_at: now,
            answered: Vec::new(),
            answered_until: now,
            contradictions: Vec::new(),
            inquired: 0,
            inquired_until: now,
            changes: Vec::new(),
            changes_lost: false,
            actions: VecDeque::new(),
            counters: Counters::default(),
            scratch: Vec::new(),
            bug: None,
            rng,
            config,
        };
        membership.reserve_numbers();
        membership
    }

    /// Takes over a whole table, as if everybody in it had been met long ago; for simulations and
    /// benches, which cannot wait for so many joins. The own entry in it is left out.
    pub fn adopt(&mut self, now: Instant, table: &Table) {
        self.table = table.clone();
        self.table.take_out(self.local.id);
        self.order.adopt(&self.table);
        self.keeping.on_changed();
        self.arm_probe(now);
    }

    /// Puts back a fault, for simulations.
    #[cfg(feature = "known-bugs")]
    #[doc(hidden)]
    pub fn put_back(&mut self, bug: KnownBug) {
        self.bug = Some(bug);
    }

    /// Whether this fault was put back.
    #[doc(hidden)]
    pub fn has_bug(&self, bug: KnownBug) -> bool {
        cfg!(feature = "known-bugs") && self.bug == Some(bug)
    }

    /// What should happen next, in the order in which it was decided.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted.
    pub fn deadline(&self) -> Instant {
        if self.local.state == State::Left {
            return self.leaving.as_ref().map_or(Instant::NEVER, Leaving::deadline);
        }
        if self.is_in_grace() {
            return self.grace_until;
        }
        let first =
            |deadline: Option<(Instant, MemberIx)>| deadline.map_or(Instant::NEVER, |d| d.0);
        let (sync_at, heal_at) = self.repair_deadlines();
        [
            self.probe_at,
            self.probes.deadline(),
            self.relays.deadline(),
            first(self.suspicions.first()),
            first(self.tombstones.first()),
            self.local.deadline(),
            self.local.rival.deadline(),
            self.seeds.deadline(),
            self.known.deadline(),
            self.keeping.deadline(),
            self.patience.deadline(),
            sync_at,
            heal_at,
        ]
        .into_iter()
        .min()
        .unwrap_or(Instant::NEVER)
    }

    /// Whether only what has waited for a node that was late is taken in (S8).
    pub fn is_in_grace(&self) -> bool {
        self.grace_until != Instant::NEVER
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.local.state == State::Left {
            self.on_leaving_due(now);
            return;
        }
        if self.is_in_grace() && now < self.grace_until {
            return;
        }
        self.grace_until = Instant::NEVER;
        self.on_probes_due(now);
        self.on_relays_due(now);
        self.on_suspicions_due(now);
        self.on_period_due(now);
        self.on_raise_due(now);
        self.on_rival_due(now);
        self.on_patience_due(now);
        self.on_seeds_due(now);
        self.on_repair_due(now);
        self.on_tombstones_due(now);
        self.on_snapshot_due(now);
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The members other than this node.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// How many members are present, this node included while it has not left.
    pub fn present(&self) -> usize {
        self.table.present() + usize::from(self.local.state == State::Alive)
    }

    /// This node's id.
    pub fn id(&self) -> NodeId {
        self.local.id
    }

    /// The short id of this node.
    pub fn short(&self) -> ShortId {
        self.local.id.short(self.tag)
    }

    /// The 4 bytes that name this node.
    pub fn tiny(&self) -> TinyId {
        self.local.tiny
    }

    /// This node as it speaks of itself.
    pub fn local(&self) -> MemberView {
        let (id, record) = (self.local.id, self.local.record.clone());
        MemberView { id, claim: self.local.claim(), record }
    }

    /// This node's claim about itself.
    pub fn local_claim(&self) -> Claim {
        self.local.claim()
    }

    /// This node's record.
    pub fn local_record(&self) -> &Record {
        &self.local.record
    }

    /// A member as it is held.
    pub fn view(&self, ix: MemberIx) -> MemberView {
        let entry = self.table.held(ix);
        MemberView { id: entry.id, claim: entry.claim(), record: entry.record().clone() }
    }

    /// How a member that is held dead came to be so; `None` for others, and of one that had left
    /// before it was said to be dead.
    pub fn death(&self, ix: MemberIx) -> Option<Death> {
        let death = self.tombstones.value(ix).copied().flatten();
        death.filter(|_| self.table.held(ix).claim().state == State::Dead)
    }

    /// Where a member is reached.
    pub fn address(&self, ix: MemberIx) -> SocketAddr {
        self.table.held(ix).record().address()
    }

    /// What is counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// This node's local health score, 0 (well) to the configured maximum.
    pub fn health(&self) -> u32 {
        self.health.score()
    }

    /// Whether an ack of this number would end a probe, be handed on, or tell that another process with
    /// this id lives: for checkers.
    pub fn awaits_ack(&self, seq: Seq) -> bool {
        self.probes.has(seq) || self.relays.has(seq) || self.local.rival.has_asked(seq)
    }

    /// How news in this datagram came: whether it is an ack to a probe of ours, from whom we asked.
    pub fn via(&self, from: SocketAddr, message: &Datagram<'_>) -> Via {
        match *message {
            Datagram::Correction => Via::Correction,
            Datagram::Ack { seq, .. } => match self.probes.target(seq) {
                Some(ix) if self.address(ix) == from => Via::Ack(self.table.held(ix).id),
                _ => Via::Gossip,
            },
            _ => Via::Gossip,
        }
    }

    /// The suspicions that run: for checkers.
    pub fn running_suspicions(&self) -> impl Iterator<Item = (MemberIx, Suspicion)> + '_ {
        let members = self.suspicions.members();
        members.filter_map(|ix| Some((ix, *self.suspicions.value(ix)?)))
    }

    /// How many suspicions run.
    pub fn suspicions(&self) -> usize {
        self.suspicions.len()
    }

    /// Calls `each` for every member whose claim or record has changed since the last call, or
    /// that was forgotten. Returns `false` when there were more than can be listed: then the
    /// whole table is to be read.
    #[must_use]
    pub fn drain_changes(&mut self, mut each: impl FnMut(NodeId)) -> bool {
        self.changes.drain(..).for_each(&mut each);
        !core::mem::take(&mut self.changes_lost)
    }

    /// The present member that is named so and reached at this address, or nobody.
    pub fn present_at(&self, tiny: TinyId, address: SocketAddr) -> Option<MemberIx> {
        self.held_at(tiny, address).filter(|&ix| self.table.held(ix).claim().state.is_present())
    }

    /// A present member whose record names this address. The look through the table is long.
    fn present_with(&self, address: SocketAddr) -> Option<MemberIx> {
        self.table.present_members().find(|&ix| self.address(ix) == address)
    }

    fn held_at(&self, tiny: TinyId, address: SocketAddr) -> Option<MemberIx> {
        self.table.find_tiny_at(tiny, address)
    }

    /// The present member of this short id.
    pub fn present_short(&self, short: ShortId) -> Option<MemberIx> {
        match self.table.find_subject(Subject::Short(short)) {
            Lookup::Found(ix) => {
                Some(ix).filter(|&ix| self.table.held(ix).claim().state.is_present())
            }
            Lookup::Unknown | Lookup::Ambiguous => None,
        }
    }

    /// What is held of this one, as it is told to others; `None` if it was forgotten.
    pub fn part(&self, who: Who) -> Option<Part<'_>> {
        let Who::Member(ix) = who else {
            return Some(self.own_part());
        };
        let entry = self.table.entry(ix)?;
        let Claim { incarnation, state } = entry.claim();
        let subject = || self.table.subject(ix);
        Some(match state {
            State::Alive => {
                Part::Alive { id: entry.id, incarnation, record: entry.record().as_bytes() }
            }
            State::Suspect => {
                let accusers = self.suspicions.value(ix).map(Suspicion::accusers);
                let accusers = accusers.unwrap_or_default();
                Part::Suspect { subject: subject(), incarnation, accusers }
            }
            State::Dead => {
                let accusers = self.death(ix).map_or_else(Accusers::new, |death| death.accusers);
                Part::Dead { subject: subject(), incarnation, accusers }
            }
            State::Left => Part::Left { subject: subject(), incarnation },
        })
    }

    /// What is held of an absent member, in the fewest bytes: without its accusers.
    pub fn verdict(&self, ix: MemberIx) -> Option<Part<'_>> {
        self.part(Who::Member(ix)).map(|part| match part {
            Part::Dead { subject, incarnation, .. } => {
                Part::Dead { subject, incarnation, accusers: Accusers::new() }
            }
            other => other,
        })
    }

    /// The record of a member as its owner last gave it, whatever else is held of it.
    pub fn record_part(&self, ix: MemberIx) -> Part<'_> {
        let entry = self.table.held(ix);
        let (incarnation, record) = (entry.record_incarnation(), entry.record().as_bytes());
        Part::Alive { id: entry.id, incarnation, record }
    }

    /// What is claimed of a member.
    pub fn claim(&self, ix: MemberIx) -> Claim {
        self.table.held(ix).claim()
    }

    fn own_part(&self) -> Part<'_> {
        let (id, incarnation) = (self.local.id, self.local.incarnation);
        match self.local.state {
            State::Left => Part::Left { subject: Subject::Full(id), incarnation },
            _ => Part::Alive { id, incarnation, record: self.local.record.as_bytes() },
        }
    }

    fn held_of(&self, ix: MemberIx) -> Held {
        let entry = self.table.held(ix);
        Held { claim: entry.claim(), record: entry.record().hash() as u16 }
    }

    /// Writes a claim and everything that hangs on the state: rounds, suspicion, tombstone,
    /// probes in flight, and the list of changes.
    fn set_claim(&mut self, now: Instant, ix: MemberIx, claim: Claim, death: Option<Death>) {
        let before = self.table.held(ix).claim().state;
        self.table.set_claim(ix, claim);
        if claim.state != State::Suspect {
            self.suspicions.remove(ix);
            self.refusing.remove(ix);
        }
        if before == State::Suspect {
            // The suspicion that it looks into is over (S7).
            self.probes.end(ix, Purpose::Corroboration);
        }
        match (before.is_present(), claim.state.is_present()) {
            (false, true) => self.order.insert(ix, &mut self.rng),
            (true, false) => self.order.remove(ix),
            _ => {}
        }
        if claim.state.is_present() {
            self.tombstones.remove(ix);
            self.arm_probe(now);
            if !before.is_present() {
                self.on_company();
            }
        } else {
            self.bury(now, ix, before, death);
        }
        if before == State::Dead && claim.state.is_present() {
            self.on_back(now, ix);
        }
        self.on_changed(ix);
    }

    /// A member is not present any more: nobody probes it, and it is remembered for a while (T1).
    fn bury(&mut self, now: Instant, ix: MemberIx, before: State, death: Option<Death>) {
        self.probes.forget(ix);
        self.relays.forget(ix);
        self.trips.forget(ix);
        self.isolation.forget(ix);
        self.planes.forget(ix);
        self.moves.forget(ix);
        if !before.is_present() {
            return;
        }
        self.limit_confirmations();
        // Room is made first, so that it is never the new one that goes.
        while self.tombstones.len() >= self.config.tombstones_max() as usize {
            let Some((_, oldest)) = self.tombstones.first() else { break };
            self.counters.tombstones_full += 1;
            self.forget(oldest);
        }
        self.tombstones.set(ix, now + self.config.tombstone_age(), death);
    }

    /// Somebody is there after there was nobody. What this node has believed alone of the dead was
    /// told to nobody, and is no fresh news: the network may have been cut (M5).
    fn on_company(&mut self) {
        if self.table.present() == 1 {
            let dead = self.tombstones.members();
            let dead = dead.filter(|&ix| self.table.held(ix).claim().state == State::Dead);
            self.actions.extend(dead.map(Action::Forget));
        }
    }

    fn forget(&mut self, ix: MemberIx) {
        self.tombstones.remove(ix);
        self.contradictions.retain(|&who| who != Who::Member(ix));
        self.on_changed(ix);
        self.table.remove(ix);
        self.actions.push_back(Action::Forget(ix));
    }

    fn on_tombstones_due(&mut self, now: Instant) {
        while let Some((at, ix)) = self.tombstones.first() {
            if at > now {
                break;
            }
            self.forget(ix);
        }
    }

    fn on_changed(&mut self, ix: MemberIx) {
        self.on_met(ix);
        if self.changes.len() < CHANGES_MAX {
            self.changes.push(self.table.held(ix).id);
        } else {
            self.changes_lost = true;
        }
    }

    fn emit(&mut self, ix: MemberIx, kind: EventKind) {
        let member = Box::new(self.view(ix));
        self.actions.push_back(Action::Event(Event { kind, member }));
    }

    fn tell_news(&mut self, ix: MemberIx) {
        self.actions.push_back(Action::News { who: Who::Member(ix), urgent: false });
    }

    /// Checks what must hold after every input. For tests and simulations: it costs O(n).
    ///
    /// # Panics
    /// When an invariant is broken, which is a fault of this crate.
    pub fn check(&self) {
        self.table.check();
        self.check_own_hash();
        for ix in self.suspicions.members() {
            let state = self.table.held(ix).claim().state;
            assert_eq!(state, State::Suspect, "only a suspect has a suspicion");
        }
        for ix in self.refusing.members() {
            assert!(self.suspicions.value(ix).is_some(), "only a suspect is known to refuse");
        }
        for ix in self.tombstones.members() {
            let state = self.table.held(ix).claim().state;
            assert!(!state.is_present(), "only the absent have a tombstone");
        }
        for &ix in self.isolation.heard().into_iter().flatten() {
            let state = self.table.held(ix).claim().state;
            assert!(state.is_present(), "only the present are heard");
        }
        let suspected = |&ix: &MemberIx| self.table.held(ix).claim().state == State::Suspect;
        let suspects = self.table.iter().filter(suspected).count();
        assert_eq!(suspects, self.suspicions.len(), "each suspect has a suspicion");
        let held = self.table.present() + self.tombstones.len();
        assert_eq!(held, self.table.len(), "each member is present or has a tombstone");
        assert!(self.tombstones.len() <= self.config.tombstones_max() as usize);
        assert!(self.table.present() <= self.config.members_max() as usize);
    }
}
