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
mod host;
mod liar;
mod link;
mod plan;
mod queue;
mod transcript;

pub use check::Violation;
pub use cluster::{Checks, Cluster, Data, HostIx, Observation, Options, Place, Seen, Traffic};
pub use host::{Condition, Skew};
pub use liar::Lie;
pub use link::{Conditions, Links};
pub use plan::{Fault, Isolation, Outcome, Plan, Sightings};
pub use swim_membership::KnownBug;
pub use transcript::{Detail, Transcript};
