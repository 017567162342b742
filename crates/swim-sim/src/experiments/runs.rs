//! Many runs on all cores, with their progress on standard error. What each run finds depends on
//! its own seed only, and results come back in the order of the jobs.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two lines of progress where there is no terminal to draw a bar on.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// How far all runs are, in simulated seconds.
pub(crate) struct Progress {
    bar: ProgressBar,
    simulated: AtomicU64,
    expected: u64,
    /// When the next line is due, without a terminal.
    line_at: Option<Mutex<Instant>>,
    began: Instant,
}

impl Progress {
    fn new(what: &str, expected: Duration) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = match terminal {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let millis = expected.as_millis() as u64;
        let bar = ProgressBar::with_draw_target(Some(millis), target);
        let template = "{msg} {wide_bar} {percent}%, {elapsed} of about {duration}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        let began = Instant::now();
        let line_at = (!terminal).then(|| Mutex::new(began + LINE_EVERY));
        Self { bar, simulated: AtomicU64::new(0), expected: millis, line_at, began }
    }

    /// So much more was simulated.
    pub(crate) fn advance(&self, simulated: Duration) {
        let millis = simulated.as_millis() as u64;
        let done = self.simulated.fetch_add(millis, Ordering::Relaxed) + millis;
        self.bar.set_position(done.min(self.expected));
        let Some(line_at) = &self.line_at else { return };
        let Ok(mut line_at) = line_at.try_lock() else { return };
        let now = Instant::now();
        if now >= *line_at {
            *line_at = now + LINE_EVERY;
            let percent = (done * 100).checked_div(self.expected).unwrap_or(100).min(100);
            let seconds = (now - self.began).as_secs();
            eprintln!("{}: {percent} % after {seconds} s", self.bar.message());
        }
    }
}

/// Runs each job, `threads` at once. Each is expected to simulate so long, for the progress bar.
pub(crate) fn run_all<J: Sync, R: Send>(
    what: &str,
    jobs: &[J],
    threads: usize,
    expected: impl Fn(&J) -> Duration,
    run: impl Fn(&J, &Progress) -> R + Sync,
) -> Vec<R> {
    let progress = Progress::new(what, jobs.iter().map(&expected).sum());
    let next = AtomicUsize::new(0);
    let mut found: Vec<(usize, R)> = std::thread::scope(|scope| {
        let worker = || {
            let mut found = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(at) else { return found };
                found.push((at, run(job, &progress)));
            }
        };
        let workers: Vec<_> =
            (0..threads.clamp(1, jobs.len().max(1))).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.flat_map(|found| found.expect("a run does not panic")).collect()
    });
    progress.bar.finish_and_clear();
    found.sort_by_key(|&(at, _)| at);
    found.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs_whatever_the_number_of_threads() {
        let jobs: Vec<u64> = (0..50).collect();
        for threads in [1, 3, 100] {
            let second = |_: &u64| Duration::from_secs(1);
            let found = run_all("squares", &jobs, threads, second, |job, _| job * job);
            assert_eq!(found, jobs.iter().map(|job| job * job).collect::<Vec<_>>());
        }
    }
}
