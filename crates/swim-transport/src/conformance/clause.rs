//! One clause of the contract, and how it is found broken.

use std::fmt::{Debug, Display};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

/// Longer than anything takes that works, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sentence of the contract.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clause(pub(super) &'static str);

impl Clause {
    #[track_caller]
    pub(super) fn broken(self, how: impl Display) -> ! {
        panic!("the transport breaks its contract. Clause: {}. Broken: {how}", self.0)
    }

    #[track_caller]
    pub(super) fn holds(self, holds: bool, otherwise: impl Display) {
        if !holds {
            self.broken(otherwise);
        }
    }

    #[track_caller]
    pub(super) fn succeeds<T>(self, call: &str, result: io::Result<T>) -> T {
        result.unwrap_or_else(|error| self.broken(format_args!("{call} failed: {error}")))
    }

    #[track_caller]
    pub(super) fn fails<T: Debug>(self, call: &str, result: io::Result<T>) {
        if let Ok(value) = result {
            self.broken(format_args!("{call} succeeded with {value:?}"));
        }
    }

    /// An error, and none that speaks for the host of the other side.
    #[track_caller]
    pub(super) fn fails_on_this_side<T: Debug>(self, call: &str, result: io::Result<T>) {
        match result {
            Ok(value) => self.broken(format_args!("{call} succeeded with {value:?}")),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                self.broken(format_args!("{call} is refused, though the other side listens"));
            }
            Err(_) => {}
        }
    }

    /// Waits for what must not take for ever.
    pub(super) async fn within<T>(self, call: &str, work: impl Future<Output = T>) -> T {
        match timeout(PATIENCE, work).await {
            Ok(done) => done,
            Err(_) => self.broken(format_args!("{call} is not done after {PATIENCE:?}")),
        }
    }
}

/// Polls a future once and drops it, as a `select!` does whose other branch is ready.
pub(super) async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
