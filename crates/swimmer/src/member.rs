//! A member as users see it.

use std::net::SocketAddr;
use std::sync::Arc;

use swim_proto::{Incarnation, NodeId, State, Versions};

/// One member at one moment. Cheap to clone; it does not change under its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Member {
    /// Its identity, the same over restarts.
    pub id: NodeId,
    /// Its name, for people; may be empty and need not be unique. At most 128 bytes, without
    /// control characters.
    pub name: Arc<str>,
    /// Where it is reached.
    pub address: SocketAddr,
    /// What is held of it.
    pub state: State,
    /// In which of its incarnations.
    pub incarnation: Incarnation,
    /// What its application says of it: opaque bytes, at most 512.
    pub metadata: Arc<[u8]>,
    /// The protocol versions that it speaks.
    pub versions: Versions,
}
