//! Many runs on all cores. What each run finds depends on its own seed only, and results come back
//! in the order of the jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::progress::{Display, Progress, Work};

/// Runs each job, `threads` at once, and shows how far they are by what is expected of each.
pub(crate) fn run_all<J: Sync, R: Send>(
    what: &str,
    jobs: &[J],
    threads: usize,
    expected: impl Fn(&J) -> Work + Sync,
    run: impl Fn(&J, &Progress) -> R + Sync,
) -> Vec<R> {
    let display = Arc::new(Display::new(what, jobs.iter().map(&expected)));
    let next = AtomicUsize::new(0);
    let mut found: Vec<(usize, R)> = std::thread::scope(|scope| {
        let worker = || {
            let mut found = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(job) = jobs.get(at) else { return found };
                let progress = Progress::new(Arc::clone(&display), expected(job));
                found.push((at, run(job, &progress)));
            }
        };
        let workers: Vec<_> =
            (0..threads.clamp(1, jobs.len().max(1))).map(|_| scope.spawn(worker)).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.flat_map(|found| found.expect("a run does not panic")).collect()
    });
    display.finish();
    found.sort_by_key(|&(at, _)| at);
    found.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs_whatever_the_number_of_threads() {
        let jobs: Vec<u64> = (0..50).collect();
        for threads in [1, 3, 100] {
            let second = |_: &u64| Work::of(1, Duration::from_secs(1));
            let found = run_all("squares", &jobs, threads, second, |job, _| job * job);
            assert_eq!(found, jobs.iter().map(|job| job * job).collect::<Vec<_>>());
        }
    }
}
