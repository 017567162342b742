//! A state that some change and others wait for.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// What a look at the state gave.
pub(crate) enum Look<T> {
    Found(T),
    /// Nothing yet: to be looked at again after a change, or at this time.
    Again(Option<Instant>),
}

#[derive(Debug)]
pub(crate) struct Watched<S> {
    state: Mutex<S>,
    changed: Notify,
}

impl<S> Watched<S> {
    pub(crate) fn new(state: S) -> Self {
        Self { state: Mutex::new(state), changed: Notify::new() }
    }

    /// For a look, and for changes that nobody waits for.
    pub(crate) fn lock(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes all who wait.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut S) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_waiters();
        result
    }

    /// Looks until it has found something. Whatever a look takes is returned at once: dropping
    /// the future loses nothing.
    pub(crate) async fn find<T>(&self, mut look: impl FnMut(&mut S) -> Look<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on no change is missed.
            changed.as_mut().enable();
            let seen = look(&mut self.lock());
            match seen {
                Look::Found(found) => return found,
                Look::Again(None) => changed.await,
                // Either way it is time to look again.
                Look::Again(Some(at)) => drop(timeout_at(at, changed).await),
            }
        }
    }

    /// Waits until the state is such.
    pub(crate) async fn until(&self, is_such: impl Fn(&S) -> bool) {
        self.find(|state| if is_such(state) { Look::Found(()) } else { Look::Again(None) }).await;
    }
}
