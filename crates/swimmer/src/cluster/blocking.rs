//! Waiting on a thread without async.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Waits for one of this crate's futures on a thread without async.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use swimmer::{Cluster, block_on};
///
/// let node = Cluster::builder("cluster1").listen("127.0.0.1:0".parse()?).start_thread()?;
/// block_on(node.set_metadata("role=web"))?;
/// block_on(node.shutdown());
/// # Ok(())
/// # }
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    let waited = wait(future, None);
    waited.expect("a wait without an end ends with the future")
}

/// The same for so long at most; `None`: the future was not done by then.
pub(super) fn block_on_for<F: Future>(future: F, limit: Duration) -> Option<F::Output> {
    // A time that no clock reaches is no limit.
    wait(future, Instant::now().checked_add(limit))
}

fn wait<F: Future>(future: F, until: Option<Instant>) -> Option<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        match until {
            None => std::thread::park(),
            Some(until) => {
                let rest = until.saturating_duration_since(Instant::now());
                if rest.is_zero() {
                    return None;
                }
                std::thread::park_timeout(rest);
            }
        }
    }
}
