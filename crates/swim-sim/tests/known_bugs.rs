//! The harness proves itself: faults that other systems had are put back, and found.

use swim_sim::{Band, KnownBug, Size};

/// The rarest is found by about one seed in a hundred; the test ends with the first.
const SEEDS: u64 = 1_000;

/// The first seed that finds a fault.
fn found_by(bug: KnownBug, size: Size) -> Option<u64> {
    let band = Band { size, bug: Some(bug), ..Band::new(0..SEEDS) };
    band.run(|_| {}).err().map(|failure| failure.plan.seed)
}

macro_rules! found {
    ($($name:ident: $bug:ident by $size:ident plans,)*) => {
        $(#[test]
        fn $name() {
            let seed = found_by(KnownBug::$bug, Size::$size);
            eprintln!("found by seed {seed:?}");
            assert!(seed.is_some());
        })*

        #[test]
        fn every_known_bug_has_a_test() {
            assert_eq!(KnownBug::ALL, [$(KnownBug::$bug,)*]);
        }
    };
}

found! {
    a_restart_below_the_held_incarnation_is_found: RestartBelow by Short plans,
    a_number_that_wraps_is_found: NumberWraps by Full plans,
    a_death_that_does_not_raise_the_stored_number_is_found: DeathKeepsNumber by Full plans,
    a_batch_cut_short_by_one_member_already_queued_is_found: BatchCutShort by Full plans,
    left_that_can_never_return_is_found: LeftForGood by Full plans,
    acks_without_numbers_are_found: AcksWithoutNumbers by Full plans,
}
