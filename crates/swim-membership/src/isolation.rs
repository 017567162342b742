//! Whether this node hears from others (S5).
//!
//! A node is connected while the questions that it asks are answered: an answer is younger than
//! three periods, or no question was asked in vain since; and of its last four turns at least three
//! were answered, unless fewer than four members are left to have turns at. Anything that an answer to a question of ours proves counts, by any way: an ack,
//! a relay's nack, a connection that is refused. While a node is isolated it accuses nobody and
//! declares nobody dead, because the fault may be its own.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use crate::table::MemberIx;
use crate::time::Instant;

/// For how many periods an answer, or anything else that members send, is proof of a connection.
const HEARD_PERIODS: u32 = 3;
/// Of the last four turns so many must have been answered.
const LAST_TURNS: u8 = 0b1111;
const ANSWERED_MIN: u32 = 3;
/// Turns say something of this node where they go to as many members at least. Among fewer they go to
/// the same ones again, and a slow member would take from all others the right to judge.
const ALIVE_MIN: usize = 4;
/// How many members are remembered that did not answer; a further one has to wait for its turn.
const UNANSWERED_MAX: usize = 256;

/// Whether this node may accuse and declare dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It hears from others.
    Connected,
    /// It does not.
    Isolated,
    /// It does not for so long, since then, that it judges all the same.
    Overdue { since: Instant },
}

/// What this node has asked, and whether anybody has answered.
#[derive(Clone, Debug)]
pub(crate) struct Isolation {
    answered_at: Instant,
    /// Whether a question was asked in vain since.
    missed: bool,
    /// When a datagram came last.
    spoken_at: Instant,
    /// Whether the last turns were answered, the newest in the lowest bit.
    turns: u8,
    since: Option<Instant>,
    /// Members that did not answer while this node was isolated, and since when they did not.
    unanswered: Vec<(MemberIx, Instant)>,
    /// The present members that were heard since the user knows that this node is isolated, and that
    /// were not asked in vain after that; `None`: the user does not know, or it is not.
    heard: Option<BTreeSet<MemberIx>>,
}

impl Isolation {
    /// Connected, as if somebody had answered just now.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            answered_at: now,
            missed: false,
            spoken_at: now,
            turns: u8::MAX,
            since: None,
            unanswered: Vec::new(),
            heard: None,
        }
    }

    /// A question was answered in time.
    pub(crate) fn on_answered(&mut self, now: Instant) {
        self.answered_at = now;
        self.missed = false;
    }

    /// This node was woken so much later than it had asked. While it stood still it could not hear an
    /// answer: that was no silence of the others.
    pub(crate) fn on_late(&mut self, late: Duration) {
        self.answered_at = self.answered_at + late;
    }

    /// A question was asked in vain.
    pub(crate) fn on_missed(&mut self) {
        self.missed = true;
    }

    /// A turn is over.
    pub(crate) fn on_turn(&mut self, answered: bool) {
        self.turns = self.turns << 1 | u8::from(answered);
        self.missed |= !answered;
    }

    /// A datagram has come, with so many others present. At the end of a silence the hold begins
    /// anew, because what has waited somewhere may come all at once, and the refutations are not the
    /// first of it. A few others may well be silent for a while without a fault. Returns whether a
    /// silence has ended.
    pub(crate) fn on_spoken(&mut self, now: Instant, others: usize, period: Duration) -> bool {
        let ended = self.is_silent(now, period);
        if ended
            && others >= ALIVE_MIN
            && let Some(since) = &mut self.since
        {
            *since = now;
            self.unanswered.clear();
        }
        self.spoken_at = now;
        ended
    }

    /// Whether no datagram has come for three periods.
    pub(crate) fn is_silent(&self, now: Instant, period: Duration) -> bool {
        now - self.spoken_at >= period * HEARD_PERIODS
    }

    /// Whether an answer came within the last three periods, or no question was asked in vain since:
    /// a node that trusts itself little asks seldom.
    pub(crate) fn is_heard(&self, now: Instant, period: Duration) -> bool {
        now - self.answered_at < period * HEARD_PERIODS || !self.missed
    }

    /// Whether it was isolated when that was last looked at.
    pub(crate) fn is_isolated(&self) -> bool {
        self.since.is_some()
    }

    /// Remembers a member that does not answer and may not be accused yet. Returns whether there is
    /// room for it.
    #[must_use]
    pub(crate) fn on_unanswered(&mut self, ix: MemberIx, since: Instant) -> bool {
        if self.is_unanswered(ix) {
            return true;
        }
        let room = self.unanswered.len() < UNANSWERED_MAX;
        if room {
            self.unanswered.push((ix, since));
        }
        room
    }

    /// Whether this member did not answer while this node was isolated.
    pub(crate) fn is_unanswered(&self, ix: MemberIx) -> bool {
        self.unanswered.iter().any(|&(other, _)| other == ix)
    }

    /// A member has answered a probe.
    pub(crate) fn on_member_answered(&mut self, ix: MemberIx) {
        self.unanswered.retain(|&(other, _)| other != ix);
        self.on_heard(ix);
    }

    /// A present member has said something.
    pub(crate) fn on_heard(&mut self, ix: MemberIx) {
        if let Some(heard) = &mut self.heard {
            heard.insert(ix);
        }
    }

    /// A member was asked in vain.
    pub(crate) fn on_unheard(&mut self, ix: MemberIx) {
        if let Some(heard) = &mut self.heard {
            heard.remove(&ix);
        }
    }

    /// A member is not present any more.
    pub(crate) fn forget(&mut self, ix: MemberIx) {
        self.unanswered.retain(|&(other, _)| other != ix);
        self.on_unheard(ix);
    }

    /// Takes out the members that did not answer.
    pub(crate) fn take_unanswered(&mut self) -> Vec<(MemberIx, Instant)> {
        core::mem::take(&mut self.unanswered)
    }

    /// This node is not isolated, or cannot be: members that did not answer are asked again by turns.
    pub(crate) fn end(&mut self) {
        self.since = None;
        self.unanswered.clear();
    }

    /// How this node stands now, with so many others held alive.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        alive: usize,
        period: Duration,
        hold: Duration,
    ) -> Standing {
        let turns_answered = (self.turns & LAST_TURNS).count_ones();
        let most_answered = turns_answered >= ANSWERED_MIN || alive < ALIVE_MIN;
        if self.is_heard(now, period) && most_answered {
            self.end();
            return Standing::Connected;
        }
        let since = *self.since.get_or_insert(now);
        if now - since < hold { Standing::Isolated } else { Standing::Overdue { since } }
    }

    /// The user is to know that this node is isolated. Returns whether that is new.
    #[must_use]
    pub(crate) fn report(&mut self) -> bool {
        let new = self.heard.is_none();
        self.heard.get_or_insert_default();
        new
    }

    /// Whether the user knows that this node is isolated.
    pub(crate) fn is_reported(&self) -> bool {
        self.heard.is_some()
    }

    /// The members that were heard since; `None`: the user does not know, or it is not isolated.
    pub(crate) fn heard(&self) -> Option<&BTreeSet<MemberIx>> {
        self.heard.as_ref()
    }

    /// The user knows that this node is connected again, or that it has left.
    pub(crate) fn end_report(&mut self) {
        self.heard = None;
    }
}
