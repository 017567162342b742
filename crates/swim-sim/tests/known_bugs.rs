//! The harness proves itself: faults that other systems had are put back, and found.

use swim_sim::{Detail, KnownBug, Plan};

/// The seed by which a fault is found. The rarest is found by one in a hundred, and soon from 200 on,
/// which keeps the test short.
fn found_after(bug: KnownBug) -> Option<u64> {
    (200..1_000).find(|&seed| {
        let plan = Plan { bug: Some(bug), ..Plan::random(seed) };
        plan.run(Detail::Hash).0.is_err()
    })
}

macro_rules! found {
    ($($name:ident: $bug:ident,)*) => {
        $(#[test]
        fn $name() {
            let after = found_after(KnownBug::$bug);
            eprintln!("found by seed {after:?}");
            assert!(after.is_some());
        })*

        #[test]
        fn every_known_bug_has_a_test() {
            assert_eq!(KnownBug::ALL, [$(KnownBug::$bug,)*]);
        }
    };
}

found! {
    a_restart_below_the_held_incarnation_is_found: RestartBelow,
    a_number_that_wraps_is_found: NumberWraps,
    a_death_that_does_not_raise_the_stored_number_is_found: DeathKeepsNumber,
    a_batch_cut_short_by_one_member_already_queued_is_found: BatchCutShort,
    left_that_can_never_return_is_found: LeftForGood,
    acks_without_numbers_are_found: AcksWithoutNumbers,
}
