//! This node's own word: refuting, changing the record, joining and coming back (R1 to R4, L1).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use swim_proto::limits::{INCARNATION_JUMP_MAX, INCARNATION_REACH_MAX};
use swim_proto::{Datagram, Held, Incarnation, Record, RefusalReason, State};

use super::{Membership, Source};
use crate::action::{Action, Ask, Event, EventKind, Tell, Via, Who};
use crate::isolation::Isolation;
use crate::known_bug::KnownBug;
use crate::local::{Cause, Refutation};
use crate::probe::Probes;
use crate::table::MemberIx;
use crate::time::Instant;

/// How far above its own number a node rises to refute what it hears so (R1). Of a rumour no further
/// than others believe it, for nobody holds what is beyond that. What one says that it holds whom this
/// node has asked may have been raised step by step, by a liar, while this node was cut off.
fn reach_of(source: Source) -> u64 {
    match source.via {
        Via::Reply(_) => INCARNATION_REACH_MAX,
        _ => INCARNATION_JUMP_MAX,
    }
}

impl Membership {
    /// A claim about this node that came from a peer and is not its own word (R1).
    pub(super) fn on_accused(&mut self, now: Instant, source: Source, heard: Incarnation) {
        let accused = heard >= self.local.incarnation;
        self.on_accusation(now, heard, reach_of(source), Cause::Accused);
        if accused {
            self.on_suspected(now);
        }
        let answers = self.config.corrections() && source.via.peer().is_none();
        if answers && heard < self.local.incarnation {
            // An accuser may be in touch for a moment only, and is to hear of the refutation in it.
            self.answer(now, source, Datagram::Gossip, Tell::Only(Who::Local));
        }
        self.contradict_older(source, heard);
    }

    /// Whoever has an older word of ours is told the newer one in the same exchange. While there is
    /// none yet (R2), another round would only say the same again, and so would its answer.
    fn contradict_older(&mut self, source: Source, heard: Incarnation) {
        if source.via.peer().is_some() && heard < self.local.incarnation {
            self.contradict(Who::Local);
        }
    }

    /// A number above our own that is ours to refute, unless it is so far above it.
    pub(super) fn on_accusation(
        &mut self,
        now: Instant,
        heard: Incarnation,
        reach: u64,
        cause: Cause,
    ) {
        if self.local.state == State::Left || heard < self.local.incarnation {
            self.counters.claims_stale += 1;
            return;
        }
        if self.is_beyond(heard, reach) {
            self.counters.claims_jumped += 1;
            return;
        }
        if self.has_bug(KnownBug::RestartBelow) && heard > self.local.incarnation {
            return;
        }
        let refutation = self.local.refute(now, heard, cause);
        if self.has_bug(KnownBug::NumberWraps) {
            self.local.incarnation.0 %= 4;
        }
        self.on_refuted(now, refutation);
    }

    pub(super) fn is_beyond(&self, heard: Incarnation, reach: u64) -> bool {
        heard.0 > self.local.incarnation.0.saturating_add(reach)
    }

    pub(super) fn on_own_alive(
        &mut self,
        now: Instant,
        source: Source,
        heard: Incarnation,
        record: &[u8],
    ) {
        let foreign = record != self.local.record.as_bytes();
        if heard < self.local.incarnation || heard == self.local.incarnation && !foreign {
            return;
        }
        let reach = reach_of(source);
        let mut cause = Cause::Accused;
        if foreign && !self.is_beyond(heard, reach) {
            cause = self.on_foreign_record(now, heard, record);
        }
        self.on_accusation(now, heard, reach, cause);
        self.contradict_older(source, heard);
    }

    fn on_foreign_record(&mut self, now: Instant, heard: Incarnation, record: &[u8]) -> Cause {
        let Ok(record) = Record::parse(record) else {
            self.counters.records_bad += 1;
            return Cause::Accused;
        };
        // Later fields may be of an earlier life, and show nobody: refuted, but no sign of a conflict.
        if record.visible() == self.local.record.visible() {
            return Cause::Accused;
        }
        if self.local.on_foreign_record(now, heard, &record) {
            self.counters.conflicts += 1;
            self.emit_own(EventKind::Conflict { other: record.address() });
        }
        Cause::Foreign
    }

    /// The process that started earlier is asked whether it lives, by a ping for this id at its address.
    /// It says what this process claims, so that the other one rises above it, and the members that
    /// follow are left with that one should this process end (R4).
    pub(super) fn on_rival_due(&mut self, now: Instant) {
        let Some(to) = self.local.rival.whom_to_ask(now, self.config.period()) else { return };
        let seq = self.probes.next_seq();
        self.local.rival.on_asked(seq);
        let (tiny, claim) = (self.local.tiny, self.local.claim());
        let held = Held { claim, record: self.local.record.hash() as u16 };
        let ping = Datagram::Ping { seq, target: tiny, from: tiny, held, note: None };
        self.send(to, ping, Tell::Nothing);
    }

    /// An event about this node itself.
    pub(super) fn emit_own(&mut self, kind: EventKind) {
        let member = Box::new(self.local());
        self.actions.push_back(Action::Event(Event { kind, member }));
    }

    pub(super) fn on_raise_due(&mut self, now: Instant) {
        let refutation = self.local.raise_due(now);
        self.on_refuted(now, refutation);
    }

    pub(super) fn on_refuted(&mut self, now: Instant, refutation: Refutation) {
        self.reserve_numbers();
        if refutation == Refutation::Raised {
            self.counters.refutations += 1;
            self.health.worsen();
            self.tell_own_news();
            if let Some(to) = self.local.take_answered(now) {
                // Nobody else tells it: the others hold only one of both addresses.
                self.actions.push_back(Action::Exchange { to, ask: Ask::Sync });
            }
            self.on_parted(now);
        }
    }

    /// Replaces this node's record; the incarnation rises with it, at once (R3).
    pub fn set_record(&mut self, record: Record) {
        if record == self.local.record {
            return;
        }
        self.local.record = record;
        if self.local.state == State::Alive {
            self.local.advance(State::Alive);
            self.reserve_numbers();
            self.tell_own_news();
        }
    }

    /// Makes joining by these addresses the standing goal (J1), in a new life if this node had
    /// left (L1). The own address among them is ignored. Who is known from an earlier life is asked
    /// too (J2).
    pub fn join(&mut self, now: Instant, seeds: &[SocketAddr]) {
        if self.local.state == State::Left {
            self.finish_leave();
            self.local.advance(State::Alive);
            self.reserve_numbers();
            self.probes = Probes::new(self.probes.next_seq());
            self.restart_suspicions(now);
            self.isolation = Isolation::new(now);
            self.tell_own_news();
            self.arm_probe(now);
        }
        self.seeds.set(now, self.local.address(), seeds);
        self.known.start(now);
    }

    /// The same seeds have other addresses now: those are tried from now on, by joins while nobody
    /// has answered (J1), and by healing after that (E5).
    pub fn update_seeds(&mut self, now: Instant, seeds: &[SocketAddr]) {
        if self.local.state == State::Alive {
            self.seeds.update(now, self.local.address(), seeds);
        }
    }

    /// Time that passed between two lives is not held against suspects: each gets its whole time
    /// to refute anew.
    fn restart_suspicions(&mut self, now: Instant) {
        let suspects: Vec<MemberIx> = self.suspicions.members().collect();
        for ix in suspects {
            self.change_suspicion(ix, |suspicion| suspicion.restart(now));
        }
    }

    /// Whether no seed has answered yet.
    pub fn wants_seeds(&self) -> bool {
        self.seeds.wanted()
    }

    /// Whether no seed has answered yet, and this address is one.
    pub fn wants_seed(&self, address: SocketAddr) -> bool {
        self.seeds.wanted() && self.seeds.addresses().contains(&address)
    }

    /// Whether the goal of joining is reached: somebody has answered; or there is no seed, and
    /// nobody known from an earlier life answers.
    pub fn is_joined(&self) -> bool {
        !self.seeds.wanted() && !self.known.is_hopeful()
    }

    /// One who was asked to take this node in does not answer. Returns whether that is to be said:
    /// it is a seed, and has been tried for a while.
    #[must_use]
    pub fn handle_unanswered(&mut self, now: Instant, address: SocketAddr) -> bool {
        self.known.on_failed(address);
        self.seeds.is_silent(now, address)
    }

    /// One who was asked to take this node in refuses. Returns whether that is to be said: it is a
    /// seed, and is tried on. One known from an earlier life that belongs to another cluster now is
    /// not.
    #[must_use]
    pub fn handle_refused(&mut self, address: SocketAddr, reason: RefusalReason) -> bool {
        if reason == RefusalReason::OtherCluster {
            self.known.remove(address);
        } else {
            self.known.on_failed(address);
        }
        self.seeds.on_refused(address);
        self.seeds.addresses().contains(&address)
    }
}
