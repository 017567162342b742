//! Group membership and failure detection for distributed programs, after SWIM and Lifeguard.
//!
//! [`Cluster`] is a node on real sockets: start it, read its members, subscribe to its events.
//! [`node::Node`] is the same protocol as a pure machine: time, randomness and bytes go in,
//! intentions come out. It is all there is without the default feature `tokio`.
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use swimmer::{Cluster, Profile};
//!
//! let node = Cluster::builder("cluster1")
//!     .listen("127.0.0.1:0".parse()?)
//!     .profile(Profile::Local)
//!     .start()
//!     .await?;
//! assert_eq!(node.members().present_count(), 1);
//! node.leave().await?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "tokio"))]
//! # fn main() {}
//! ```
//!
//! # Where to look
//!
//! | to | see |
//! |---|---|
//! | start a node, with or without async | [`Builder`], [`block_on`] |
//! | wait for it to join, or fail if it does not | [`Builder::join_policy`], [`Cluster::ready`] |
//! | know who is there, and who comes and goes | [`Cluster::members`], [`Cluster::subscribe`], [`Event`] |
//! | say something about a node, or to the others | [`Cluster::set_metadata`], [`Cluster::broadcast`], [`Cluster::send_reliable`] |
//! | come back after a restart as the same member | [`Builder::data_dir`], [`Builder::id`] |
//! | tune it | [`Profile`], [`Config`] |
//! | write members and events as JSON, or in another format | the feature `serde`, which gives [`Member`], [`Event`] and what they hold serde's two traits |
//! | see what it counts | [`Cluster::stats`], [`node::Stats::named`] |
//! | carry the bytes by other means | [`transport::Transport`], [`Builder::transport`] |
//! | speak another wire | [`Codec`] and the messages in [`proto`], [`Builder::codec`] |
//! | run the protocol by hand, or in a simulation | [`node`] |
//!
//! A program that does any of this depends on this crate alone: what the seams need is here under
//! [`proto`] and [`transport`]. The folder `examples` has a short program for each.

#![forbid(unsafe_code)]
// Without the feature there is nothing to link to.
#![cfg_attr(not(feature = "tokio"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "tokio")]
mod cluster;
mod event;
mod member;
pub mod node;

#[cfg(feature = "tokio")]
pub use cluster::{
    AdvertisedBy, Builder, Change, Cluster, CommandError, DataFolderError, JoinPolicy, LeaveReport,
    Messages, Notices, RecvTimeoutError, Snapshot, StartError, Subscription, TryRecvError, Update,
    block_on,
};
pub use event::{Death, DeathPath, Delivery, Event, Message, Notice};
pub use member::Member;
pub use swim_membership::{
    Buddy, Config, ConfigBuilder, ConfigError, HealthRule, Instant, Nacks, Now, Plane, ProbeOrder,
    Profile, SuspicionRule,
};
/// What is said, and its bytes: for a [`Codec`] of one's own.
pub use swim_proto as proto;
pub use swim_proto::{
    Claim, ClusterName, ClusterNameError, Codec, Incarnation, NodeId, RecordError, RefusalReason,
    State,
};
/// How bytes travel: for a [`Transport`](swim_transport::Transport) of one's own.
#[cfg(feature = "tokio")]
pub use swim_transport as transport;

/// The README's program is compiled with the documentation's.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../../../README.md")]
struct Readme;
