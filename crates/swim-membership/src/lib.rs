//! Who is there: the member table, probes, suspicion, local health, join and leave.
//!
//! [`Membership`] is a pure machine. It is told what came in, as values, and when; it says what
//! should happen, as [`Action`]s. It sees no byte, no socket, no thread and no clock, and its
//! randomness is one seed. The rules that the code cites (M1, P4, …) are those of
//! `docs/PROTOCOL.md`.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(test)]
extern crate std;

mod action;
mod config;
mod counters;
mod deadlines;
mod health;
mod index;
mod keeping;
mod known;
mod known_bug;
mod local;
mod membership;
mod order;
mod probe;
mod relay;
mod reservation;
mod seeds;
mod suspicion;
mod table;
mod time;

pub use action::{Action, Ask, Event, EventKind, MemberView, Tell, Via, Who};
pub use config::{Builder as ConfigBuilder, Config, ConfigError, ParseProfileError, Profile};
pub use counters::Counters;
pub use health::LocalHealth;
pub use keeping::SavedState;
#[doc(hidden)]
pub use known_bug::KnownBug;
pub use membership::{Membership, Source};
pub use suspicion::{Suspicion, SuspicionTimes};
pub use table::{Lookup, MemberIx, Table};
pub use time::Instant;
