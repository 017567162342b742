//! What a node wants done, one thing at a time and in the order in which it was decided.

use std::net::SocketAddr;

use swim_membership::{Instant, SavedState};

use crate::event::{Event, Message, Notice};

/// Names one exchange that the node has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(pub u64);

/// Names one request that the driver has handed in; the driver chooses the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// Names one reliable message that a user has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SendId(pub u64);

/// Names one message that was offered to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OfferId(pub u64);

/// What came of a message that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Taken {
    /// The application has it, or will when it reads.
    Taken,
    /// Nobody reads messages.
    NoReader,
    /// Too many wait already.
    NoRoom,
}

/// What came of a message that was sent reliably.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendOutcome {
    /// The member's application has taken it, or this node's own.
    Taken,
    /// Nobody reads messages there.
    NoReader,
    /// Too many wait there already.
    NoRoom,
    /// The member has not acknowledged it in time; it may have got it.
    Unanswered,
}

impl From<Taken> for SendOutcome {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Taken => Self::Taken,
            Taken::NoReader => Self::NoReader,
            Taken::NoRoom => Self::NoRoom,
        }
    }
}

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
    /// Answer this request. One without an answer by the next `Wait` gets none, unless a message was
    /// offered meanwhile and is not answered for yet.
    Reply {
        /// The driver's number.
        id: RequestId,
        /// The whole frame.
        frame: &'a [u8],
    },
    /// Tell the user.
    Event(Event),
    /// Offer this to the application, and call `handle_offered` with what came of it: its sender may
    /// wait for that.
    Message {
        /// The number to hand back.
        id: OfferId,
        /// The message.
        message: Message,
    },
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
        /// What came of it.
        outcome: SendOutcome,
    },
}
