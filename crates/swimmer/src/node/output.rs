//! What a node wants done, one thing at a time and in the order in which it was decided.

use std::net::SocketAddr;

use swim_membership::{Instant, SavedState};

use crate::event::{Event, Notice};

/// Names one exchange that the node has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u64);

/// Names one request that the driver has handed in; the driver chooses the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names one reliable message that a user has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SendId(pub u64);

/// What a node wants done next. Bytes are lent until the next call.
#[derive(Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// Send this datagram.
    Datagram {
        /// To whom.
        to: SocketAddr,
        /// The whole payload.
        payload: &'a [u8],
    },
    /// Ask this over the reliable plane, and call `handle_reply` with what comes of it.
    Exchange {
        /// The number to hand back.
        id: ExchangeId,
        /// Whom.
        to: SocketAddr,
        /// The whole frame.
        request: &'a [u8],
        /// When to give up.
        deadline: Instant,
    },
    /// Answer this request. One without an answer by the next `Wait` gets none.
    Reply {
        /// The driver's number.
        id: RequestId,
        /// The whole frame.
        frame: &'a [u8],
    },
    /// Tell the user.
    Event(Event),
    /// Tell the operator.
    Notice(Notice),
    /// Write this in place of what was written before, and call `handle_persisted` with what comes
    /// of it. The next one does not come before that.
    Persist(SavedState),
    /// A command that takes time has ended.
    Completed(Completion),
    /// Nothing more: wait for input, or until this moment, then call `handle_timeout`.
    Wait(Instant),
}

/// How a command that takes time has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// `leave`: so many lasting members of those that were told have acknowledged it.
    Left {
        /// How many acknowledged it and, as far as is known, do not leave as well.
        acknowledged: u32,
        /// How many were told.
        told: u32,
    },
    /// `send` over the reliable plane.
    Sent {
        /// Which.
        id: SendId,
        /// Whether the peer has acknowledged it.
        delivered: bool,
    },
}
