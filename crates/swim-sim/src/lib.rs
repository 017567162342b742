//! Clusters of swimmer's real nodes under one virtual clock and one seed.
//!
//! A [`Cluster`] runs nodes of the real composition, with real bytes, on simulated links, and looks
//! after every step whether the invariants of `docs/PROTOCOL.md` hold. The same seed gives the
//! same run, byte for byte.
//!
//! ```
//! use std::time::Duration;
//! use swim_sim::{Cluster, Options};
//! use swimmer::{Config, Profile, State};
//!
//! let mut cluster = Cluster::new(Options::new(7, Config::preset(Profile::Lan)));
//! cluster.warm(5);
//! let (victim, witness) = (cluster.hosts().nth(4).unwrap(), cluster.hosts().next().unwrap());
//! cluster.crash(victim);
//! cluster.run_for(Duration::from_secs(40))?;
//! assert_eq!(cluster.sees(witness, victim), Some(State::Dead));
//! # Ok::<(), swim_sim::Violation>(())
//! ```

#![forbid(unsafe_code)]

mod check;
mod cluster;
mod environment;
mod fault;
mod host;
mod liar;
mod lie;
mod link;
mod meter;
mod names;
mod panics;
mod plan;
mod queue;
mod shrink;
#[cfg(feature = "cli")]
mod soak;
mod speech;
mod story;
mod sweep;
mod transcript;
mod wall_clock;
mod words;

pub use check::Violation;
pub use cluster::{
    Checks, Cluster, Data, Ended, Gone, HostIx, Observation, Options, Place, Seen, Traffic,
};
pub use environment::{Environment, Health};
pub use fault::{Fault, Isolation};
pub use host::{Condition, Skew};
pub use lie::Lie;
pub use link::{Conditions, Links, Tampering};
pub use meter::Meter;
pub use plan::{Outcome, Plan, Sightings, Size};
#[cfg(feature = "cli")]
pub use soak::{SoakArgs, run as run_soak};
pub use story::Story;
pub use sweep::{Band, Failure, Summary};
pub use swim_membership::KnownBug;
pub use transcript::{Detail, Transcript};
pub use words::TextError;
