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
mod agreement;
mod config;
mod conflict_times;
mod counters;
mod deadlines;
mod digest;
mod healing;
mod health;
mod index;
mod isolation;
mod keeping;
mod known;
mod known_bug;
mod leaving;
mod local;
mod membership;
mod moves;
mod order;
mod patience;
mod places;
mod planes;
mod probe;
mod probe_times;
mod refusing;
mod relay;
mod reservation;
mod ring;
mod rival;
mod rotation;
mod rtt;
mod seeds;
mod setting;
mod slow_network;
mod suspicion;
mod table;
mod time;

pub use action::{Action, Ask, Death, Event, EventKind, MemberView, SyncEnd, Tell, Via, Who};
pub use config::{
    Buddy, Builder as ConfigBuilder, Config, ConfigError, HealthRule, Nacks, ParseProfileError,
    ProbeOrder, Profile, SuspicionRule,
};
pub use counters::Counters;
pub use digest::Stretch;
pub use health::LocalHealth;
pub use keeping::SavedState;
#[doc(hidden)]
pub use known_bug::KnownBug;
pub use membership::{Membership, Source, is_out_of_reach};
pub use planes::Plane;
pub use setting::SetError;
pub use suspicion::{Suspicion, SuspicionTimes};
pub use table::{Lookup, MemberIx, Table};
pub use time::{Instant, Now};
