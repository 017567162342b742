//! What a seed makes of the menu of faults. Each seed leaves some of it out, so that what is left
//! happens more often in one run, and each fault is met without the others too.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use swimmer::Profile;

use super::menu::{Draw, MENU, draw_network};
use super::{Plan, Size};
use crate::environment::Environment;
use crate::fault::Fault;

impl Plan {
    /// The plan of a seed.
    pub fn random(seed: u64) -> Self {
        Self::draw(seed, Size::Full)
    }

    /// The plan of a seed, of this size.
    pub fn draw(seed: u64, size: Size) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x706c_616e);
        let hosts = match (size, rng.random_range(0..8)) {
            (Size::Full, 0) => rng.random_range(12..=24),
            (Size::Full, 1 | 2) => rng.random_range(6..=12),
            _ => rng.random_range(3..=6),
        };
        let profile = match (size, rng.random_range(0..4)) {
            (Size::Short, 1..) => Profile::Local,
            (_, 0) => Profile::Fast,
            (_, 1) => Profile::Local,
            _ => Profile::Lan,
        };
        let (calm_at, faults_until, count) = match size {
            Size::Full => (rng.random_range(60..=75), 50_000, rng.random_range(5..=14)),
            Size::Short => (rng.random_range(22..=28), 16_000, rng.random_range(5..=8)),
        };
        let liar = rng.random_range(0..10) == 0;
        let (warm, skewed) = (rng.random_range(0..3) > 0, rng.random_range(0..4) == 0);
        let network = draw_network(&mut rng, 20);
        let menu: Vec<_> = MENU.into_iter().filter(|_| rng.random_range(0..2) == 0).collect();
        let mut draw = Draw { rng, hosts, liar, size, at: Duration::ZERO, faults: Vec::new() };
        for _ in 0..count {
            draw.at = Duration::from_millis(draw.rng.random_range(2_000..faults_until));
            let chosen = menu.choose(&mut draw.rng).copied().unwrap_or(Draw::crash);
            if liar && draw.rng.random_range(0..2) == 0 {
                draw.lie();
            } else {
                chosen(&mut draw);
            }
        }
        let calm_at = Duration::from_secs(calm_at);
        let mut faults = draw.faults;
        faults.extend(draw_environment(seed, faults_until));
        faults.retain(|(at, _)| *at < calm_at);
        faults.sort_by_key(|(at, _)| *at);
        // Whoever a liar has raised far above what is on its disk cannot come back under its id.
        let failing_writes = match draw.rng.random_range(0..4) {
            0 if !liar => draw.rng.random_range(1..=1_000),
            _ => 0,
        };
        Self {
            seed,
            profile,
            hosts,
            warm,
            skewed,
            liar,
            failing_writes,
            network,
            faults,
            calm_at,
            bug: None,
        }
    }
}

/// An environment in one plan of three, which ends before calm or with it. It has its own generator,
/// so that the rest of the plan does not depend on it.
fn draw_environment(seed: u64, until_millis: u64) -> Vec<(Duration, Fault)> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x756e_6465_7200);
    if rng.random_range(0..3) > 0 {
        return Vec::new();
    }
    let begins = rng.random_range(0..until_millis / 2);
    let under = Fault::Under(Environment::draw(&mut rng));
    let mut drawn = vec![(Duration::from_millis(begins), under)];
    if rng.random_range(0..2) == 0 {
        let ends = rng.random_range(begins..until_millis);
        drawn.push((Duration::from_millis(ends), Fault::Under(Environment::clean())));
    }
    drawn
}
