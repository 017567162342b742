//! Faults that systems of this kind had, put back on demand, so that a simulator can be seen to find
//! them. They can be switched on only with the feature `known-bugs`, which no product enables.

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KnownBug {
    /// A node that restarted with a low number does not rise above the one that is held of it.
    RestartBelow,
    /// The incarnation is a narrow number that wraps.
    NumberWraps,
    /// A death at a higher incarnation does not raise the number that is held.
    DeathKeepsNumber,
    /// Of a batch of news nothing is taken after a member whose news is queued already.
    BatchCutShort,
    /// A member that has left can never come back.
    LeftForGood,
    /// Whatever ack comes from the address that was pinged ends the probe.
    AcksWithoutNumbers,
}

impl KnownBug {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::RestartBelow,
        Self::NumberWraps,
        Self::DeathKeepsNumber,
        Self::BatchCutShort,
        Self::LeftForGood,
        Self::AcksWithoutNumbers,
    ];
}
