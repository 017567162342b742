//! Ctrl-C, SIGTERM and SIGHUP: the first asks, the second tells. SIGUSR1 asks for the statistics.

use std::io;

/// The exit codes that stand for these signals, by custom: 128 and the signal's number.
pub(crate) const INTERRUPTED: u8 = 128 + 2;
#[cfg(unix)]
const TERMINATED: u8 = 128 + 15;
#[cfg(unix)]
const HUNG_UP: u8 = 128 + 1;

/// Waits for signals that ask this program to end.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    /// `None` where it is to be ignored, or it cannot be told whether it is.
    #[cfg(unix)]
    hang_up: Option<tokio::signal::unix::Signal>,
    #[cfg(unix)]
    statistics: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (terminate, interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let hang_up = match ignores_hang_up() {
            Some(false) => Some(signal(SignalKind::hangup())?),
            Some(true) | None => None,
        };
        // Taken from the start on: whoever asks too early must not end the program by that.
        let statistics = Some(signal(SignalKind::user_defined1())?);
        Ok(Self { terminate, interrupt, hang_up, statistics })
    }

    #[cfg(not(unix))]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Takes out what tells when somebody asks for the statistics.
    pub(crate) fn take_statistics(&mut self) -> StatisticsSignal {
        StatisticsSignal {
            #[cfg(unix)]
            signal: self.statistics.take(),
        }
    }

    /// A terminal that closes sends SIGHUP more than once, and ends the input besides: once this
    /// program leaves, that tells it nothing.
    pub(crate) fn ignore_hang_up(&mut self) {
        #[cfg(unix)]
        {
            // The signal stays taken, so that it does not end the program.
            self.hang_up = None;
        }
    }

    /// The exit code that stands for the signal that comes next.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.terminate.recv() => TERMINATED,
            _ = self.interrupt.recv() => INTERRUPTED,
            () = received(&mut self.hang_up) => HUNG_UP,
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> u8 {
        let _ = tokio::signal::ctrl_c().await;
        INTERRUPTED
    }
}

/// Waits for a signal that may not be taken at all.
#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Whether whoever has started this program wants it to outlive its terminal, as nohup does. To take
/// the signal would undo that. `None`: this system does not tell, so that the signal is left alone.
#[cfg(unix)]
fn ignores_hang_up() -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask & 1 != 0)
}

/// Waits for somebody who asks for the statistics.
pub(crate) struct StatisticsSignal {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl StatisticsSignal {
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        received(&mut self.signal).await;
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        std::future::pending().await
    }
}
