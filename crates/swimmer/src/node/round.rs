//! Where a comparison of tables stands, on the asker's side (E2).

use std::net::SocketAddr;

use swim_membership::{Ask, Stretch};
use swim_proto::{
    BucketSet, Claim, ClusterTag, HashDomain, Part, Parts, ShortId, State, Subject, hash64,
    member_hash,
};

/// So often digests are compared in one exchange at most: tables that change all the time, or that
/// contradict each other, are not equal at its end.
const PASSES_MAX: u32 = 3;

/// A comparison of digests, of which most end with it: both are equal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    pub(super) to: SocketAddr,
    /// Why it was begun.
    pub(super) ask: Ask,
    /// The own digest when the exchange began.
    pub(super) before: u64,
    /// The own digest when this one was asked.
    pub(super) own: u64,
    /// Which of the exchange it is.
    pub(super) pass: u32,
    /// Rounds of the exchange up to this one.
    pub(super) rounds: u32,
}

impl Comparison {
    /// The first of an exchange, when the own digest is `own`.
    pub(super) fn first(to: SocketAddr, ask: Ask, own: u64) -> Self {
        Self { to, ask, before: own, own, pass: 1, rounds: 1 }
    }
}

/// What follows a comparison that has found a difference, on the asker's side.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) comparison: Comparison,
    /// What the other side has said its digest was then.
    pub(super) theirs: u64,
    /// The buckets that differ.
    pub(super) buckets: BucketSet,
    /// From where on this request asks to be told, `None`: it only tells.
    pub(super) pull: Option<ShortId>,
    /// From where on a later one will ask.
    pub(super) rest: Option<ShortId>,
    /// What the other side has told of a stretch, and how much of ours it was told in turn.
    pub(super) push: Option<Push>,
    /// Whether this request only contradicts. What is of no use once is of none a second time.
    pub(super) contradicts: bool,
}

/// What is to be asked next.
pub(super) enum Next {
    Compare(Comparison),
    Tell(Box<Round>),
}

/// A stretch that the other side has told, of which it is told what it does not hold.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) stretch: Stretch,
    /// Whom the other side has named, and the hash of what it holds of them, sorted.
    pub(super) named: Vec<(ShortId, u64)>,
}

impl Push {
    pub(super) fn lacks(&self, short: ShortId, hash: u64) -> bool {
        self.named.binary_search(&(short, hash)).is_err()
    }
}

impl Round {
    pub(super) fn new(comparison: Comparison, theirs: u64, buckets: BucketSet) -> Self {
        let pull = Some(ShortId(0));
        Self { comparison, theirs, buckets, pull, rest: None, push: None, contradicts: false }
    }

    /// The other side has told what it holds of the buckets up to `next`.
    pub(super) fn on_told(&mut self, next: Option<ShortId>, named: Vec<(ShortId, u64)>) {
        let Some(from) = self.pull.take() else { return };
        // A stretch that does not go on is the end, or a liar could keep us for long.
        self.rest = next.filter(|&next| next > from);
        let stretch = Stretch { buckets: self.buckets, from, until: self.rest };
        self.push = Some(Push { stretch, named });
    }

    /// Whether digests are to be compared again after the last round: what one side was told may
    /// make it tell more, of one back from the dead the record.
    pub(super) fn wants_another(&self, own: u64, theirs: u64) -> bool {
        (self.comparison.own, self.theirs) != (own, theirs) && self.comparison.pass < PASSES_MAX
    }
}

/// Whom parts name as present, with the hash of what they say of them (D1), sorted.
pub(super) fn named(parts: Parts<'_>, tag: ClusterTag) -> Vec<(ShortId, u64)> {
    let mut named: Vec<(ShortId, u64)> = Vec::new();
    let mut last = None;
    for part in parts.flatten() {
        match part {
            Part::Alive { id, incarnation, record } => {
                let (short, record) = (id.short(tag), hash64(HashDomain::Record, record));
                let claim = Claim::new(incarnation, State::Alive);
                named.push((short, member_hash(id, claim, incarnation, record)));
                last = Some((id, incarnation, record));
            }
            Part::Suspect { subject, incarnation, .. } => {
                let Some((id, made_in, record)) = last else { continue };
                let same = match subject {
                    Subject::Full(full) => full == id,
                    Subject::Short(short) => short == id.short(tag),
                };
                let claim = Claim::new(incarnation, State::Suspect);
                if let (true, Some(named)) = (same, named.last_mut()) {
                    named.1 = member_hash(id, claim, made_in, record);
                }
            }
            _ => {}
        }
    }
    named.sort_unstable();
    named
}
