//! What the benches share: short runs, and timing that leaves out what restores the state.

// Not every bench uses all of it.
#![allow(dead_code)]

use std::time::{Duration, Instant};

use criterion::Criterion;

/// Runs that are short, so that all benches together take minutes.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_millis(1_500))
        .sample_size(30)
}

/// Times `work`, done `iterations` times. It wears the state out: after `lasts` times `restore`
/// mends it, which is not timed.
pub(crate) fn time_between<S>(
    iterations: u64,
    lasts: u64,
    state: &mut S,
    mut restore: impl FnMut(&mut S),
    mut work: impl FnMut(&mut S),
) -> Duration {
    let mut time = Duration::ZERO;
    let mut left = iterations;
    while left > 0 {
        restore(state);
        let now = left.min(lasts);
        let started = Instant::now();
        for _ in 0..now {
            work(state);
        }
        time += started.elapsed();
        left -= now;
    }
    time
}

/// Walks over `items` again and again.
#[derive(Debug)]
pub(crate) struct Round<T> {
    items: Vec<T>,
    next: usize,
}

impl<T> Round<T> {
    /// A round of these, of which there must be one.
    pub(crate) fn new(items: Vec<T>) -> Self {
        assert!(!items.is_empty());
        Self { items, next: 0 }
    }

    /// Begins anew.
    pub(crate) fn restart(&mut self) {
        self.next = 0;
    }

    /// The next one.
    pub(crate) fn advance(&mut self) -> &mut T {
        let at = self.next;
        self.next = if at + 1 == self.items.len() { 0 } else { at + 1 };
        &mut self.items[at]
    }
}
