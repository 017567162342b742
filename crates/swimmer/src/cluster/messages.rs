//! Messages to this node alone: a bounded queue that its readers share.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;

use super::blocking::{block_on, block_on_for};
use super::log::{RecvTimeoutError, TryRecvError};
use super::mirror::Mirror;
use crate::event::Message;
use crate::node::Taken;

/// How many messages wait for readers, and how many bytes.
const MESSAGES_MAX: usize = 1_024;
const BYTES_MAX: usize = 16 << 20;

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Message>,
    bytes: usize,
    readers: usize,
    /// The number of the last reader.
    numbers: u64,
    waiting: BTreeMap<u64, Waker>,
    closed: bool,
}

/// Where the loop puts messages.
#[derive(Debug, Default)]
pub(super) struct Inbox(Mutex<State>);

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message if somebody reads and there is room.
    pub(super) fn offer(&self, message: Message) -> Taken {
        let mut state = self.lock();
        if state.readers == 0 {
            return Taken::NoReader;
        }
        let bytes = state.bytes + message.payload.len();
        if state.queue.len() == MESSAGES_MAX || bytes > BYTES_MAX {
            return Taken::NoRoom;
        }
        state.bytes = bytes;
        state.queue.push_back(message);
        // All who wait, for whoever is woken may have stopped waiting.
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
        Taken::Taken
    }

    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(Waker::wake);
    }
}

/// The messages to this node alone, best effort and reliable, in the order in which they came. At
/// most 1,024 wait, of 16 MiB in all; a further one is not taken, and its sender learns so if it was
/// sent reliably. Readers share them: each message goes to one. With the last reader what was not read
/// is dropped. A reader does not keep the node running.
#[derive(Debug)]
pub struct Messages {
    inbox: Arc<Inbox>,
    mirror: Arc<Mirror>,
    number: u64,
}

impl Messages {
    pub(super) fn new(inbox: Arc<Inbox>, mirror: Arc<Mirror>) -> Self {
        let mut state = inbox.lock();
        state.readers += 1;
        state.numbers += 1;
        let number = state.numbers;
        drop(state);
        Self { inbox, mirror, number }
    }

    /// Waits for the next; `None`: the node was stopped. Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Message> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// As [`recv`](Self::recv), blocking this thread.
    pub fn blocking_recv(&mut self) -> Option<Message> {
        block_on(self.recv())
    }

    /// As [`blocking_recv`](Self::blocking_recv), for so long at most.
    ///
    /// # Errors
    /// When none came in that time, or the node was stopped.
    pub fn recv_timeout(&mut self, limit: Duration) -> Result<Message, RecvTimeoutError> {
        let received = block_on_for(self.recv(), limit).ok_or(RecvTimeoutError::Timeout)?;
        received.ok_or(RecvTimeoutError::Ended)
    }

    /// The next if there is one already.
    ///
    /// # Errors
    /// When there is none yet, or the node was stopped.
    pub fn try_recv(&mut self) -> Result<Message, TryRecvError> {
        Self::take(&mut self.inbox.lock())
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Message>> {
        // A waker may own what waits: it is made and dropped without the lock.
        let waker = context.waker().clone();
        let mut state = self.inbox.lock();
        match Self::take(&mut state) {
            Ok(message) => Poll::Ready(Some(message)),
            Err(TryRecvError::Ended) => Poll::Ready(None),
            Err(TryRecvError::Empty) => {
                let replaced = state.waiting.insert(self.number, waker);
                drop(state);
                drop(replaced);
                Poll::Pending
            }
        }
    }

    fn take(state: &mut State) -> Result<Message, TryRecvError> {
        match state.queue.pop_front() {
            Some(message) => {
                state.bytes -= message.payload.len();
                Ok(message)
            }
            None if state.closed => Err(TryRecvError::Ended),
            None => Err(TryRecvError::Empty),
        }
    }
}

impl Stream for Messages {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        self.get_mut().poll_recv(context)
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        let mut state = self.inbox.lock();
        state.readers -= 1;
        let waker = state.waiting.remove(&self.number);
        let mut unread = VecDeque::new();
        if state.readers == 0 {
            unread = std::mem::take(&mut state.queue);
            state.bytes = 0;
        }
        drop(state);
        drop(waker);
        self.mirror.count(|counters| counters.messages_unread += unread.len() as u64);
    }
}
