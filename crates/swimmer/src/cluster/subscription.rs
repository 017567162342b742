//! A stream of changes that begins with a snapshot and survives its own slowness.

use std::sync::Arc;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::mirror::{Mirror, Snapshot};
use crate::event::Event;

/// One step of a [`Subscription`].
#[derive(Clone, Debug)]
pub struct Update {
    /// Its number: one more than that of the step before, but after a resync.
    pub seq: u64,
    /// What has changed.
    pub change: Change,
}

/// What a step of a [`Subscription`] brings.
#[derive(Clone, Debug)]
pub enum Change {
    /// One event.
    Event(Event),
    /// The reader was too slow: events were dropped, and this is how things stand after them.
    /// Whoever takes it over has the node's own view again.
    Resync(Snapshot),
}

/// The members as they were, and every change from then on. A reader that lags more than 1,024
/// events behind gets one [`Change::Resync`] instead of those. It holds nothing up, and does not
/// keep the node running.
#[derive(Debug)]
pub struct Subscription {
    mirror: Arc<Mirror>,
    start: Snapshot,
    events: Receiver<Arc<Update>>,
    /// Events up to this number are known: they are in a snapshot.
    known: u64,
}

impl Subscription {
    pub(super) fn new(mirror: Arc<Mirror>) -> Self {
        let (start, events) = mirror.subscribe();
        let known = start.seq();
        Self { mirror, start, events, known }
    }

    /// The members at the beginning.
    pub fn snapshot(&self) -> &Snapshot {
        &self.start
    }

    /// Waits for the next change; `None`: the node was stopped. Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Update> {
        loop {
            let received = self.events.recv().await;
            match received {
                Ok(update) => {
                    if let Some(update) = self.on_event(&update) {
                        return Some(update);
                    }
                }
                Err(RecvError::Lagged(missed)) => return Some(self.resync(missed)),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// As [`recv`](Self::recv), blocking this thread.
    pub fn blocking_recv(&mut self) -> Option<Update> {
        super::block_on(self.recv())
    }

    /// The next change if there is one already.
    pub fn try_recv(&mut self) -> Option<Update> {
        loop {
            match self.events.try_recv() {
                Ok(update) => {
                    if let Some(update) = self.on_event(&update) {
                        return Some(update);
                    }
                }
                Err(TryRecvError::Lagged(missed)) => return Some(self.resync(missed)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
    }

    fn on_event(&mut self, update: &Update) -> Option<Update> {
        if update.seq <= self.known {
            return None;
        }
        self.known = update.seq;
        Some(update.clone())
    }

    fn resync(&mut self, missed: u64) -> Update {
        self.mirror.count(|counters| {
            counters.resyncs += 1;
            counters.events_missed += missed;
        });
        let snapshot = self.mirror.snapshot();
        self.known = snapshot.seq();
        Update { seq: snapshot.seq(), change: Change::Resync(snapshot) }
    }
}
