//! When a partition is over (E6).
//!
//! That one who was held dead is present again says little: it may have been down. That the two were
//! parted shows in one of three ways, soon before or after: this node compares tables with one whom
//! it holds dead, it has to refute, or many come back.

use crate::config::Config;
use crate::table::MemberIx;
use crate::time::Instant;

/// So many periods may lie between a return and what makes it a healing, and between two returns
/// of one row.
const WINDOW_PERIODS: u32 = 10;
/// Those who are back make a healing by themselves if they are so many, and one in so many of all.
const MANY_MIN: usize = 2;
const MANY_SHARE: usize = 3;

/// What speaks for the end of a partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Healing {
    /// When one who was held dead was present again, the last time.
    returned_at: Option<Instant>,
    /// How many were, each within the window of the one before.
    returned: usize,
    /// The last of them: one who comes and goes is not many.
    last: Option<MemberIx>,
    /// When this node, too, was seen to be held dead by others, the last time.
    parted_at: Option<Instant>,
    /// Until when the user need not be told: it was, of the healing that goes on.
    told_until: Option<Instant>,
}

impl Healing {
    /// One who was held dead is present again, one of so many. Returns whether to tell the user.
    pub(crate) fn on_return(
        &mut self,
        now: Instant,
        ix: MemberIx,
        config: &Config,
        present: usize,
    ) -> bool {
        let in_row = is_recent(self.returned_at, now, config);
        let another = self.last.replace(ix) != Some(ix);
        self.returned = if in_row { self.returned + usize::from(another) } else { 1 };
        self.returned_at = Some(now);
        let many = self.returned >= MANY_MIN && self.returned * MANY_SHARE >= present;
        let told = self.was_told(now);
        let healed = told || many || is_recent(self.parted_at, now, config);
        if healed {
            // A healing that was told already goes on.
            self.on_told(now, config);
        }
        healed && !told
    }

    /// This node compares tables with one whom it holds dead, or refutes: as far as others know it
    /// was dead, too. Returns whether to tell the user.
    pub(crate) fn on_parted(&mut self, now: Instant, config: &Config) -> bool {
        self.parted_at = Some(now);
        let healed = is_recent(self.returned_at, now, config) && !self.was_told(now);
        if healed {
            self.on_told(now, config);
        }
        healed
    }

    /// The user is told, for whatever reason.
    pub(crate) fn on_told(&mut self, now: Instant, config: &Config) {
        self.told_until = Some(now + config.healing_interval());
    }

    fn was_told(&self, now: Instant) -> bool {
        self.told_until.is_some_and(|until| now < until)
    }
}

fn is_recent(at: Option<Instant>, now: Instant, config: &Config) -> bool {
    at.is_some_and(|at| now - at <= config.period() * WINDOW_PERIODS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Profile;
    use core::time::Duration;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    /// At this second this member is back, one of so many.
    fn back(healing: &mut Healing, second: u64, member: u32, present: usize) -> bool {
        healing.on_return(at(second), MemberIx::new(member), &lan(), present)
    }

    fn lan() -> Config {
        Config::preset(Profile::Lan)
    }

    #[test]
    fn e6_one_who_was_down_is_back_and_nothing_has_healed() {
        let mut healing = Healing::default();
        assert!(!back(&mut healing, 5, 1, 2));
        assert!(!healing.on_parted(at(16), &lan()), "that is too late to belong together");
    }

    #[test]
    fn e6_who_was_held_dead_as_well_is_healed_whichever_comes_first() {
        let mut healing = Healing::default();
        assert!(!healing.on_parted(at(5), &lan()));
        assert!(back(&mut healing, 15, 1, 100));

        let mut healing = Healing::default();
        assert!(!back(&mut healing, 5, 1, 100));
        assert!(healing.on_parted(at(15), &lan()));
    }

    #[test]
    fn e6_many_who_are_back_in_a_row_are_a_healing() {
        let mut healing = Healing::default();
        assert!(!back(&mut healing, 5, 1, 9));
        assert!(!back(&mut healing, 6, 2, 10), "2 of 10 are not many");
        assert!(!back(&mut healing, 17, 1, 6), "a new row");
        assert!(back(&mut healing, 18, 2, 6), "2 of 6 are");
    }

    #[test]
    fn e6_one_who_comes_and_goes_is_not_many() {
        let mut healing = Healing::default();
        assert!((5..30).all(|second| !back(&mut healing, second, 1, 2)));
    }

    #[test]
    fn e6_it_is_told_once_until_nobody_was_back_for_a_healing_interval() {
        let mut healing = Healing::default();
        assert!(!healing.on_parted(at(5), &lan()));
        let told: usize = (5..100).map(|t| usize::from(back(&mut healing, t, 1, 9))).sum();
        assert_eq!(told, 1);
        assert!(!healing.on_parted(at(110), &lan()), "the same one still");
        assert!(!back(&mut healing, 140, 1, 9));
        assert!(healing.on_parted(at(140), &lan()), "another one");
    }
}
