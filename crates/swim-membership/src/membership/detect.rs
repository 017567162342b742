//! Failure detection: a probe a period, its phases, and what follows from its end (P1 to P6, S1).

use alloc::vec::Vec;

use rand::RngExt;
use swim_proto::{Accusers, Datagram, Seq, State};

use super::Membership;
use crate::action::{Action, Ask, Tell};
use crate::config::HealthRule;
use crate::probe::{Probe, Step};
use crate::table::MemberIx;
use crate::time::Instant;

impl Membership {
    /// Starts the rounds when there is somebody to probe. A node alone is not woken.
    pub(super) fn arm_probe(&mut self, now: Instant) {
        if self.probe_at == Instant::NEVER && self.table.present() > 0 {
            // Somewhere in the period, so that nodes that start together do not probe together.
            let period = self.config.period().as_micros() as u64;
            self.probe_at =
                now + core::time::Duration::from_micros(self.rng.random_range(0..period));
        }
    }

    pub(super) fn on_period_due(&mut self, now: Instant) {
        if now < self.probe_at {
            return;
        }
        let by_memberlist = self.config.health_rule() == HealthRule::Memberlist;
        let period = self.config.period();
        self.probe_at = now + if by_memberlist { period } else { self.health.stretch(period) };
        if by_memberlist && !self.probes.is_empty() {
            return;
        }
        match self.table.next_in_round(&mut self.rng) {
            Some(target) => self.start_probe(now, target),
            None => self.probe_at = Instant::NEVER,
        }
    }

    pub(super) fn start_probe(&mut self, now: Instant, target: MemberIx) {
        if self.probes.contains(target) {
            return;
        }
        if self.probes.is_full() {
            self.counters.probes_full += 1;
            return;
        }
        self.counters.probes += 1;
        let seq = self.probes.next_seq();
        let timeout = self.config.base_timeout();
        let timeout_at = now
            + match self.config.health_rule() {
                HealthRule::Memberlist => timeout,
                HealthRule::Once | HealthRule::Paper => self.health.stretch(timeout),
            };
        let ends_at = now + self.health.stretch(self.config.period());
        self.probes.push(Probe::new(seq, target, timeout_at, ends_at));
        self.send_ping(target, seq);
    }

    pub(super) fn on_probes_due(&mut self, now: Instant) {
        while let Some(seq) = self.probes.due(now) {
            let Some(probe) = self.probes.find(seq) else { break };
            match probe.on_deadline() {
                Step::AskOthers => self.ask_others(seq),
                Step::Fail => self.on_probe_failed(now, seq),
            }
        }
    }

    /// The direct ping was not answered in time: relays try it, and the reliable plane (P4, P6).
    fn ask_others(&mut self, seq: Seq) {
        let Some(probe) = self.probes.find(seq) else { return };
        let (target, until) = (probe.target, probe.deadline());
        self.counters.probes_indirect += 1;
        let mut relays = core::mem::take(&mut self.scratch);
        let table = &self.table;
        let eligible = |ix: MemberIx| ix != target && table.held(ix).claim().state == State::Alive;
        table.choose_present(self.config.relays() as usize, &mut self.rng, eligible, &mut relays);
        let (subject, from) = (self.table.subject(target), self.local.tiny);
        for &relay in &relays {
            let message = Datagram::PingReq { seq, from, target: subject };
            self.send(self.address(relay), message, Tell::News);
        }
        let held = self.held_of(target);
        let ask = Ask::Ping { seq, target: self.table.tiny(target), held, until };
        self.actions.push_back(Action::Exchange { to: self.address(target), ask });
        if let Some(probe) = self.probes.find(seq) {
            probe.relayed = !relays.is_empty();
            probe.silent_relays = Vec::from(relays.as_slice());
        }
        relays.clear();
        self.scratch = relays;
    }

    fn on_probe_failed(&mut self, now: Instant, seq: Seq) {
        let Some(probe) = self.probes.take(seq) else { return };
        self.counters.probes_failed += 1;
        (0..self.cost_of_failure(&probe)).for_each(|_| self.health.worsen());
        self.accuse(now, probe.target);
    }

    /// By how much a failed probe worsens our health (H1).
    fn cost_of_failure(&self, probe: &Probe) -> u32 {
        let silent = probe.silent_relays.len() as u32;
        match self.config.health_rule() {
            HealthRule::Once => {
                // Relays that live and yet said nothing speak for a fault on our side.
                let alive = |&ix: &MemberIx| self.table.held(ix).claim().state == State::Alive;
                u32::from(!probe.relayed || probe.silent_relays.iter().any(alive))
            }
            HealthRule::Paper => 1 + u32::from(silent > 0),
            HealthRule::Memberlist if !probe.relayed => 1,
            HealthRule::Memberlist => silent,
        }
    }

    /// This node's own probe has failed: it accuses (S1).
    fn accuse(&mut self, now: Instant, ix: MemberIx) {
        let held = self.table.held(ix).claim();
        let own = Accusers::from_iter([self.local.tiny]);
        match held.state {
            State::Alive => {
                self.counters.suspicions_raised += 1;
                self.suspect(now, ix, held.incarnation, own);
            }
            State::Suspect => self.confirm(ix, own),
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
        let suspicion = self.suspicions.first().map_or(Instant::NEVER, |(at, _)| at);
        let probe_at = if self.probes.is_empty() { self.probe_at } else { Instant::NEVER };
        suspicion.min(probe_at).min(self.probes.answers_deadline())
    }

    /// Suspects that have not refuted in time are dead (S4).
    pub(super) fn on_suspicions_due(&mut self, now: Instant) {
        while let Some((ix, suspicion)) = self.suspicions.pop_due(now) {
            self.counters.deaths_declared += 1;
            let incarnation = self.table.held(ix).claim().incarnation;
            self.declare_dead(now, ix, incarnation, suspicion.accusers(), true);
        }
    }
}
