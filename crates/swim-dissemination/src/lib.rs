//! What still has to be told: the piggyback queue of news about members, and the queue of user
//! broadcasts beside it.
//!
//! [`Outbox`] holds both and fills a datagram from them (G1 to G5 of `docs/PROTOCOL.md`). It never
//! knows who is alive and sees no message: news is a number, and what is said is looked up when a
//! datagram is filled, so that it is the freshest. Filling costs what the datagram holds, not what
//! is queued.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(test)]
extern crate std;

mod broadcasts;
mod outbox;
mod ranked;
mod seen;
mod updates;

pub use broadcasts::BroadcastQueue;
pub use outbox::{Outbox, Packer};
pub use ranked::{Packed, Urgency};
pub use seen::SeenSet;
pub use updates::{UpdateQueue, transmit_limit};
