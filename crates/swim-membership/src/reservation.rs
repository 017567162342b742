//! Incarnations that are reserved ahead of use, so that a restart begins above all of them (R5).

use swim_proto::Incarnation;

/// How many incarnations are reserved at once.
const BLOCK: u64 = 64;
/// Further ones are reserved when so many are left.
const LEFT_MIN: u64 = BLOCK / 2;

/// Which incarnations this process may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reservation {
    /// The first one that is not reserved: a restart begins with it. `None`: nothing is kept over
    /// a restart, and all may be used.
    end: Option<Incarnation>,
    /// Whether the last write has failed: then no number is worth waiting for.
    given_up: bool,
}

impl Reservation {
    /// For a node that keeps nothing.
    pub(crate) const NOT_KEPT: Self = Self { end: None, given_up: false };

    /// Nothing is reserved yet by a life that begins with `first`.
    pub(crate) fn beginning_with(first: Incarnation) -> Self {
        Self { end: Some(first), given_up: false }
    }

    /// Whether a number can be used without waiting.
    pub(crate) fn covers(self, number: Incarnation) -> bool {
        self.given_up || self.end.is_none_or(|end| number < end)
    }

    /// Where the reservation should end for one who uses this number; `None`: it is far enough.
    pub(crate) fn end_for(self, number: Incarnation) -> Option<Incarnation> {
        let end = self.end?;
        let short = number.0.saturating_add(LEFT_MIN) >= end.0 && end.0 < u64::MAX;
        short.then(|| Incarnation(number.0.saturating_add(BLOCK).max(end.0)))
    }

    /// What a restart begins with.
    pub(crate) fn end(self) -> Option<Incarnation> {
        self.end
    }

    /// The numbers below `end` are kept now.
    pub(crate) fn extend(&mut self, end: Incarnation) {
        self.given_up = false;
        self.end = self.end.map(|before| before.max(end));
    }

    /// They could not be kept: the node goes on without.
    pub(crate) fn give_up(&mut self) {
        self.given_up = self.end.is_some();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r5_numbers_are_reserved_in_blocks_and_ahead_of_use() {
        let mut reservation = Reservation::beginning_with(Incarnation(1));
        assert!(!reservation.covers(Incarnation(1)));
        assert_eq!(reservation.end_for(Incarnation(1)), Some(Incarnation(65)));
        reservation.extend(Incarnation(65));
        assert!(reservation.covers(Incarnation(64)) && !reservation.covers(Incarnation(65)));
        assert_eq!(reservation.end_for(Incarnation(32)), None);
        assert_eq!(reservation.end_for(Incarnation(33)), Some(Incarnation(97)));
        assert_eq!(reservation.end_for(Incarnation(70_000)), Some(Incarnation(70_064)));
    }

    #[test]
    fn r5_who_keeps_nothing_may_use_every_number_and_so_may_who_cannot_write() {
        assert!(Reservation::NOT_KEPT.covers(Incarnation(u64::MAX)));
        assert_eq!(Reservation::NOT_KEPT.end_for(Incarnation(u64::MAX)), None);
        let mut reservation = Reservation::beginning_with(Incarnation(1));
        reservation.give_up();
        assert!(reservation.covers(Incarnation(7)));
        reservation.extend(Incarnation(5));
        assert!(!reservation.covers(Incarnation(7)), "it can be written again");
    }

    #[test]
    fn r5_at_the_end_of_the_numbers_there_is_nothing_more_to_reserve() {
        let mut reservation = Reservation::beginning_with(Incarnation(u64::MAX - 70));
        let end = reservation.end_for(Incarnation(u64::MAX - 1)).unwrap();
        assert_eq!(end, Incarnation(u64::MAX));
        reservation.extend(end);
        assert_eq!(reservation.end_for(Incarnation(u64::MAX)), None);
    }
}
