//! What is kept over a restart, and when it is written (R5, R6, S6).

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use swim_proto::Incarnation;

use crate::time::Instant;

/// The addresses that are kept at most.
pub(crate) const ADDRESSES_MAX: usize = 1_024;
/// How soon after the start the addresses are written for the first time: who joins meets many.
const FIRST_AFTER: Duration = Duration::from_secs(1);
/// How often they are written at most.
const INTERVAL: Duration = Duration::from_secs(10);

/// What a node keeps over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedState {
    /// The incarnation that the next life begins with: above all that this one may have used.
    pub incarnation: Incarnation,
    /// Where members were last: addresses to contact, which claim nothing.
    pub addresses: Vec<SocketAddr>,
    /// The longest pause of the last hour (S6). Zero: none that had to be announced.
    pub pause: Duration,
}

impl Default for SavedState {
    /// What a first life begins with.
    fn default() -> Self {
        Self { incarnation: Incarnation::FIRST, addresses: Vec::new(), pause: Duration::ZERO }
    }
}

/// When to write, and what of it is written.
#[derive(Clone, Debug)]
pub(crate) struct Keeping {
    on: bool,
    /// What was asked to be written and is not answered yet.
    writing: Option<SavedState>,
    /// The addresses and the pause that were written last.
    kept: (Vec<SocketAddr>, Duration),
    /// Whether members or the pause have changed since.
    changed: bool,
    /// Not before, unless a number is needed.
    write_at: Instant,
    failing: bool,
}

/// How a write has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Well: incarnations below this one are this node's.
    Kept(Incarnation),
    /// It failed; the one before had not.
    Failed,
    /// It failed again.
    FailedAgain,
    /// Nothing was being written.
    Unasked,
}

impl Keeping {
    pub(crate) fn new(now: Instant, saved: Option<&SavedState>) -> Self {
        Self {
            on: saved.is_some(),
            writing: None,
            kept: saved.map(|saved| (saved.addresses.clone(), saved.pause)).unwrap_or_default(),
            changed: false,
            write_at: now + FIRST_AFTER,
            failing: false,
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on
    }

    /// A member has come, gone or moved; or this node has paused for longer, or not for long.
    pub(crate) fn on_changed(&mut self) {
        self.changed = self.on;
    }

    /// Whether a number may be asked for now: one write at a time, and after a failed one not
    /// before the next is due.
    pub(crate) fn is_free(&self) -> bool {
        self.on && self.writing.is_none() && !self.failing
    }

    /// Whether the last write has failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing
    }

    pub(crate) fn deadline(&self) -> Instant {
        if self.writing.is_none() && (self.changed || self.failing) {
            self.write_at
        } else {
            Instant::NEVER
        }
    }

    /// The time to write has come: returns whether there is reason to, given what there would be.
    pub(crate) fn on_deadline(&mut self, now: Instant, state: &SavedState) -> bool {
        self.changed = false;
        self.write_at = now + INTERVAL;
        self.failing || state.addresses != self.kept.0 || state.pause != self.kept.1
    }

    pub(crate) fn start_write(&mut self, state: SavedState) {
        self.writing = Some(state);
    }

    pub(crate) fn on_written(&mut self, now: Instant, succeeded: bool) -> Written {
        let Some(state) = self.writing.take() else { return Written::Unasked };
        let failed_before = core::mem::replace(&mut self.failing, !succeeded);
        if succeeded {
            self.kept = (state.addresses, state.pause);
            return Written::Kept(state.incarnation);
        }
        self.write_at = now + INTERVAL;
        if failed_before { Written::FailedAgain } else { Written::Failed }
    }
}
