//! What still has to be told: the piggyback queue of news about members, and the queue of user
//! broadcasts beside it.
//!
//! [`Outbox`] holds both and fills a datagram from them (G1 to G5 of `docs/PROTOCOL.md`). It never
//! knows who is alive and sees no message: news is a number, and what is said is looked up when a
//! datagram is filled, so that it is the freshest. Filling costs what the datagram holds, not what
//! is queued.
//!
//! # The order of calls
//!
//! 1. [`push_update`](Outbox::push_update) and [`push_broadcast`](Outbox::push_broadcast) whenever
//!    there is something to tell. Newer news of a number takes the place of the older.
//! 2. For each datagram: write its message, [`fill`](Outbox::fill) the room behind it, send it. What
//!    was packed counts as sent, whether it arrives or not, and leaves the queue when it was sent as
//!    often as [`transmit_limit`] says.
//! 3. [`remove_update`](Outbox::remove_update) when a number loses its meaning, before it is given
//!    another one.
//!
//! ```
//! use swim_dissemination::{Outbox, Packed, Packer, Urgency, transmit_limit};
//!
//! /// A datagram in which each thing has the room of its text.
//! #[derive(Default)]
//! struct Text(String);
//!
//! impl Text {
//!     fn add(&mut self, text: &str, until: usize) -> Packed {
//!         if self.0.len() + text.len() > until {
//!             return Packed::NoRoom;
//!         }
//!         self.0.push_str(text);
//!         Packed::Done
//!     }
//! }
//!
//! impl Packer<&str> for Text {
//!     fn used(&self) -> usize {
//!         self.0.len()
//!     }
//!
//!     fn pack_update(&mut self, key: u32, until: usize) -> Packed {
//!         // Looked up now: what is told is the freshest.
//!         match ["one is alive. ", "two is dead. "].get(key as usize) {
//!             Some(news) => self.add(news, until),
//!             None => Packed::Gone,
//!         }
//!     }
//!
//!     fn pack_broadcast(&mut self, item: &&str, until: usize) -> Packed {
//!         self.add(item, until)
//!     }
//! }
//!
//! let mut outbox = Outbox::new();
//! outbox.push_update(0, Urgency::Normal);
//! outbox.push_update(1, Urgency::Normal);
//! outbox.push_update(1, Urgency::Urgent);
//! outbox.push_broadcast("hello. ", 7);
//!
//! let (members, lambda, mut datagrams) = (12, 1, Vec::new());
//! while !outbox.is_empty() {
//!     let mut datagram = Text::default();
//!     outbox.fill(&mut datagram, 40, transmit_limit(members, lambda));
//!     datagrams.push(datagram.0);
//! }
//! assert_eq!(datagrams, ["hello. two is dead. one is alive. "; 2]);
//! ```

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
