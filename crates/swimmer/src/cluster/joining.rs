//! How long to wait for a join, and who waits.

use std::time::Duration;

use tokio::time::Instant as Clock;

use super::CommandError;
use super::withheld::{Done, Withheld};

/// What to do while no seed has answered. Whatever it is, seeds are tried again and again, their
/// names resolved anew; a node without seeds has joined at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinPolicy {
    /// Go on alone, and keep trying: the call returns at once. The default.
    #[default]
    GoOn,
    /// Wait: the call returns when a seed has answered.
    Wait,
    /// Fail: the call returns when a seed has answered, and with an error if none has within this
    /// time. The goal is then given up.
    Fail(Duration),
}

/// Who waits for a join.
pub(super) struct Waiter {
    pub(super) done: Done<()>,
    pub(super) until: Option<Clock>,
}

/// All who wait for the join that goes on.
#[derive(Default)]
pub(super) struct Waiters(Vec<Waiter>);

impl Waiters {
    /// Adds one who waits as the policy says; one who does not is answered at once.
    pub(super) fn add(&mut self, policy: JoinPolicy, done: Done<()>, answers: &mut Withheld) {
        let until = match policy {
            JoinPolicy::GoOn => return answers.command(done, Ok(())),
            JoinPolicy::Wait => None,
            JoinPolicy::Fail(limit) => Clock::now().checked_add(limit),
        };
        self.0.push(Waiter { done, until });
    }

    pub(super) fn deadline(&self) -> Option<Clock> {
        self.0.iter().filter_map(|waiter| waiter.until).min()
    }

    /// The join has ended so.
    pub(super) fn end(&mut self, result: &Result<(), CommandError>, answers: &mut Withheld) {
        for waiter in self.0.drain(..) {
            answers.command(waiter.done, result.clone());
        }
    }

    /// Answers those whose time is up. Returns whether there were any, and nobody waits on.
    pub(super) fn expire(&mut self, now: Clock, answers: &mut Withheld) -> bool {
        let before = self.0.len();
        let (late, waiting) = std::mem::take(&mut self.0)
            .into_iter()
            .partition(|waiter| waiter.until.is_some_and(|until| until <= now));
        self.0 = waiting;
        Self(late).end(&Err(CommandError::NotJoined), answers);
        self.0.is_empty() && before > 0
    }
}
