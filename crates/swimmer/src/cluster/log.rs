//! What is told to many readers, each at its own pace: the last of it is kept, and who is slow misses
//! the oldest and knows how much.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Why [`try_recv`](super::Subscription::try_recv) has nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TryRecvError {
    /// There is nothing yet.
    #[error("there is nothing yet")]
    Empty,
    /// The node was stopped, and all was read.
    #[error("the node was stopped")]
    Ended,
}

/// Why [`recv_timeout`](super::Subscription::recv_timeout) has nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecvTimeoutError {
    /// Nothing came within that time.
    #[error("nothing came in time")]
    Timeout,
    /// The node was stopped, and all was read.
    #[error("the node was stopped")]
    Ended,
}

#[derive(Debug)]
struct State<T> {
    kept: VecDeque<T>,
    /// The number of the first that is kept.
    first: u64,
    max: usize,
    closed: bool,
    /// Who waits, by the number of the reader.
    waiting: BTreeMap<u64, Waker>,
    readers: u64,
}

/// The last so many of what was told.
#[derive(Debug)]
pub(super) struct Log<T>(Mutex<State<T>>);

impl<T> Log<T> {
    pub(super) fn new(max: usize) -> Self {
        Self(Mutex::new(State {
            kept: VecDeque::new(),
            first: 0,
            max,
            closed: false,
            waiting: BTreeMap::new(),
            readers: 0,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all of these. Whoever is woken may look at once.
    pub(super) fn push_all(&self, items: impl IntoIterator<Item = T>) {
        self.change(|state| {
            for item in items {
                if state.kept.len() == state.max {
                    state.kept.pop_front();
                    state.first += 1;
                }
                state.kept.push_back(item);
            }
        });
    }

    /// Nothing comes any more. Readers get what is left, then the end.
    pub(super) fn close(&self) {
        self.change(|state| state.closed = true);
    }

    fn change(&self, change: impl FnOnce(&mut State<T>)) {
        let mut state = self.lock();
        change(&mut state);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }

    /// Reads from the oldest that is kept.
    pub(super) fn read_kept(self: &Arc<Self>) -> Reader<T> {
        let first = self.lock().first;
        self.reader(first)
    }

    /// Reads what is told from now on.
    pub(super) fn read_new(self: &Arc<Self>) -> Reader<T> {
        let state = self.lock();
        let next = state.first + state.kept.len() as u64;
        drop(state);
        self.reader(next)
    }

    fn reader(self: &Arc<Self>, next: u64) -> Reader<T> {
        let mut state = self.lock();
        state.readers += 1;
        Reader { log: Arc::clone(self), number: state.readers, next }
    }
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next<T> {
    Item(T),
    /// It was too slow: so many are gone.
    Missed(u64),
}

/// One who reads a log.
#[derive(Debug)]
pub(super) struct Reader<T> {
    log: Arc<Log<T>>,
    number: u64,
    next: u64,
}

impl<T: Clone> Reader<T> {
    /// The next, if there is one already.
    pub(super) fn try_next(&mut self) -> Result<Next<T>, TryRecvError> {
        Self::next_of(&self.log.lock(), &mut self.next)
    }

    /// The next; `None`: there is none any more.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Next<T>>> {
        // A waker may own what waits, readers of this log included: it is made and dropped without the lock.
        let waker = context.waker().clone();
        let mut state = self.log.lock();
        match Self::next_of(&state, &mut self.next) {
            Ok(next) => Poll::Ready(Some(next)),
            Err(TryRecvError::Ended) => Poll::Ready(None),
            Err(TryRecvError::Empty) => {
                let replaced = state.waiting.insert(self.number, waker);
                drop(state);
                drop(replaced);
                Poll::Pending
            }
        }
    }

    fn next_of(state: &State<T>, next: &mut u64) -> Result<Next<T>, TryRecvError> {
        if *next < state.first {
            let missed = state.first - *next;
            *next = state.first;
            return Ok(Next::Missed(missed));
        }
        match state.kept.get((*next - state.first) as usize) {
            Some(item) => {
                *next += 1;
                Ok(Next::Item(item.clone()))
            }
            None if state.closed => Err(TryRecvError::Ended),
            None => Err(TryRecvError::Empty),
        }
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        let waker = self.log.lock().waiting.remove(&self.number);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_misses_the_oldest_and_knows_how_many() {
        let log = Arc::new(Log::new(3));
        let mut reader = log.read_new();
        log.push_all(0..5);
        assert_eq!(reader.try_next(), Ok(Next::Missed(2)));
        let rest: Vec<_> = std::iter::from_fn(|| reader.try_next().ok()).collect();
        assert_eq!(rest, [Next::Item(2), Next::Item(3), Next::Item(4)]);
        assert_eq!(reader.try_next(), Err(TryRecvError::Empty));
    }

    #[test]
    fn what_is_left_at_the_end_is_read_and_then_the_end() {
        let log = Arc::new(Log::new(3));
        log.push_all([1]);
        let (mut early, mut late) = (log.read_kept(), log.read_new());
        log.close();
        assert_eq!(early.try_next(), Ok(Next::Item(1)));
        assert_eq!(early.try_next(), Err(TryRecvError::Ended));
        assert_eq!(late.try_next(), Err(TryRecvError::Ended));
    }

    #[test]
    fn a_reader_that_is_gone_is_not_waited_for() {
        let log = Arc::new(Log::<u8>::new(3));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            assert!(log.read_new().poll_next(&mut context).is_pending());
        }
        assert!(log.lock().waiting.is_empty());
    }
}
