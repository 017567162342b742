//! What an operator should know: a short history, and what comes.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;

use super::blocking::{block_on, block_on_for};
use super::log::{Log, Next, Reader, RecvTimeoutError, TryRecvError};
use crate::event::Notice;

/// How many are kept for readers.
const KEPT: usize = 256;

/// Where the loop puts notices up.
#[derive(Debug)]
pub(super) struct NoticeBoard(Arc<Log<Notice>>);

impl Default for NoticeBoard {
    fn default() -> Self {
        Self(Arc::new(Log::new(KEPT)))
    }
}

impl NoticeBoard {
    pub(super) fn put(&self, notice: Notice) {
        self.0.push_all([notice]);
    }

    pub(super) fn close(&self) {
        self.0.close();
    }
}

/// A stream of [`Notice`]s. A slow reader loses the oldest.
#[derive(Debug)]
pub struct Notices(Reader<Notice>);

impl Notices {
    pub(super) fn new(board: &NoticeBoard) -> Self {
        Self(board.0.read_kept())
    }

    /// Waits for the next; `None`: the node was stopped. Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Notice> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// As [`recv`](Self::recv), blocking this thread.
    pub fn blocking_recv(&mut self) -> Option<Notice> {
        block_on(self.recv())
    }

    /// As [`blocking_recv`](Self::blocking_recv), for so long at most.
    ///
    /// # Errors
    /// When none came in that time, or the node was stopped.
    pub fn recv_timeout(&mut self, limit: Duration) -> Result<Notice, RecvTimeoutError> {
        let received = block_on_for(self.recv(), limit).ok_or(RecvTimeoutError::Timeout)?;
        received.ok_or(RecvTimeoutError::Ended)
    }

    /// The next if there is one already.
    ///
    /// # Errors
    /// When there is none yet, or the node was stopped.
    pub fn try_recv(&mut self) -> Result<Notice, TryRecvError> {
        loop {
            if let Next::Item(notice) = self.0.try_next()? {
                return Ok(notice);
            }
        }
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Notice>> {
        loop {
            match self.0.poll_next(context) {
                Poll::Ready(Some(Next::Item(notice))) => return Poll::Ready(Some(notice)),
                Poll::Ready(Some(Next::Missed(_))) => {}
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Stream for Notices {
    type Item = Notice;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Notice>> {
        self.get_mut().poll_recv(context)
    }
}
