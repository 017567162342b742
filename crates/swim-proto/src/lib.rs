//! What is said: identities, claims, records, messages and their bytes.
//!
//! This crate is the vocabulary of the other layers and decides nothing. It is `no_std`: it has no
//! clock, no socket and no thread. `docs/PROTOCOL.md` describes every byte; the rules that it
//! numbers are cited here as, for example, W3.
//!
//! # The order of calls
//!
//! A [`Codec`] writes in three steps: `begin_datagram` or `begin_frame` with the message, `push`
//! for each part while there is room, `finish` once, and only then are the bytes ready. It reads
//! in one, `decode_datagram`, `decode_request` or `decode_reply`, after which the parts are read
//! one at a time as they are asked for; after an error there is nothing more.
//!
//! ```
//! use swim_proto::{
//!     BincodeCodec, Claim, ClusterName, Codec, Datagram, Fit, Held, Incarnation, NodeId, Part,
//!     RecordFields, Seq, State, Versions,
//! };
//!
//! let cluster = ClusterName::new("cluster1")?;
//! let tag = cluster.tag();
//! let (one, two) = (NodeId::from_bytes([1; 16]), NodeId::from_bytes([2; 16]));
//! let mut codec = BincodeCodec::new(cluster);
//!
//! // A ping to `two`, with what `one` says of itself behind it.
//! let (address, versions) = ("10.0.0.1:2552".parse()?, Versions::default());
//! let fields = RecordFields { address, versions, name: "one", metadata: b"", later: &[] };
//! let record = fields.build()?;
//! let held = Held { claim: Claim::new(Incarnation(1), State::Alive), record: 0 };
//! let (target, from) = (two.short(tag).tiny(), one.short(tag).tiny());
//! let ping = Datagram::Ping { seq: Seq(7), target, from, held, note: None };
//! let alive = Part::Alive { id: one, incarnation: Incarnation(3), record: record.as_bytes() };
//!
//! let (limit, mut bytes) = (1_400, Vec::new());
//! codec.begin_datagram(&ping, limit, &mut bytes)?;
//! assert_eq!(codec.push(&alive, limit, &mut bytes), Fit::Written);
//! codec.finish(&mut bytes);
//!
//! // On the other side.
//! let mut scratch = Vec::new();
//! let packet = codec.decode_datagram(&mut bytes, &mut scratch)?;
//! assert_eq!(packet.message, ping);
//! let parts = packet.parts.collect::<Result<Vec<_>, _>>()?;
//! assert_eq!(parts, [alive]);
//!
//! // Another cluster takes none of it.
//! let mut other = BincodeCodec::new(ClusterName::new("cluster2")?);
//! assert!(other.decode_datagram(&mut bytes, &mut scratch).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(test)]
extern crate std;

mod bincode_codec;
mod bounded;
mod claim;
mod cluster;
mod codec;
mod digest;
mod hash;
mod identity;
mod later;
pub mod limits;
mod message;
#[cfg(feature = "serde")]
mod node_id_serde;
mod record;
mod scope;

pub use bincode_codec::BincodeCodec;
pub use claim::{Claim, Incarnation, State};
pub use cluster::{ClusterName, ClusterNameError, ClusterTag};
pub use codec::{Codec, DecodeError, EncodeError, Fit, Frame, NextPart, Packet, Parts};
pub use digest::{BucketDigests, BucketSet, member_hash};
pub use hash::{HashDomain, hash64};
pub use identity::{NodeId, ParseNodeIdError, Seq, ShortId, Subject, TinyId};
pub use later::{LaterFields, LaterTag, Timing};
pub use message::{Accusers, Datagram, Held, Part, RefusalReason, Reply, Request, StateNote};
pub use record::{Record, RecordError, RecordFields, Versions};
pub use scope::Scope;
