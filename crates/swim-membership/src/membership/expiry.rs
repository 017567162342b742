//! The end of a suspicion: whether this node may declare dead, and what becomes of suspects whose
//! time is up (S4, S5, S9).

use core::time::Duration;

use swim_proto::{Datagram, State};

use super::Membership;
use crate::action::{EventKind, Tell};
use crate::isolation::Standing;
use crate::probe::Purpose;
use crate::suspicion::Suspicion;
use crate::table::MemberIx;
use crate::time::Instant;

/// How many round trips beyond the base time-out a suspect is given.
const ALLOWANCE_ROUND_TRIPS: u32 = 2;
/// How many members a node asks at once that nobody answers (S5).
const LOOK_AROUND: usize = 3;
/// Members asked for word of a suspect before it is declared dead, and so many suspects in a period
/// at most (S9).
const INQUIRED: usize = 5;
const INQUIRIES_MAX: u32 = 32;

impl Membership {
    /// Whether this node may accuse and declare dead (S5). Where there is no third member to ask it
    /// may.
    pub(super) fn look_at_isolation(&mut self, now: Instant) -> Standing {
        if !self.config.isolation_guard() || self.table.present() < 2 {
            self.isolation.end();
            return Standing::Connected;
        }
        let (period, hold) = (self.config.period(), self.config.isolation_hold());
        let standing = self.isolation.look(now, self.table.alive(), period, hold);
        if standing == Standing::Connected && self.isolation.is_reported() {
            self.on_reconnected(now);
        }
        if let Standing::Overdue { .. } = standing {
            self.accuse_unanswered(now);
        }
        standing
    }

    /// Whether an answer to a question of ours came within the last three periods (S5).
    pub(super) fn is_heard(&self, now: Instant) -> bool {
        self.isolation.is_heard(now, self.config.period())
    }

    /// Members that did not answer while this node was isolated are accused, because they were asked.
    fn accuse_unanswered(&mut self, now: Instant) {
        for (ix, since) in self.isolation.take_unanswered() {
            self.accuse_since(now, ix, since);
        }
    }

    /// Nobody has answered for a while: are only some members silent, or all?
    pub(super) fn look_around(&mut self, now: Instant) {
        if self.is_heard(now) || self.probes.any_for(Purpose::LookAround) {
            return;
        }
        let mut asked = core::mem::take(&mut self.scratch);
        let (probes, isolation, table) = (&self.probes, &self.isolation, &self.table);
        // Members that have answered of late say the most about this node itself.
        let likely = |ix: MemberIx| {
            !isolation.is_unanswered(ix) && table.held(ix).claim().state == State::Alive
        };
        let eligible = |ix: MemberIx| !probes.contains(ix) && likely(ix);
        self.table.choose_present(LOOK_AROUND, &mut self.rng, eligible, &mut asked);
        if asked.is_empty() {
            let eligible = |ix: MemberIx| !probes.contains(ix);
            self.table.choose_present(LOOK_AROUND, &mut self.rng, eligible, &mut asked);
        }
        for ix in asked.drain(..) {
            self.start_probe(now, ix, Purpose::LookAround);
        }
        self.scratch = asked;
    }

    /// A member that was asked to look around has not answered.
    pub(super) fn on_nobody_around(&mut self, now: Instant) {
        let none_left = !self.probes.any_for(Purpose::LookAround);
        if none_left && !self.is_heard(now) && self.isolation.report() {
            self.emit_own(EventKind::Isolated);
        }
    }

    /// Suspects that have not refuted in time are declared dead (S4), except by an isolated node
    /// (S5).
    pub(super) fn on_suspicions_due(&mut self, now: Instant) {
        while let Some((ix, mut suspicion)) = self.suspicions.pop_due(now) {
            match self.look_at_isolation(now) {
                Standing::Connected => self.inquire_or_declare(now, ix, suspicion),
                Standing::Isolated => {
                    self.counters.sentences_held += u64::from(suspicion.defer());
                    self.suspicions.set(ix, now + self.config.period() / 4, suspicion);
                    self.look_around(now);
                }
                Standing::Overdue { since } => self.on_overdue(now, ix, since, suspicion),
            }
        }
    }

    /// A suspicion has run out at a node that is isolated for so long that it judges all the same.
    /// Confirmations do not count while it hears nothing, because the members that made them may
    /// have been isolated, too.
    fn on_overdue(&mut self, now: Instant, ix: MemberIx, since: Instant, mut suspicion: Suspicion) {
        if suspicion.started() < since {
            suspicion.restart(since);
        }
        if self.isolation.is_silent(now, self.config.period()) {
            suspicion.forget_confirmations();
        }
        self.inquire_or_declare(now, ix, suspicion);
    }

    /// How long others are given to say better of a suspect than this node holds (S9).
    fn inquiry_time(&self) -> Duration {
        match self.config.inquiry() {
            true => self.config.base_timeout() + self.typical_excess(),
            false => Duration::ZERO,
        }
    }

    /// How much more time a suspect is given where round trips are longer than the base time-out: the
    /// suspicion, the refutation and its spreading each need some (P4).
    pub(super) fn allowance(&self) -> Duration {
        self.typical_excess() * ALLOWANCE_ROUND_TRIPS
    }

    /// When something is to be done about a suspicion.
    fn due(&self, suspicion: &Suspicion) -> Instant {
        suspicion.due(self.inquiry_time()) + self.allowance()
    }

    /// Keeps a suspicion until something is to be done about it.
    pub(super) fn watch(&mut self, ix: MemberIx, suspicion: Suspicion) {
        self.suspicions.set(ix, self.due(&suspicion), suspicion);
    }

    /// Changes a suspicion, if one runs, and with it when something is to be done.
    pub(super) fn change_suspicion(&mut self, ix: MemberIx, change: impl FnOnce(&mut Suspicion)) {
        let (inquiry, allowance) = (self.inquiry_time(), self.allowance());
        self.suspicions.update(ix, |suspicion| {
            change(suspicion);
            suspicion.due(inquiry) + allowance
        });
    }

    fn inquire_or_declare(&mut self, now: Instant, ix: MemberIx, mut suspicion: Suspicion) {
        if self.due(&suspicion) > now {
            self.watch(ix, suspicion);
            return;
        }
        if self.config.inquiry() && suspicion.inquire(now) {
            self.inquire(now, ix);
            self.watch(ix, suspicion);
            return;
        }
        self.counters.deaths_declared += 1;
        let incarnation = self.table.held(ix).claim().incarnation;
        self.declare_dead(now, ix, incarnation, suspicion.accusers(), Some(suspicion));
    }

    /// Asks a few others what they hold of a suspect: its refutation may have passed us by (S9).
    fn inquire(&mut self, now: Instant, ix: MemberIx) {
        if now >= self.inquired_until {
            (self.inquired, self.inquired_until) = (0, now + self.config.period());
        }
        if self.inquired == INQUIRIES_MAX {
            self.counters.inquiries_full += 1;
            return;
        }
        self.inquired += 1;
        self.counters.inquiries += 1;
        let mut asked = core::mem::take(&mut self.scratch);
        let table = &self.table;
        let eligible = |other: MemberIx| table.held(other).claim().state == State::Alive;
        table.choose_present(INQUIRED, &mut self.rng, eligible, &mut asked);
        let (from, subject) = (self.local.tiny, self.table.subject(ix));
        for other in asked.drain(..) {
            let message = Datagram::RecordRequest { from, subject };
            self.send(self.address(other), message, Tell::Nothing);
        }
        self.scratch = asked;
    }
}
