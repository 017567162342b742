//! How long this node may be silent, and how long others may (S6).

use core::time::Duration;

use swim_proto::{Record, State};

use super::Membership;
use crate::config::Config;
use crate::patience::Patience;
use crate::suspicion::SuspicionTimes;
use crate::table::MemberIx;
use crate::time::Instant;

impl Membership {
    /// This node was woken so much later than it had asked.
    pub(super) fn on_late(&mut self, now: Instant, late: Duration) {
        if !self.config.patience() {
            return;
        }
        self.patience.on_late(now, late, self.patience_max());
        self.announce_patience();
    }

    /// This node finds itself suspected or dead, and has refuted if it may.
    pub(super) fn on_suspected(&mut self, now: Instant) {
        if !self.config.patience() || self.local.state == State::Left {
            return;
        }
        self.patience.on_suspected(now, self.patience_max());
        self.announce_patience();
    }

    /// Pauses that are over an hour old are forgotten.
    pub(super) fn on_patience_due(&mut self, now: Instant) {
        if now >= self.patience.deadline() {
            self.patience.on_deadline(now);
            self.announce_patience();
        }
    }

    /// Puts into the record for how long this node may be silent, if that has changed (R3).
    fn announce_patience(&mut self) {
        if let Some(patience) = self.patience.change() {
            self.counters.patience_changes += 1;
            self.keeping.on_changed();
            self.set_record(with_patience(self.local.record.clone(), patience));
        }
    }

    /// What no member is given more than in a cluster of this size.
    fn patience_max(&self) -> Duration {
        SuspicionTimes::new(&self.config, self.present()).patience_max(&self.config)
    }

    /// For how long a member may be silent, as it says.
    pub(super) fn patience_of(&self, ix: MemberIx) -> Duration {
        match self.config.patience() {
            true => self.table.held(ix).record().patience(),
            false => Duration::ZERO,
        }
    }
}

/// What a life begins with after one that has paused for so long: it says so from its first word on.
pub(super) fn first_patience(
    now: Instant,
    config: &Config,
    pause: Duration,
    record: Record,
) -> (Patience, Record) {
    if !config.patience() {
        return (Patience::new(now, config, Duration::ZERO), record);
    }
    let patience = Patience::new(now, config, pause);
    let record = with_patience(record, patience.announced());
    (patience, record)
}

/// The record with this patience. One without room for it, or with later fields that cannot be read,
/// stays as it is.
fn with_patience(record: Record, patience: Duration) -> Record {
    record.with_patience(patience).unwrap_or(record)
}
