//! Passing sentence: whether this node is in touch with others, and what becomes of suspects whose time
//! is up (S4 to S6, S9).

use core::time::Duration;

use swim_proto::{Accusers, Datagram, State};

use super::Membership;
use crate::action::{EventKind, Tell};
use crate::guard::Touch;
use crate::probe::Purpose;
use crate::suspicion::Suspicion;
use crate::table::MemberIx;
use crate::time::Instant;

/// Members asked at once by one who may be cut off (S5).
const TOUCH_PROBES: usize = 3;
/// Members asked for word of a suspect before it is declared dead, and so many suspects in a period
/// at most (S9).
const INQUIRED: usize = 5;
const INQUIRIES_MAX: u32 = 32;
/// How long it is remembered that a member came back from the dead (S6).
const RETURN_MEMORY: Duration = Duration::from_secs(600);

impl Membership {
    /// Whether this node may pass sentence (S5). Where there is no third member to ask it may.
    pub(super) fn look_at_guard(&mut self, now: Instant) -> Touch {
        let (period, hold) = (self.config.period(), self.config.isolation_hold());
        let others = self.table.present();
        if !self.config.isolation_guard() || others < 2 {
            self.guard.open();
            return Touch::Open;
        }
        let touch = self.guard.look(now, period, hold, others);
        if touch == Touch::Open && self.guard.isolated {
            self.on_touch(now);
        }
        if touch != Touch::Shut {
            self.end_hold(now, touch);
        }
        touch
    }

    /// Those who were asked in vain while the guard was shut are asked again if it opens, or else
    /// accused, since they were asked.
    fn end_hold(&mut self, now: Instant, touch: Touch) {
        let own = Accusers::from_iter([self.local.tiny]);
        for (ix, since) in self.guard.take_unheard() {
            let held = self.table.held(ix).claim();
            match (touch, held.state) {
                (_, State::Dead | State::Left) => {}
                (Touch::Open, _) if self.probes.is_full() => {
                    // When there is room again.
                    let _ = self.guard.on_unheard(ix, since);
                }
                (Touch::Open, _) => self.start_probe(now, ix, Purpose::Doubt),
                (_, State::Suspect) => self.add_accusers(ix, own),
                (_, State::Alive) => {
                    self.counters.suspicions_raised += 1;
                    self.suspect(now, since, ix, held.incarnation, own);
                }
            }
        }
    }

    /// Out of touch: is it only some that are silent, or all?
    pub(super) fn look_for_touch(&mut self, now: Instant) {
        if self.probes.any_for(Purpose::Touch) {
            return;
        }
        let mut asked = core::mem::take(&mut self.scratch);
        let (probes, guard, table) = (&self.probes, &self.guard, &self.table);
        // Those who have answered of late tell the most of this node itself.
        let hopeful =
            |ix: MemberIx| !guard.is_unheard(ix) && table.held(ix).claim().state == State::Alive;
        let eligible = |ix: MemberIx| !probes.contains(ix) && hopeful(ix);
        self.table.choose_present(TOUCH_PROBES, &mut self.rng, eligible, &mut asked);
        if asked.is_empty() {
            let eligible = |ix: MemberIx| !probes.contains(ix);
            self.table.choose_present(TOUCH_PROBES, &mut self.rng, eligible, &mut asked);
        }
        for ix in asked.drain(..) {
            self.start_probe(now, ix, Purpose::Touch);
        }
        self.scratch = asked;
    }

    pub(super) fn on_no_touch(&mut self, now: Instant) {
        let none_left = !self.probes.any_for(Purpose::Touch);
        let silent = !self.guard.is_heard(now, self.config.period());
        if none_left && silent && !self.guard.isolated {
            self.guard.isolated = true;
            self.emit_own(EventKind::Isolated);
        }
    }

    /// Suspects that have not refuted in time are dead (S4), unless this node is out of touch (S5).
    pub(super) fn on_suspicions_due(&mut self, now: Instant) {
        while let Some((ix, mut suspicion)) = self.suspicions.pop_due(now) {
            match self.look_at_guard(now) {
                Touch::Shut => {
                    self.counters.sentences_held += u64::from(!suspicion.is_held());
                    suspicion.hold();
                    self.suspicions.set(ix, now + self.config.period() / 4, suspicion);
                    self.look_for_touch(now);
                }
                Touch::Open if suspicion.is_held() => {
                    suspicion.reprieve(now);
                    self.watch(ix, suspicion);
                    self.start_probe(now, ix, Purpose::Doubt);
                }
                Touch::Overruled { shut_since } => {
                    self.on_overruled(now, ix, shut_since, suspicion);
                }
                Touch::Open => self.inquire_or_bury(now, ix, suspicion),
            }
        }
    }

    /// Sentence is passed though this node is out of touch. If it hears from nobody at all, nobody
    /// else's word counts, for that may have been said when others were out of touch, too.
    fn on_overruled(
        &mut self,
        now: Instant,
        ix: MemberIx,
        shut_since: Instant,
        mut suspicion: Suspicion,
    ) {
        if suspicion.started() < shut_since {
            suspicion.restart(shut_since);
        }
        if self.guard.is_silent(now, self.config.period()) {
            suspicion.forget_confirmations();
        }
        if suspicion.due(self.inquiry_time()) > now {
            self.watch(ix, suspicion);
        } else {
            self.inquire_or_bury(now, ix, suspicion);
        }
    }

    /// How long others are given to say better of a suspect than this node holds (S9).
    fn inquiry_time(&self) -> Duration {
        if self.config.inquiry() { self.config.base_timeout() } else { Duration::ZERO }
    }

    /// Keeps a suspicion until something is to be done about it.
    pub(super) fn watch(&mut self, ix: MemberIx, suspicion: Suspicion) {
        self.suspicions.set(ix, suspicion.due(self.inquiry_time()), suspicion);
    }

    /// Changes a suspicion, if one runs, and with it when something is to be done.
    pub(super) fn change_suspicion(&mut self, ix: MemberIx, change: impl FnOnce(&mut Suspicion)) {
        let inquiry = self.inquiry_time();
        self.suspicions.update(ix, |suspicion| {
            change(suspicion);
            suspicion.due(inquiry)
        });
    }

    fn inquire_or_bury(&mut self, now: Instant, ix: MemberIx, mut suspicion: Suspicion) {
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

    /// One who was held dead is back (S6).
    pub(super) fn on_return(&mut self, now: Instant, ix: MemberIx) {
        let before = self.returns.value(ix).copied().unwrap_or(0);
        self.returns.set(ix, now + RETURN_MEMORY, before.saturating_add(1));
    }
}
