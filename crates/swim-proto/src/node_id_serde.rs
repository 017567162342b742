//! A node id in the formats of programs: its text where people read it, its bytes elsewhere.

use core::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::identity::NodeId;

impl Serialize for NodeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => self.as_bytes().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_str(Text),
            false => Deserialize::deserialize(deserializer).map(Self::from_bytes),
        }
    }
}

/// Takes the text wherever it lies, without a copy.
struct Text;

impl Visitor<'_> for Text {
    type Value = NodeId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node id, 32 hexadecimal digits with or without hyphens")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<NodeId, E> {
        text.parse().map_err(E::custom)
    }
}
