//! Members whose records have moved, each with the address that it has left: where a record returns
//! to one, two processes use that id (R4).

use alloc::vec::Vec;
use core::net::SocketAddr;

use swim_proto::Record;

use crate::conflict_times::ConflictTimes;
use crate::table::MemberIx;
use crate::time::Instant;

/// So many addresses are remembered, of all members together.
const MOVES_MAX: usize = 64;
/// So many members are remembered of whom it was said.
const TOLD_MAX: usize = 64;

/// What a move says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A member has moved.
    Moved,
    /// Two processes use its id, which is to be told.
    Conflict,
}

/// An address that a member has left.
#[derive(Clone, Copy, Debug)]
struct Left {
    member: MemberIx,
    address: SocketAddr,
    /// When the process started that was there.
    start: Option<u32>,
    at: Instant,
}

/// Addresses that present members have left, the longest ago first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moves {
    left: Vec<Left>,
    /// Whose conflict was told, and until when it is not told again.
    told: Vec<(MemberIx, Instant)>,
}

impl Moves {
    /// The record of a present member was replaced by one at another address, in a higher incarnation.
    /// `full` is called if an address had to be forgotten for it before its time.
    pub(crate) fn on_move(
        &mut self,
        now: Instant,
        times: ConflictTimes,
        member: MemberIx,
        (from, to): (&Record, &Record),
        full: impl FnOnce(),
    ) -> Verdict {
        self.left.retain(|left| now - left.at <= times.move_window());
        self.told.retain(|told| now < told.1);
        // A process that was restarted at its former address says another start.
        let returns = self.left.iter().any(|left| {
            (left.member, left.address, left.start) == (member, to.address(), to.start())
        });
        let other = from.address();
        self.left.retain(|left| {
            left.member != member || left.address != to.address() && left.address != other
        });
        if self.left.len() == MOVES_MAX {
            self.left.remove(0);
            full();
        }
        self.left.push(Left { member, address: other, start: from.start(), at: now });
        match returns && self.tell(member, now + times.lasts()) {
            true => Verdict::Conflict,
            false => Verdict::Moved,
        }
    }

    /// Returns whether it is to be told now.
    fn tell(&mut self, member: MemberIx, until: Instant) -> bool {
        let told = self.told.iter().position(|told| told.0 == member);
        if let Some(at) = told {
            self.told.remove(at);
        } else if self.told.len() == TOLD_MAX {
            self.told.remove(0);
        }
        self.told.push((member, until));
        told.is_none()
    }

    /// A member that is absent or forgotten: when it is back it may be anywhere.
    pub(crate) fn forget(&mut self, member: MemberIx) {
        self.left.retain(|left| left.member != member);
        self.told.retain(|told| told.0 != member);
    }
}
