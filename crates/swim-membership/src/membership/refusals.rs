//! The host of a probed member refuses the connection: nobody listens there, and the network of this
//! node works (P6).

use alloc::vec::Vec;

use swim_proto::{Seq, State};

use super::Membership;
use crate::probe::{Probe, Purpose};
use crate::table::MemberIx;
use crate::time::Instant;

impl Membership {
    /// The host of the target has refused the connection for the reliable ping of this probe. That
    /// is no ack: the probe goes on.
    pub fn handle_reliable_refusal(&mut self, now: Instant, seq: Seq) {
        let answer_time = self.answer_time();
        let Some(probe) = self.probes.find(seq) else { return };
        self.counters.connections_refused += 1;
        if !self.config.refusals() || now - probe.others_asked_at() > answer_time {
            return;
        }
        (probe.refused, probe.heard) = (true, true);
        self.isolation.on_answered(now);
        self.look_at_isolation(now);
    }

    /// A probe has failed whose target's host has refused. Where no relay has answered either, the
    /// relays are probed, at once. Their time counts from the ping of this probe, with which they were
    /// asked, but from no more than a period ago.
    pub(super) fn on_refused_probe_failed(&mut self, now: Instant, probe: &Probe) {
        if self.suspicions.value(probe.target).is_some() {
            self.refusing.insert(probe.target);
            self.limit_confirmations();
        }
        if probe.silent_relays.len() < probe.relays {
            return;
        }
        let beyond = (now - probe.sent_at).saturating_sub(self.config.period());
        for &relay in &probe.silent_relays {
            if self.table.held(relay).claim().state == State::Alive {
                self.start_probe(now, relay, Purpose::Doubt);
                self.probes.date_back(relay, probe.sent_at + beyond);
            }
        }
    }

    /// Lets no suspicion wait for more confirmations than others could give (S3).
    pub(super) fn limit_confirmations(&mut self) {
        let (present, refusing) = (self.table.present(), self.refusing.len());
        // With more others than this k is as configured.
        let many = 2 * self.config.confirmations() as usize;
        if refusing == 0 || present - refusing > many {
            return;
        }
        let suspects: Vec<MemberIx> = self.suspicions.members().collect();
        for ix in suspects {
            let others = self.refusing.confirmers(present, ix);
            self.change_suspicion(ix, |suspicion| {
                suspicion.limit_confirmations(others.div_ceil(2));
            });
        }
    }
}
