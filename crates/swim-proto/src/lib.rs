//! What is said: identities, claims, records, messages and their bytes.
//!
//! This crate is the vocabulary of the other layers and decides nothing. It is `no_std`: it has no
//! clock, no socket and no thread. `docs/PROTOCOL.md` describes every byte; the rules that it
//! numbers are cited here as, for example, W3.

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
