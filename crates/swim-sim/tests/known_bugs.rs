//! The harness proves itself: faults that other systems had are put back, and found.

use swim_sim::{Detail, KnownBug, Plan};

/// The first seed, from `from` on, that finds a fault.
fn found_after(bug: KnownBug, from: u64) -> Option<u64> {
    (from..from + 100).find(|&seed| {
        let plan = Plan { bug: Some(bug), ..Plan::random(seed) };
        plan.run(Detail::Hash).0.is_err()
    })
}

macro_rules! found {
    ($($name:ident: $bug:ident from $from:literal,)*) => {
        $(#[test]
        fn $name() {
            assert!(found_after(KnownBug::$bug, $from).is_some());
        })*

        #[test]
        fn every_known_bug_has_a_test() {
            assert_eq!(KnownBug::ALL, [$(KnownBug::$bug,)*]);
        }
    };
}

found! {
    a_restart_below_the_held_incarnation_is_found: RestartBelow from 0,
    a_number_that_wraps_is_found: NumberWraps from 0,
    a_death_that_does_not_raise_the_stored_number_is_found: DeathKeepsNumber from 380,
    a_batch_cut_short_by_one_member_already_queued_is_found: BatchCutShort from 0,
    left_that_can_never_return_is_found: LeftForGood from 0,
    acks_without_numbers_are_found: AcksWithoutNumbers from 0,
}
