//! Who is there: the member table, probes, suspicion, local health, join and leave.
//!
//! [`Membership`] is a pure machine. It is told what came in, as values, and when; it says what
//! should happen, as [`Action`]s. It sees no byte, no socket, no thread and no clock, and its
//! randomness is one seed. The rules that the code cites (M1, P4, …) are those of
//! `docs/PROTOCOL.md`.
//!
//! # The order of calls
//!
//! 1. [`Membership::new`], or [`with_saved`](Membership::with_saved) for a node that keeps something
//!    over restarts, then [`join`](Membership::join) with the seeds.
//! 2. After each call that changes something: [`poll_action`](Membership::poll_action) until it
//!    gives `None`. Actions are to be done in the order in which they come.
//! 3. Then wait for something to come in, and no longer than until
//!    [`deadline`](Membership::deadline), which each call may move.
//!    - The deadline: [`handle_lateness`](Membership::handle_lateness) if the caller woke late, then
//!      [`handle_timeout`](Membership::handle_timeout).
//!    - A datagram: [`via`](Membership::via), which says how it came, before anything of it is taken
//!      in; [`handle_part`](Membership::handle_part) for each part as they stand;
//!      [`handle_datagram`](Membership::handle_datagram) for the message, which is answered by what
//!      the parts have told; [`handle_note`](Membership::handle_note) last.
//!    - The end of an [`Action::Exchange`] or [`Action::Persist`]: the `handle_` method for it.
//! 4. [`leave`](Membership::leave), and on as before until [`Action::Left`].
//!
//! `now` never goes back. Where there is a wall clock, [`handle_clock`](Membership::handle_clock) goes
//! before each input.
//!
//! Here a node meets a member, which answers its pings for ten seconds and then no more:
//!
//! ```
//! use core::time::Duration;
//! use swim_membership::{Action, Config, EventKind, Instant, Membership, Profile, Source};
//! use swim_proto::{ClusterName, Datagram, Incarnation, NodeId, Part, RecordFields, Versions};
//!
//! let record = |address| {
//!     let versions = Versions::default();
//!     RecordFields { address, versions, name: "", metadata: b"", later: &[] }.build()
//! };
//! let (here, there) = ("10.0.0.1:2552".parse()?, "10.0.0.2:2552".parse()?);
//! let (one, two) = (NodeId::from_bytes([1; 16]), NodeId::from_bytes([2; 16]));
//! let tag = ClusterName::new("cluster1")?.tag();
//! let (config, mut now) = (Config::preset(Profile::Lan), Instant::ZERO);
//! let mut node = Membership::new(config, one, record(here)?, tag, 7, now);
//!
//! // A datagram of gossip comes in, with what `two` says of itself.
//! let (message, theirs) = (Datagram::Gossip, record(there)?);
//! let source = Source { address: there, via: node.via(there, &message) };
//! let alive = Part::Alive { id: two, incarnation: Incarnation(1), record: theirs.as_bytes() };
//! node.handle_part(now, source, &alive);
//! node.handle_datagram(now, there, &message);
//!
//! let mut events = Vec::new();
//! while now < Instant::ZERO + Duration::from_secs(20) {
//!     while let Some(action) = node.poll_action() {
//!         match action {
//!             Action::Send { to, message: Datagram::Ping { seq, .. }, .. }
//!                 if to == there && now < Instant::ZERO + Duration::from_secs(10) =>
//!             {
//!                 node.handle_datagram(now, there, &Datagram::Ack { seq, note: None });
//!             }
//!             Action::Event(event) => events.push((now, event.kind)),
//!             // What else is to be sent, told or asked is lost in this example.
//!             _ => {}
//!         }
//!     }
//!     now = node.deadline();
//!     node.handle_timeout(now);
//! }
//! assert_eq!(events[0], (Instant::ZERO, EventKind::Joined));
//! let (at, kind) = events[1];
//! assert_eq!(kind, EventKind::Suspected);
//! assert!((10..13).contains(&(at - Instant::ZERO).as_secs()), "{at}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
