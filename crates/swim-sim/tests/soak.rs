//! A band of short random plans in every test run, and the simulator's own promises: it has met
//! all that it should have, and the same seed gives the same run.

#![allow(clippy::unwrap_used)]

use swim_sim::{Band, Detail, Plan, Size};

/// `swim-sim soak` runs more of them, and longer ones.
const SEEDS: u64 = 300;

#[test]
fn a_band_of_short_plans_breaks_nothing_and_meets_everything() {
    let band = Band { size: Size::Short, ..Band::new(0..SEEDS) };
    let summary = band.run(|_| {}).unwrap_or_else(|failure| {
        let (plan, violation) = (&failure.plan, &failure.violation);
        panic!("{violation}\n\n{plan}\n\nagain: swim-sim soak --short --seeds {}", plan.seed)
    });
    assert_eq!(summary.seeds, SEEDS);
    assert_eq!(summary.missing(), [""; 0], "in no plan was anything so");
}

#[test]
fn i18_the_same_seed_gives_the_same_run_to_the_byte_and_another_seed_another() {
    for seed in [3, 14] {
        let plan = Plan::draw(seed, Size::Short);
        let (once, again) = (
            plan.run_keeping(Detail::Messages, usize::MAX),
            plan.run_keeping(Detail::Messages, usize::MAX),
        );
        let (outcome, lines) = once;
        let outcome = outcome.unwrap();
        assert_eq!(again.0.unwrap(), outcome);
        assert!(lines.len() > 500, "all lines are kept: {}", lines.len());
        assert!(again.1 == lines, "the transcripts of seed {seed} differ");

        let other = Plan { seed: seed + 1_000, ..plan };
        let (outcome_of_other, _) = other.run(Detail::Hash);
        assert_ne!(outcome_of_other.unwrap().hash, outcome.hash);
    }
}

#[test]
fn i18_what_is_kept_of_a_run_does_not_change_it() {
    let plan = Plan::draw(5, Size::Short);
    let [hash, events, messages] =
        [Detail::Hash, Detail::Events, Detail::Messages].map(|detail| plan.run(detail).0.unwrap());
    assert_eq!(hash, events);
    assert_eq!(hash, messages);
}

#[test]
fn a_band_says_which_of_its_seeds_fails_first_on_any_number_of_threads() {
    let bug = Some(swim_sim::KnownBug::LeftForGood);
    let failed = [1, 4].map(|threads| {
        let band = Band { size: Size::Short, bug, threads, ..Band::new(0..100) };
        band.run(|_| {}).unwrap_err().plan.seed
    });
    assert_eq!(failed[0], failed[1]);
}
