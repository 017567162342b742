//! Failure detection: whose turn it is, the phases of a probe, and what follows from its end (P1 to
//! P6, S1, S7, S8).

use core::net::SocketAddr;
use core::time::Duration;

use rand::RngExt;
use swim_proto::{Accusers, Datagram, Seq, State};

use super::Membership;
use crate::action::{Action, Ask, Tell};
use crate::config::HealthRule;
use crate::isolation::Standing;
use crate::order::Order;
use crate::planes::Plane;
use crate::probe::{Probe, Purpose, Step};
use crate::probe_times::ProbeTimes;
use crate::table::MemberIx;
use crate::time::{Clock, Instant, Now};

/// How many members look for themselves when a member is accused (S7).
const CORROBORATORS: u64 = 8;
/// A wake-up that is later than this, and than the base time-out, is a stall (S8).
const STALL_MIN: Duration = Duration::from_millis(250);
/// By how many periods a turn is put off at most because of the wall clock (P1).
const TURN_LATE_PERIODS: u32 = 3;
/// How long only what has waited is taken in by one who is woken later than this (S8).
const GRACE: Duration = Duration::from_millis(20);

impl Membership {
    /// What both clocks show, before an input that comes at this moment. Only the rotation is
    /// decided by the wall clock; a step of more than a period lets it begin anew (P1).
    pub fn handle_clock(&mut self, now: Now) {
        let clock = Clock::new(now);
        let step = clock.step_from(self.clock);
        self.clock = clock;
        if step > self.config.period()
            && let Order::Rotation(rotation) = &mut self.order
        {
            rotation.restart();
            if self.probe_at != Instant::NEVER {
                self.schedule_probe(now.monotonic);
            }
        }
    }

    /// This node was woken so much later than it had asked. Returns whether what has waited for it is
    /// to be handed in before the time that it asks for next: the ack of a member that would be
    /// accused now may be part of it (S8).
    #[must_use]
    pub fn handle_lateness(&mut self, now: Instant, late: Duration) -> bool {
        if late <= GRACE || self.local.state == State::Left {
            return false;
        }
        self.counters.stalls += u64::from(late > self.config.base_timeout().max(STALL_MIN));
        self.on_late(now, late);
        self.isolation.on_late(late);
        if !self.config.stall_guard() {
            return false;
        }
        self.begin_grace(now)
    }

    /// For a moment only what has waited is taken in. Not twice in a row, or nothing would ever be
    /// due on a machine that is always late. Returns whether it has begun.
    fn begin_grace(&mut self, now: Instant) -> bool {
        let again = self.is_in_grace();
        self.grace_until = if again { Instant::NEVER } else { now + GRACE };
        !again
    }

    /// Starts the turns when there is somebody to probe. A node alone is not woken.
    pub(super) fn arm_probe(&mut self, now: Instant) {
        if self.probe_at == Instant::NEVER && self.table.present() > 0 {
            self.schedule_probe(now);
            if let Order::RoundRobin(_) = self.order {
                // Somewhere in the period, so that nodes that start together do not probe together.
                let period = self.config.period().as_micros() as u64;
                self.probe_at = now + Duration::from_micros(self.rng.random_range(0..period));
            }
        }
    }

    /// When the next turn is. A node that trusts itself less leaves turns out (H1), except while
    /// nobody answers it (S5).
    fn schedule_probe(&mut self, now: Instant) {
        let period = self.config.period();
        let skip = if self.isolation.is_isolated() && !self.is_heard(now) {
            0
        } else {
            u64::from(self.health.score())
        };
        self.probe_at = match &mut self.order {
            Order::Rotation(rotation) => {
                let turn = rotation.next(now, self.clock, period, skip, self.local.id, &self.table);
                if self.turn_until == Instant::NEVER {
                    self.turn_until = now + period * (skip as u32 + TURN_LATE_PERIODS);
                }
                turn.map_or(Instant::NEVER, |turn| turn.at.min(self.turn_until))
            }
            Order::RoundRobin(_) => match self.config.health_rule() {
                HealthRule::Memberlist => now + period,
                HealthRule::Once | HealthRule::Paper => now + self.health.stretch(period),
            },
        };
    }

    pub(super) fn on_period_due(&mut self, now: Instant) {
        if now < self.probe_at {
            return;
        }
        // As memberlist does, it waits for nothing but the end of the last one.
        let waits = self.config.health_rule() == HealthRule::Memberlist && !self.probes.is_empty();
        if waits {
            self.probe_at = now + self.config.period();
            return;
        }
        let target = match &mut self.order {
            Order::Rotation(rotation) => {
                let period = self.config.period();
                let turn = rotation.again(self.clock, period, self.local.id, &self.table);
                let waits = turn.filter(|turn| turn.at > now && turn.at < now + period);
                if let Some(turn) = waits.filter(|_| now < self.turn_until) {
                    // Members have come or gone since, and another's turn is later in this epoch;
                    // or the wall clock was set back.
                    self.probe_at = turn.at.min(self.turn_until);
                    return;
                }
                turn.map(|turn| turn.target)
            }
            Order::RoundRobin(round) => round.advance(&mut self.rng),
        };
        let Some(target) = target else {
            self.probe_at = Instant::NEVER;
            return;
        };
        self.turn_until = Instant::NEVER;
        self.schedule_probe(now);
        let alive = self.table.held(target).claim().state == State::Alive;
        self.start_probe(now, target, Purpose::Turn { alive });
        if self.look_at_isolation(now) != Standing::Connected {
            self.look_around(now);
        }
        self.look_at_round_trips(now);
    }

    /// Whether round trips are so long that the user is to choose another preset (P4).
    fn look_at_round_trips(&mut self, now: Instant) {
        let slow = self.trips.typical_if_slow();
        if self.slow_network.look(now, slow.is_some(), self.config.period())
            && let Some(round_trip) = slow
        {
            self.actions.push_back(Action::SlowNetwork { round_trip });
        }
    }

    pub(super) fn start_probe(&mut self, now: Instant, target: MemberIx, purpose: Purpose) {
        if let Purpose::Turn { .. } = purpose {
            // To look around is no reason to leave out a turn.
            self.probes.end(target, Purpose::LookAround);
        }
        if self.probes.contains(target) {
            return;
        }
        if !self.is_reachable(target) {
            // Here this address belongs to another host (J4).
            self.counters.addresses_unusable += 1;
            return;
        }
        if self.probes.is_full() {
            self.counters.probes_full += 1;
            return;
        }
        self.counters.probes += 1;
        let seq = self.probes.next_seq();
        let times = match purpose {
            Purpose::LookAround => ProbeTimes::once(self.config.base_timeout()),
            Purpose::Turn { .. } | Purpose::Doubt | Purpose::Corroboration => {
                self.probe_times(target)
            }
        };
        let repeats = self.repeats(target, purpose);
        self.probes.push(Probe::new(seq, target, purpose, now, times, repeats));
        self.send_ping(target, seq);
    }

    /// Whether a ping is sent again and again: a member that nobody has accused yet is not to be
    /// accused for a few lost packets. At a suspect many look, so that once is enough; and an isolated
    /// node asks in vain.
    fn repeats(&self, target: MemberIx, purpose: Purpose) -> bool {
        let alive = self.table.held(target).claim().state == State::Alive;
        let thorough = matches!(purpose, Purpose::Turn { .. } | Purpose::Doubt);
        self.config.repeat_pings() && alive && thorough && !self.isolation.is_isolated()
    }

    /// When this member is pinged again, when others are asked, and when the probe ends (P4).
    fn probe_times(&self, target: MemberIx) -> ProbeTimes {
        let times =
            ProbeTimes::new(&self.config, self.trips.timeout(target), self.excess_of(target));
        match self.config.health_rule() {
            HealthRule::Memberlist => {
                ProbeTimes { whole: self.health.stretch(times.whole), ..times }
            }
            HealthRule::Once | HealthRule::Paper => ProbeTimes {
                again: self.health.stretch(times.again),
                direct: self.health.stretch(times.direct),
                whole: self.health.stretch(times.whole),
            },
        }
    }

    /// By how much a member is slower than the base time-out, and how far that counts (P4).
    fn excess_of(&self, target: MemberIx) -> Duration {
        self.trips.excess(target).min(self.excess_max())
    }

    /// By how much the median member is slower than the base time-out, and how far that counts (P4).
    pub(super) fn typical_excess(&self) -> Duration {
        self.trips.typical_excess().min(self.excess_max())
    }

    fn excess_max(&self) -> Duration {
        self.config.timeout_max().saturating_sub(self.config.base_timeout())
    }

    /// How old a question may be whose answer shows that this node hears from others (S5).
    pub(super) fn answer_time(&self) -> Duration {
        self.config.period() + self.typical_excess() * 2
    }

    pub(super) fn on_probes_due(&mut self, now: Instant) {
        while let Some(seq) = self.probes.due(now) {
            let Some(probe) = self.probes.find(seq) else { break };
            match probe.on_deadline() {
                // Whether others reach it says nothing of this node.
                Step::AskOthers if probe.purpose == Purpose::LookAround => {}
                Step::PingAgain => self.ping_again(now, seq),
                Step::AskOthers => self.ask_others(now, seq),
                Step::Fail => self.on_probe_failed(now, seq),
            }
        }
    }

    /// The ping is sent once more, because it or its ack may have been lost (P4). Once others have
    /// accused the member, a turn need not be thorough.
    fn ping_again(&mut self, now: Instant, seq: Seq) {
        let again = self.probes.next_seq();
        let Some(probe) = self.probes.find(seq) else { return };
        let target = probe.target;
        let suspect = self.table.held(target).claim().state == State::Suspect;
        if suspect && probe.repeats() {
            probe.end_repeats();
            return;
        }
        probe.on_repeated(now, again);
        self.send_ping(target, again);
    }

    /// The direct ping was not answered in time: relays try it, and the reliable plane (P4, P6).
    fn ask_others(&mut self, now: Instant, seq: Seq) {
        let Some(probe) = self.probes.find(seq) else { return };
        let (target, until, purpose) = (probe.target, probe.ends_at(), probe.purpose);
        self.counters.probes_indirect += 1;
        let mut relays = core::mem::take(&mut self.scratch);
        let (table, places, own) = (&self.table, &self.places, self.local.address());
        let eligible = |ix: MemberIx| {
            let entry = table.held(ix);
            let alive = ix != target && entry.claim().state == State::Alive;
            alive && places.leads(own, entry.record().address())
        };
        // Those that corroborate are as many ways to the member as relays would be.
        let asked = match purpose {
            Purpose::Corroboration => 0,
            _ => self.config.relays() as usize,
        };
        table.choose_present(asked, &mut self.rng, eligible, &mut relays);
        let (subject, from) = (self.table.subject(target), self.local.tiny);
        for &relay in &relays {
            let message = Datagram::PingReq { seq, from, target: subject };
            self.send(self.address(relay), message, Tell::News);
        }
        let held = self.held_of(target);
        let ask = Ask::Ping { seq, target: self.table.tiny(target), held, until };
        self.actions.push_back(Action::Exchange { to: self.address(target), ask });
        if let Some(probe) = self.probes.find(seq) {
            probe.on_asked(now, &relays);
        }
        relays.clear();
        self.scratch = relays;
        if self.config.repeat_pings()
            && let Some(probe) = self.probes.find(seq)
        {
            probe.repeat_at(now);
        }
    }

    /// A probe was answered, directly or through others.
    pub(super) fn on_probe_answered(
        &mut self,
        now: Instant,
        from: Option<SocketAddr>,
        seq: Seq,
        probe: &Probe,
    ) {
        self.health.improve();
        let direct = from == Some(self.address(probe.target));
        let plane = match from {
            None => Some(Plane::Reliable),
            Some(_) if direct => Some(Plane::Datagrams),
            Some(_) => None,
        };
        self.on_answered_by_plane(now, probe.target, plane);
        if direct && let Some(sent_at) = probe.sent(seq) {
            self.trips.sample(probe.target, sent_at, now);
        }
        self.isolation.on_member_answered(probe.target);
        let in_time = now - probe.asked_at(direct, seq) <= self.answer_time();
        if in_time {
            self.isolation.on_answered(now);
        }
        if probe.purpose == (Purpose::Turn { alive: true }) {
            self.isolation.on_turn(in_time || probe.heard);
        }
        self.look_at_isolation(now);
    }

    /// An ack that came after its probe had failed still tells how long its way was (P4).
    pub(super) fn on_late_ack(&mut self, now: Instant, from: SocketAddr, seq: Seq) {
        self.counters.acks_unexpected += 1;
        if let Some((target, sent_at)) = self.probes.take_over(seq)
            && self.address(target) == from
        {
            self.trips.sample(target, sent_at, now);
            self.isolation.on_heard(target);
            self.on_answered_by_plane(now, target, Some(Plane::Datagrams));
        }
    }

    fn on_probe_failed(&mut self, now: Instant, seq: Seq) {
        let Some(probe) = self.probes.take(seq) else { return };
        self.counters.probes_failed += 1;
        self.probes.on_over(&probe);
        self.isolation.on_unheard(probe.target);
        if probe.purpose == Purpose::LookAround {
            self.isolation.on_missed();
            self.on_nobody_around(now);
            return;
        }
        (0..self.cost_of_failure(&probe)).for_each(|_| self.health.worsen());
        if probe.purpose == (Purpose::Turn { alive: true }) {
            self.isolation.on_turn(probe.heard);
        }
        self.accuse(now, &probe);
        if probe.refused {
            self.on_refused_probe_failed(now, &probe);
        }
    }

    /// By how much a failed probe worsens this node's health (H1).
    fn cost_of_failure(&self, probe: &Probe) -> u32 {
        if probe.purpose == Purpose::Corroboration {
            return 0;
        }
        let silent = probe.silent_relays.len() as u32;
        match self.config.health_rule() {
            HealthRule::Once => {
                // Relays that live and yet said nothing speak for a fault on our side.
                let alive = |&ix: &MemberIx| self.table.held(ix).claim().state == State::Alive;
                let blamed = probe.relays == 0 || probe.silent_relays.iter().any(alive);
                u32::from(blamed && !probe.refused)
            }
            HealthRule::Paper => 1 + u32::from(silent > 0),
            HealthRule::Memberlist if probe.relays == 0 => 1,
            HealthRule::Memberlist => silent,
        }
    }

    /// This node's own probe has failed: it accuses, unless it is isolated (S1, S5).
    fn accuse(&mut self, now: Instant, probe: &Probe) {
        let ix = probe.target;
        let held = self.table.held(ix).claim();
        if held.state == State::Alive && probe.purpose == Purpose::Corroboration {
            // It has refuted meanwhile. Eight look for themselves at each new suspicion, so if those
            // who fail could begin another, suspicions would breed where packets are lost.
            return;
        }
        if held.state.is_present() && self.look_at_isolation(now) == Standing::Isolated {
            self.counters.sentences_held += 1;
            let since = self.asked_since(now, probe);
            if !self.isolation.on_unanswered(ix, since) {
                self.counters.unheard_full += 1;
            }
            return;
        }
        let since = self.asked_since(now, probe);
        self.accuse_since(now, ix, since);
    }

    /// Enters a suspicion by this node that runs since then, or confirms the one that is held (S1).
    pub(super) fn accuse_since(&mut self, now: Instant, ix: MemberIx, since: Instant) {
        let own = Accusers::from_iter([self.local.tiny]);
        let held = self.table.held(ix).claim();
        match held.state {
            State::Alive => {
                self.counters.suspicions_raised += 1;
                self.suspect(now, since, ix, held.incarnation, own);
            }
            State::Suspect => self.add_accusers(ix, own),
            State::Dead | State::Left => {}
        }
    }

    /// What is due in a program whose senders are stuck, each with its first message, while timers
    /// run: suspicions end, and so do probes that wait for nothing but answers. A probe that has
    /// somebody to ask waits, and no other begins meanwhile. What is sent here is what is stuck.
    /// For simulations: it is what Lifeguard's experiments did to memberlist.
    pub fn handle_timeout_stuck(&mut self, now: Instant) {
        if self.local.state == State::Left {
            return;
        }
        while let Some(seq) = self.probes.answers_due(now) {
            self.on_probe_failed(now, seq);
        }
        self.on_suspicions_due(now);
        if self.probes.is_empty() {
            self.on_period_due(now);
        }
    }

    /// When [`handle_timeout_stuck`](Self::handle_timeout_stuck) is wanted.
    pub fn deadline_stuck(&self) -> Instant {
        if self.local.state == State::Left {
            return Instant::NEVER;
        }
        let suspicion = self.suspicions.first().map_or(Instant::NEVER, |(at, _)| at);
        let probe_at = if self.probes.is_empty() { self.probe_at } else { Instant::NEVER };
        suspicion.min(probe_at).min(self.probes.answers_deadline())
    }

    /// From when on the target of a failed probe is given its time: from when it was asked, except for
    /// what a node that is not well has waited beyond the ordinary. Else the time of a member that
    /// nobody else can ask may be over before it hears of the suspicion.
    fn asked_since(&self, now: Instant, probe: &Probe) -> Instant {
        if !self.config.corroboration() {
            return now;
        }
        let ordinary = self.config.period() + self.excess_of(probe.target) * 2;
        probe.counts_from + (now - probe.sent_at).saturating_sub(ordinary)
    }

    /// A new suspicion was heard of: with some probability this node looks for itself, and confirms
    /// it, or carries it to the suspect, which refutes (S7).
    pub(super) fn corroborate(&mut self, now: Instant, ix: MemberIx) {
        if !self.config.corroboration() {
            return;
        }
        if self.is_corroborator(ix) {
            self.counters.corroborations += 1;
            self.start_probe(now, ix, Purpose::Corroboration);
        }
    }

    /// Whether this node is one of the eight that look at this suspect: they stand at equal distances
    /// in the order of the short ids, other ones for each incarnation (S7).
    fn is_corroborator(&self, ix: MemberIx) -> bool {
        let entry = self.table.held(ix);
        let others = self.table.present();
        // This node is not in its own table.
        let (own, suspect) = (self.table.rank(self.local.id), self.table.rank(entry.id));
        let suspect = suspect + usize::from(suspect >= own);
        let behind = (own + others - suspect) % (others + 1);
        let turn = entry.claim().incarnation.0 % others as u64;
        let place = (behind as u64 + turn) % others as u64;
        place * CORROBORATORS % (others as u64) < CORROBORATORS
    }
}
