//! The claim about a member, the first of its two registers.

use core::fmt;

/// How often a member has renewed its word. Raised only by its owner (M2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Incarnation(pub u64);

impl Incarnation {
    /// The number of a first life.
    pub const FIRST: Self = Self(1);

    /// The number above this one. It saturates, and never wraps.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is held of a member, in rising rank (M1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[repr(u8)]
pub enum State {
    /// It answers, or says so itself.
    Alive = 0,
    /// Somebody's probe failed; it has time to refute.
    Suspect = 1,
    /// It did not refute in time.
    Dead = 2,
    /// It said goodbye.
    Left = 3,
}

impl State {
    /// Whether a member in this state counts as part of the cluster: alive or suspect.
    pub const fn is_present(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect)
    }

    /// The state of the low two bits of `bits`.
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::Alive,
            1 => Self::Suspect,
            2 => Self::Dead,
            _ => Self::Left,
        }
    }

    /// The word for this state, as shown to people: `alive`, `suspect`, `dead` or `left`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Dead => "dead",
            Self::Left => "left",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A claim about a member: merged by its maximum of incarnation, then rank (M1). So claims may
/// come late, twice and in any order, and all tables agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Claim {
    /// Which of the member's incarnations the claim is about.
    pub incarnation: Incarnation,
    /// What is claimed of it.
    pub state: State,
}

impl Claim {
    /// A claim.
    pub const fn new(incarnation: Incarnation, state: State) -> Self {
        Self { incarnation, state }
    }

    /// Whether this claim replaces `held`. A claim never replaces itself, so gossip dies out.
    pub fn supersedes(self, held: Self) -> bool {
        self > held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::{Arbitrary, Gen, quickcheck};

    const STATES: [State; 4] = [State::Alive, State::Suspect, State::Dead, State::Left];

    impl Arbitrary for Claim {
        fn arbitrary(g: &mut Gen) -> Self {
            // Few numbers, so that they meet; and the last.
            let numbers = [1, 2, 3, u64::MAX];
            let (number, state) = (*g.choose(&numbers).unwrap(), *g.choose(&STATES).unwrap());
            Self::new(Incarnation(number), state)
        }
    }

    /// What is held after `heard` has come.
    fn merge(held: Claim, heard: Claim) -> Claim {
        if heard.supersedes(held) { heard } else { held }
    }

    quickcheck! {
        fn m1_claims_may_come_in_any_order(a: Claim, b: Claim) -> bool {
            merge(a, b) == merge(b, a)
        }

        fn m1_claims_may_come_by_way_of_any_tables(a: Claim, b: Claim, c: Claim) -> bool {
            merge(merge(a, b), c) == merge(a, merge(b, c))
        }

        fn m1_claims_may_come_again(a: Claim, b: Claim) -> bool {
            merge(merge(a, b), b) == merge(a, b) && !a.supersedes(a)
        }
    }

    #[test]
    fn m1_every_pair_of_claims_is_ordered_by_incarnation_then_rank() {
        for (i, a) in STATES.into_iter().enumerate() {
            for (j, b) in STATES.into_iter().enumerate() {
                let old = Claim::new(Incarnation(1), a);
                assert_eq!(old.supersedes(Claim::new(Incarnation(1), b)), i > j);
                assert!(Claim::new(Incarnation(2), b).supersedes(old));
                assert!(!old.supersedes(Claim::new(Incarnation(2), b)));
            }
        }
    }

    #[test]
    fn m2_the_incarnation_never_wraps() {
        assert_eq!(Incarnation(u64::MAX).next(), Incarnation(u64::MAX));
    }

    #[test]
    fn a_state_survives_its_two_bits() {
        for state in STATES {
            assert_eq!(State::from_bits(state as u8), state);
        }
    }
}
