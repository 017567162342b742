//! What an operator should know: a short history, and what comes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::event::Notice;

/// How many are kept for readers.
const KEPT: usize = 256;

#[derive(Debug, Default)]
struct State {
    kept: VecDeque<Notice>,
    /// The number of the first that is kept.
    first: u64,
    closed: bool,
}

/// Where the loop puts notices up.
#[derive(Debug, Default)]
pub(super) struct NoticeBoard {
    state: Mutex<State>,
    changed: Notify,
}

impl NoticeBoard {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, notice: Notice) {
        let mut state = self.lock();
        if state.kept.len() == KEPT {
            state.kept.pop_front();
            state.first += 1;
        }
        state.kept.push_back(notice);
        drop(state);
        self.changed.notify_waiters();
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }
}

/// A stream of [`Notice`]s. A slow reader loses the oldest.
#[derive(Debug)]
pub struct Notices {
    board: Arc<NoticeBoard>,
    next: u64,
}

impl Notices {
    pub(super) fn new(board: Arc<NoticeBoard>) -> Self {
        Self { board, next: 0 }
    }

    /// Waits for the next; `None`: the node was stopped. Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Notice> {
        loop {
            let board = Arc::clone(&self.board);
            let mut changed = std::pin::pin!(board.changed.notified());
            // Registered before the look, so that no notice falls between look and wait.
            changed.as_mut().enable();
            if let Some(notice) = self.try_recv() {
                return Some(notice);
            }
            if board.lock().closed {
                return None;
            }
            changed.await;
        }
    }

    /// As [`recv`](Self::recv), blocking this thread.
    pub fn blocking_recv(&mut self) -> Option<Notice> {
        super::block_on(self.recv())
    }

    /// The next if there is one already.
    pub fn try_recv(&mut self) -> Option<Notice> {
        let state = self.board.lock();
        let at = self.next.max(state.first);
        let notice = state.kept.get((at - state.first) as usize)?.clone();
        self.next = at + 1;
        Some(notice)
    }
}
