//! Ctrl-C and SIGTERM: the first asks, the second tells. SIGUSR1 asks for the statistics.

use std::io;

/// The exit codes that stand for these signals, by custom: 128 and the signal's number.
pub(crate) const INTERRUPTED: u8 = 128 + 2;
#[cfg(unix)]
const TERMINATED: u8 = 128 + 15;

/// Waits for signals that ask this program to end.
pub(crate) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    statistics: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    #[cfg(unix)]
    pub(crate) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (terminate, interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        // Taken from the start on: whoever asks too early must not end the program by that.
        let statistics = Some(signal(SignalKind::user_defined1())?);
        Ok(Self { terminate, interrupt, statistics })
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

    /// The exit code that stands for the signal that comes next.
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.terminate.recv() => TERMINATED,
            _ = self.interrupt.recv() => INTERRUPTED,
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) -> u8 {
        let _ = tokio::signal::ctrl_c().await;
        INTERRUPTED
    }
}

/// Waits for somebody who asks for the statistics.
pub(crate) struct StatisticsSignal {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl StatisticsSignal {
    #[cfg(unix)]
    pub(crate) async fn next(&mut self) {
        match &mut self.signal {
            Some(signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }

    #[cfg(not(unix))]
    pub(crate) async fn next(&mut self) {
        std::future::pending().await
    }
}
