//! A cluster's name, which sorts out datagrams and frames of other clusters.

use alloc::boxed::Box;
use core::fmt;

use crate::hash::{HashDomain, hash64};
use crate::limits::CLUSTER_NAME_BYTES_MAX;

/// The first 8 bytes of the hash of a cluster's name (W3). Frames carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClusterTag(pub u64);

impl ClusterTag {
    /// The tag of a name, checked or not.
    pub(crate) fn of(name: &str) -> Self {
        Self(hash64(HashDomain::Cluster, name.as_bytes()))
    }
}

/// A checked cluster name: 1 to 64 bytes of UTF-8 without control characters (W3).
///
/// ```
/// use swim_proto::ClusterName;
///
/// let name = ClusterName::new("cluster1")?;
/// assert_eq!(name.as_str(), "cluster1");
/// assert!(ClusterName::new("").is_err());
/// # Ok::<(), swim_proto::ClusterNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClusterName(Box<str>);

/// Why a text is not a cluster name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterNameError {
    /// The name is empty; every cluster has a name.
    #[error("a cluster name is empty; give it 1 to {CLUSTER_NAME_BYTES_MAX} bytes")]
    Empty,
    /// The name is longer than 64 bytes.
    #[error("a cluster name of {0} bytes is too long; {CLUSTER_NAME_BYTES_MAX} bytes is the most")]
    TooLong(usize),
    /// The name holds a control character.
    #[error("a cluster name holds a control character")]
    Control,
}

impl ClusterName {
    /// Checks `name`.
    ///
    /// # Errors
    /// When it is empty, longer than 64 bytes or holds control characters.
    pub fn new(name: &str) -> Result<Self, ClusterNameError> {
        Self::check(name)?;
        Ok(Self(name.into()))
    }

    /// Whether `name` is one, without keeping it.
    pub(crate) fn check(name: &str) -> Result<(), ClusterNameError> {
        if name.is_empty() {
            return Err(ClusterNameError::Empty);
        }
        if name.len() > CLUSTER_NAME_BYTES_MAX {
            return Err(ClusterNameError::TooLong(name.len()));
        }
        if name.chars().any(char::is_control) {
            return Err(ClusterNameError::Control);
        }
        Ok(())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag that frames carry and short ids are made with.
    pub fn tag(&self) -> ClusterTag {
        ClusterTag::of(&self.0)
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
