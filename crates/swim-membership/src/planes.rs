//! By which plane members answer: some networks let datagrams through and no streams, or the other way
//! round (P6, E8).

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::table::MemberIx;
use crate::time::Instant;

/// After so many answers in a row by one plane alone it is taken for the only one.
const IN_A_ROW: u8 = 2;
/// After so many probes in a row that were answered over the reliable plane alone, whoever by, no
/// datagrams get through.
const ALL_IN_A_ROW: u8 = 3;
/// One answer says nothing of another that came so much later.
const LINKED: Duration = Duration::from_secs(600);
/// How many members are watched that answer by one plane only.
const WATCHED_MAX: usize = 256;

/// A way to reach a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// Datagrams: UDP.
    Datagrams,
    /// The reliable plane: TCP.
    Reliable,
}

/// A member that answers by this plane, and not by the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Watched {
    plane: Plane,
    since: Instant,
    /// When it last answered so.
    last: Instant,
    in_a_row: u8,
}

/// What came of a look at a member's planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The user need not know.
    Nothing,
    /// The user is to know that it answers by one plane only since then.
    Tell(Plane, Instant),
    /// There is no room to watch it.
    Full,
}

/// The members that answer by one plane only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Planes {
    watched: BTreeMap<MemberIx, Watched>,
    /// Members with whom an exchange has failed, and since when: a datagram that they answer now shows
    /// that they are there.
    failed: BTreeMap<MemberIx, Instant>,
    /// How many probes in a row were answered over the reliable plane alone, whoever by.
    in_a_row: u8,
    /// Whether one of them was told of: if no member answers datagrams, one stands for all.
    told: bool,
    /// Before that, tables are not compared again for the want of datagrams.
    compare_at: Option<Instant>,
}

impl Planes {
    /// A member has answered a datagram of ours.
    pub(crate) fn on_datagram(&mut self, now: Instant, ix: MemberIx) -> Look {
        (self.in_a_row, self.told) = (0, false);
        self.on_works(ix, Plane::Datagrams);
        match self.failed.remove(&ix) {
            Some(since) => self.on_one(now, since, ix, Plane::Datagrams),
            None => Look::Nothing,
        }
    }

    /// A member has compared tables with us.
    pub(crate) fn on_exchange(&mut self, ix: MemberIx) {
        self.failed.remove(&ix);
        self.on_works(ix, Plane::Reliable);
    }

    /// An exchange with this member has failed.
    pub(crate) fn on_exchange_failed(&mut self, now: Instant, ix: MemberIx) {
        if self.failed.len() < WATCHED_MAX {
            self.failed.entry(ix).or_insert(now);
        }
    }

    /// A member has answered a ping over the reliable plane, and no datagram before that.
    pub(crate) fn on_reliable_ack(&mut self, now: Instant, ix: MemberIx) -> Look {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.on_one(now, now, ix, Plane::Reliable)
    }

    fn on_works(&mut self, ix: MemberIx, plane: Plane) {
        if self.watched.get(&ix).is_some_and(|watched| watched.plane != plane) {
            self.watched.remove(&ix);
        }
    }

    fn on_one(&mut self, now: Instant, since: Instant, ix: MemberIx, plane: Plane) -> Look {
        if self.watched.len() == WATCHED_MAX && !self.watched.contains_key(&ix) {
            self.watched.retain(|_, watched| now - watched.last < LINKED);
            if self.watched.len() == WATCHED_MAX {
                return Look::Full;
            }
        }
        let all = plane == Plane::Reliable && self.in_a_row >= ALL_IN_A_ROW;
        let fresh = Watched { plane, since: since.min(now), last: now, in_a_row: 0 };
        let watched = self.watched.entry(ix).or_insert(fresh);
        if watched.plane != plane || now - watched.last >= LINKED {
            // What worked then does not now, or it is too long ago: neither is the only one.
            *watched = fresh;
        }
        watched.last = now;
        let before = watched.in_a_row;
        watched.in_a_row = if all { IN_A_ROW } else { (before + 1).min(IN_A_ROW) };
        let new = before < IN_A_ROW && watched.in_a_row == IN_A_ROW;
        let tell = new && !(all && self.told);
        self.told |= all && tell;
        if tell { Look::Tell(plane, watched.since) } else { Look::Nothing }
    }

    /// Whether this member is known to answer by this plane only.
    pub(crate) fn is_only(&self, ix: MemberIx, plane: Plane) -> bool {
        let watched = self.watched.get(&ix);
        watched.is_some_and(|watched| watched.plane == plane && watched.in_a_row == IN_A_ROW)
    }

    /// Whether to compare tables with one that gets no news by datagrams, once in `every`.
    #[must_use]
    pub(crate) fn begin_comparison(&mut self, now: Instant, every: Duration) -> bool {
        let due = self.compare_at.is_none_or(|at| now >= at);
        if due {
            self.compare_at = Some(now + every);
        }
        due
    }

    /// A member is not present any more.
    pub(crate) fn forget(&mut self, ix: MemberIx) {
        self.watched.remove(&ix);
        self.failed.remove(&ix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    fn member(n: u32) -> MemberIx {
        MemberIx::new(n)
    }

    #[test]
    fn e8_two_answers_in_a_row_by_one_plane_are_told_once_until_the_other_works_again() {
        let (mut planes, ix) = (Planes::default(), member(7));
        assert_eq!(planes.on_reliable_ack(at(1), ix), Look::Nothing);
        assert!(!planes.is_only(ix, Plane::Reliable), "one may be chance");
        assert_eq!(planes.on_reliable_ack(at(2), ix), Look::Tell(Plane::Reliable, at(1)));
        assert_eq!(planes.on_reliable_ack(at(3), ix), Look::Nothing);
        planes.on_exchange(ix);
        assert!(planes.is_only(ix, Plane::Reliable), "that it works is no news");
        assert_eq!(planes.on_datagram(at(4), ix), Look::Nothing);
        assert!(!planes.is_only(ix, Plane::Reliable));
        assert_eq!(planes.on_reliable_ack(at(5), ix), Look::Nothing);
        assert_eq!(planes.on_reliable_ack(at(6), ix), Look::Tell(Plane::Reliable, at(5)));
    }

    #[test]
    fn e8_exchanges_that_fail_with_one_who_answers_datagrams_are_told() {
        let (mut planes, ix) = (Planes::default(), member(7));
        planes.on_exchange_failed(at(1), ix);
        assert_eq!(planes.on_datagram(at(2), ix), Look::Nothing);
        assert_eq!(planes.on_datagram(at(3), ix), Look::Nothing, "no exchange has failed since");
        planes.on_exchange_failed(at(30), ix);
        assert_eq!(planes.on_datagram(at(31), ix), Look::Tell(Plane::Datagrams, at(1)));
        planes.on_exchange(ix);
        assert!(!planes.is_only(ix, Plane::Datagrams));
    }

    #[test]
    fn e8_where_no_member_answers_datagrams_one_stands_for_all() {
        let mut planes = Planes::default();
        let told: u32 = (0..20).fold(0, |told, n| {
            let look = planes.on_reliable_ack(at(n.into()), member(n));
            told + u32::from(matches!(look, Look::Tell(..)))
        });
        assert_eq!(told, 1);
        assert!(planes.is_only(member(19), Plane::Reliable));
    }

    #[test]
    fn e8_so_many_are_watched_and_no_more() {
        let mut planes = Planes::default();
        for n in 0..WATCHED_MAX as u32 {
            planes.on_exchange_failed(at(1), member(n));
            planes.on_datagram(at(1), member(n));
        }
        let more = member(WATCHED_MAX as u32);
        assert_eq!(planes.on_reliable_ack(at(1), more), Look::Full);
        planes.forget(member(0));
        assert_eq!(planes.on_reliable_ack(at(1), more), Look::Nothing);
    }
}
