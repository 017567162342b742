//! Group membership and failure detection for distributed programs, after SWIM and Lifeguard.
//!
//! [`Cluster`] is a node on real sockets: start it, read its members, subscribe to its events.
//! [`node::Node`] is the same protocol as a pure machine: time, randomness and bytes go in,
//! intentions come out. It is all there is without the default feature `tokio`.

#![forbid(unsafe_code)]

#[cfg(feature = "tokio")]
mod cluster;
mod event;
mod member;
pub mod node;

#[cfg(feature = "tokio")]
pub use cluster::{
    AdvertisedBy, Builder, Change, Cluster, CommandError, DataFolderError, LeaveReport, Notices,
    Snapshot, StartError, Subscription, Update, block_on,
};
pub use event::{Death, DeathPath, Delivery, Event, Notice};
pub use member::Member;
pub use swim_membership::{Config, ConfigBuilder, ConfigError, Instant, Profile};
pub use swim_proto::{
    Claim, ClusterName, ClusterNameError, Codec, Incarnation, NodeId, RecordError, RefusalReason,
    State,
};
