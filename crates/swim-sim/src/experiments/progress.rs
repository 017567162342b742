//! How far all runs of an experiment are, on standard error: a bar, or a line now and then where
//! there is no terminal to draw it on.

use std::cell::Cell;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two lines.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// What a run is expected to take: only the display depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    simulated: Duration,
    /// Of no unit: real time is shared out among runs in proportion.
    cost: u64,
}

impl Work {
    /// So long with so many members. As many act in each second, and each looks into a table of as
    /// many, which the processor's cache is the less likely to hold.
    pub(crate) fn of(nodes: u32, simulated: Duration) -> Self {
        let cost = u64::from(nodes).pow(2).saturating_mul(simulated.as_millis() as u64);
        Self { simulated, cost }
    }

    /// So many times as dear, in per cent, because there is more to tell than at rest.
    pub(crate) fn at(self, per_cent: u32) -> Self {
        Self { cost: self.cost.saturating_mul(u64::from(per_cent)) / 100, ..self }
    }

    /// What of its cost has arisen after so long. One that takes longer than expected waits full.
    fn part(self, simulated: Duration) -> u64 {
        let (done, all) = (simulated.as_micros(), self.simulated.as_micros());
        let part = u128::from(self.cost) * done.min(all);
        part.checked_div(all).unwrap_or(0) as u64
    }
}

/// The display of all runs together.
pub(crate) struct Display {
    bar: ProgressBar,
    done: AtomicU64,
    expected: u64,
    /// When the next line is due, without a terminal.
    line_at: Option<Mutex<Instant>>,
    began: Instant,
}

impl Display {
    pub(crate) fn new(what: &str, works: impl Iterator<Item = Work>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = match terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let expected = works.fold(0_u64, |sum, work| sum.saturating_add(work.cost));
        let bar = ProgressBar::with_draw_target(Some(expected), target);
        let template = "{msg} {wide_bar} {percent}%, {elapsed} of about {duration}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        let began = Instant::now();
        let line_at = (!terminal).then(|| Mutex::new(began + LINE_EVERY));
        Self { bar, done: AtomicU64::new(0), expected, line_at, began }
    }

    fn add(&self, cost: u64) {
        let done = self.done.fetch_add(cost, Ordering::Relaxed).saturating_add(cost);
        self.bar.set_position(done);
        let Some(line_at) = &self.line_at else { return };
        let Ok(mut line_at) = line_at.try_lock() else { return };
        let now = Instant::now();
        if now >= *line_at {
            *line_at = now + LINE_EVERY;
            let percent = (u128::from(done) * 100).checked_div(u128::from(self.expected));
            let seconds = (now - self.began).as_secs();
            eprintln!("{}: {} % after {seconds} s", self.bar.message(), percent.unwrap_or(100));
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// How far one run is.
pub(crate) struct Progress {
    display: Arc<Display>,
    work: Work,
    simulated: Cell<Duration>,
}

impl Progress {
    pub(crate) fn new(display: Arc<Display>, work: Work) -> Self {
        Self { display, work, simulated: Cell::new(Duration::ZERO) }
    }

    /// So much more was simulated.
    pub(crate) fn advance(&self, simulated: Duration) {
        let before = self.simulated.get();
        self.simulated.set(before + simulated);
        self.display.add(self.work.part(before + simulated) - self.work.part(before));
    }
}

/// A run that ends earlier than expected has done its part all the same.
impl Drop for Progress {
    fn drop(&mut self) {
        self.display.add(self.work.cost - self.work.part(self.simulated.get()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_counts_for_what_was_expected_of_it_however_long_it_takes() {
        let second = Duration::from_secs(1);
        let works = [Work::of(10, second * 4), Work::of(100, second * 4), Work::of(10, second * 4)];
        let display = Arc::new(Display::new("test", works.into_iter()));
        let done =
            |display: &Display| display.done.load(Ordering::Relaxed) * 1_000 / display.expected;
        let [small, large, last] = works.map(|work| Progress::new(Arc::clone(&display), work));
        large.advance(second);
        assert_eq!(done(&display), 245, "a quarter of nearly all");
        small.advance(second * 9);
        last.advance(second);
        drop(last);
        assert_eq!(done(&display), 264, "both are done, one of them early");
        large.advance(second * 2);
        drop((small, large));
        assert_eq!(done(&display), 1_000);
    }

    #[test]
    fn a_run_of_which_nothing_is_expected_does_no_harm() {
        let nothing = Work::of(10, Duration::ZERO);
        let display = Arc::new(Display::new("test", [nothing].into_iter()));
        Progress::new(Arc::clone(&display), nothing).advance(Duration::from_secs(1));
        assert_eq!(display.done.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_run_that_is_dearer_counts_for_more() {
        let work = Work::of(10, Duration::from_secs(1));
        assert_eq!(work.at(250).cost, work.cost * 5 / 2);
        assert_eq!(work.at(250).part(Duration::from_millis(500)), work.cost * 5 / 4);
    }
}
