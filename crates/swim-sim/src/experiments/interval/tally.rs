//! What one run has come to.

use serde::Serialize;
use swim_sim::{HostIx, Seen};

use super::super::lab::Lab;

/// False positives: changes to dead of a member that was never blocked, one for each observer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    pub(super) fp: u64,
    /// At observers that were never blocked either.
    pub(super) fp_healthy: u64,
    /// By a suspicion of the observer's own that ran out, not by hearsay.
    pub(super) raised_fp: u64,
    pub(super) raised_fp_healthy: u64,
    pub(super) datagrams: u64,
    pub(super) bytes: u64,
}

impl Tally {
    /// What a run with these blocked has come to.
    pub(super) fn of(lab: &mut Lab<'_>, blocked: &[HostIx]) -> Self {
        let traffic = lab.cluster.traffic();
        let (datagrams, bytes) = (traffic.datagrams, traffic.datagram_bytes);
        let mut tally = Self { datagrams, bytes, ..Self::default() };
        let ids: Vec<_> = blocked.iter().map(|&ix| lab.cluster.id(ix)).collect();
        for seen in lab.cluster.take_observations() {
            let Seen::Down { own } = seen.change else { continue };
            if ids.contains(&seen.subject) {
                continue;
            }
            let healthy = u64::from(!blocked.contains(&seen.observer));
            let raised = u64::from(own);
            tally.fp += 1;
            tally.fp_healthy += healthy;
            tally.raised_fp += raised;
            tally.raised_fp_healthy += raised * healthy;
        }
        tally
    }

    pub(super) fn add(self, other: Self) -> Self {
        Self {
            fp: self.fp + other.fp,
            fp_healthy: self.fp_healthy + other.fp_healthy,
            raised_fp: self.raised_fp + other.raised_fp,
            raised_fp_healthy: self.raised_fp_healthy + other.raised_fp_healthy,
            datagrams: self.datagrams + other.datagrams,
            bytes: self.bytes + other.bytes,
        }
    }
}
