//! A transport that is closed ends what waits on it.

use std::future::Future;
use std::io;

use tokio::sync::watch;

/// Whether a transport is closed, and what waits for it to be.
#[derive(Debug)]
pub(crate) struct Closing(watch::Sender<bool>);

impl Closing {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn close(&self) {
        self.0.send_replace(true);
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once closed.
    pub(crate) fn wait(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut closing = self.0.subscribe();
        async move {
            // An error means that nobody can close it any more, because it is gone.
            let _ = closing.wait_for(|&closed| closed).await;
        }
    }

    /// Runs `work` until it is done or the transport is closed.
    pub(crate) async fn or_closed<T>(
        &self,
        work: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        tokio::select! {
            biased;
            () = self.wait() => Err(closed()),
            result = work => result,
        }
    }
}

/// What every call of a closed transport ends with.
pub(crate) fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the transport is closed")
}
