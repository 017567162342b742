//! Comparing tables by what differs (E2). The responder remembers nothing between two requests; the
//! asker keeps where it stands in a `Round`.
//!
//! ```text
//! asker                                            responder
//!   sync (digests of its buckets)         ──────────►
//!              ◄────────── entries: which buckets differ, and what the responder holds of them
//!   records (what the responder lacks)    ──────────►      until both have told all, or are equal
//!              ◄────────── entries: more of the buckets, where one frame did not hold it
//! ```
//!
//! What is told of the buckets goes in the order of short ids. So each reply speaks for a whole
//! stretch of them: whom it does not name there the responder does not hold.

use std::net::SocketAddr;

use swim_membership::{Ask, MemberIx, Source, Stretch, SyncEnd, Via, Who};
use swim_proto::limits::{BUCKETS, FRAME_BYTES_MAX};
use swim_proto::{
    BucketDigests, BucketSet, Claim, ClusterTag, Fit, Frame, HashDomain, NodeId, Part, Parts,
    RefusalReason, Reply, Request, ShortId, State, Subject, hash64, member_hash,
};

use super::exchanges::Purpose;
use super::output::RequestId;
use super::{Node, Pending, Ready};

/// An exchange of more rounds than this is broken off; a whole table of the largest size fits.
const ROUNDS_MAX: u32 = 2_048;
/// So often digests are compared in one exchange at most: tables that change all the time, or that
/// contradict each other, are not equal at its end.
const PASSES_MAX: u32 = 3;

/// A comparison of digests, of which most end with it: both are equal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    to: SocketAddr,
    /// Why it was begun.
    ask: Ask,
    /// The own digest when the exchange began.
    before: u64,
    /// The own digest when this one was asked.
    own: u64,
    /// Which of the exchange it is.
    pass: u32,
    /// Rounds of the exchange up to this one.
    rounds: u32,
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
    comparison: Comparison,
    /// What the other side has said its digest was then.
    theirs: u64,
    /// The buckets that differ.
    buckets: BucketSet,
    /// From where on this request asks to be told, `None`: it only tells.
    pull: Option<ShortId>,
    /// From where on a later one will ask.
    rest: Option<ShortId>,
    /// What the other side has told of a stretch, and how much of ours it was told in turn.
    push: Option<Push>,
}

/// What is to be asked next.
pub(super) enum Next {
    Compare(Comparison),
    Tell(Box<Round>),
}

/// A stretch that the other side has told, of which it is told what it does not hold.
#[derive(Debug)]
struct Push {
    stretch: Stretch,
    /// Whom the other side has named, and the hash of what it holds of them, sorted.
    named: Vec<(ShortId, u64)>,
}

impl Push {
    fn lacks(&self, short: ShortId, hash: u64) -> bool {
        self.named.binary_search(&(short, hash)).is_err()
    }
}

impl Round {
    fn new(comparison: Comparison, theirs: u64, buckets: BucketSet) -> Self {
        let pull = Some(ShortId(0));
        Self { comparison, theirs, buckets, pull, rest: None, push: None }
    }

    /// The other side has told what it holds of the buckets up to `next`.
    fn on_told(&mut self, next: Option<ShortId>, named: Vec<(ShortId, u64)>) {
        let Some(from) = self.pull.take() else { return };
        // A stretch that does not go on is the end, or a liar could keep us for long.
        self.rest = next.filter(|&next| next > from);
        let stretch = Stretch { buckets: self.buckets, from, until: self.rest };
        self.push = Some(Push { stretch, named });
    }

    /// Whether digests are to be compared again after the last round: what one side was told may
    /// make it tell more, of one back from the dead the record.
    fn wants_another(&self, own: u64, theirs: u64) -> bool {
        (self.comparison.own, self.theirs) != (own, theirs) && self.comparison.pass < PASSES_MAX
    }
}

impl Node {
    pub(super) fn pack_next(&mut self, next: Next) -> Option<Ready> {
        match next {
            Next::Compare(comparison) => self.pack_sync(comparison),
            Next::Tell(round) => self.pack_records(round),
        }
    }

    pub(super) fn pack_sync(&mut self, comparison: Comparison) -> Option<Ready> {
        let mut buffer = [0; 8 * BUCKETS];
        let digests = BucketDigests::write(&self.membership.bucket_digests(), &mut buffer);
        self.begin(&Frame::Request(Request::Sync { from: self.membership.id(), digests }))?;
        let _ = self.push_part(Who::Local, FRAME_BYTES_MAX);
        let deadline = self.exchange_deadline();
        self.finish_exchange(comparison.to, Purpose::Sync(comparison), deadline)
    }

    /// A further round: what the last one left contradicted, our own word, and what the other side
    /// lacks as far as it fits. Only once all of that fits the other side is asked to go on.
    fn pack_records(&mut self, mut round: Box<Round>) -> Option<Ready> {
        let mut selected = std::mem::take(&mut self.selected);
        let mut more = self.select_lacking(&round, &mut selected);
        let (from, buckets) = (self.membership.id(), round.buckets);
        let told = loop {
            let pull = if more.is_none() { round.rest } else { None };
            self.begin(&Frame::Request(Request::Records { from, buckets, pull }))?;
            let told = self.push_head();
            match self.push_records(&selected) {
                None => break told,
                Some(cut) => {
                    more = Some(selected[cut].0);
                    selected.truncate(cut);
                }
            }
        };
        self.membership.end_contradictions(told);
        self.selected = selected;
        match (&mut round.push, more) {
            (Some(push), Some(from)) => push.stretch.from = from,
            _ => {
                round.push = None;
                round.pull = round.rest.take();
            }
        }
        let deadline = self.exchange_deadline();
        self.finish_exchange(round.comparison.to, Purpose::Records(round), deadline)
    }

    /// The members that the other side does not hold as we do. Returns from where on there are more.
    fn select_lacking(
        &self,
        round: &Round,
        selected: &mut Vec<(ShortId, MemberIx)>,
    ) -> Option<ShortId> {
        selected.clear();
        let push = round.push.as_ref()?;
        let table = self.membership.table();
        table.select(&push.stretch, |short, ix| push.lacks(short, table.hash_held(ix)), selected)
    }

    /// What contradicts the other side (E3), then our own word. Returns how many contradictions.
    fn push_head(&mut self) -> usize {
        let (codec, out) = (&mut *self.codec, &mut self.out);
        let fits = |part: &Part<'_>| codec.push(part, FRAME_BYTES_MAX, out) == Fit::Written;
        let told = self.membership.contradictions().take_while(fits).count();
        let _ = self.push_part(Who::Local, FRAME_BYTES_MAX);
        told
    }

    /// Tells these members, each by its record and, if it is suspect, that. Returns which is the
    /// first that does not fit.
    fn push_records(&mut self, selected: &[(ShortId, MemberIx)]) -> Option<usize> {
        let membership = &self.membership;
        selected.iter().position(|&(_, ix)| {
            let record = membership.record_part(ix);
            let suspect = membership.claim(ix).state == State::Suspect;
            let suspicion = membership.part(Who::Member(ix)).filter(|_| suspect);
            let mut parts = std::iter::once(record).chain(suspicion);
            parts.any(|part| self.codec.push(&part, FRAME_BYTES_MAX, &mut self.out) == Fit::NoRoom)
        })
    }

    pub(super) fn on_sync(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        peer: NodeId,
        digests: &BucketDigests<'_>,
        parts: Parts<'_>,
    ) {
        if !self.take_request(from, id, peer, parts) {
            return;
        }
        let buckets = digests.differing(&self.membership.bucket_digests());
        self.reply_entries(id, buckets, Some(ShortId(0)));
    }

    pub(super) fn on_records(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        peer: NodeId,
        (buckets, pull): (BucketSet, Option<ShortId>),
        parts: Parts<'_>,
    ) {
        if self.take_request(from, id, peer, parts) {
            self.reply_entries(id, buckets, pull);
        }
    }

    /// Takes what a request tells. Returns whether it is to be answered with entries.
    fn take_request(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        peer: NodeId,
        parts: Parts<'_>,
    ) -> bool {
        if self.membership.has_left() {
            self.refuse(id, RefusalReason::NotRunning);
            return false;
        }
        self.membership.end_contradictions(0);
        self.handle_parts(Source { address: from, via: Via::Request(peer) }, parts);
        true
    }

    /// Entries are packed again where they do not fit one frame: from where on there is more
    /// stands before them, and is known only after.
    fn reply_entries(&mut self, id: RequestId, buckets: BucketSet, pull: Option<ShortId>) {
        let (from, digest) = (self.membership.id(), self.membership.digest());
        let mut selected = std::mem::take(&mut self.selected);
        selected.clear();
        let mut next = pull.and_then(|from| {
            let stretch = Stretch { buckets, from, until: None };
            self.membership.table().select(&stretch, |_, _| true, &mut selected)
        });
        let told = loop {
            let entries = Reply::Entries { from, digest, buckets, next };
            if self.begin(&Frame::Reply(entries)).is_none() {
                return;
            }
            let told = self.push_head();
            match self.push_records(&selected) {
                None => break told,
                Some(cut) => {
                    next = Some(selected[cut].0);
                    selected.truncate(cut);
                }
            }
        };
        self.membership.end_contradictions(told);
        self.selected = selected;
        self.finish_reply(id);
    }

    /// The other side has compared digests, and tells what it holds of the buckets that differ.
    pub(super) fn on_compared(
        &mut self,
        comparison: Comparison,
        from: NodeId,
        theirs: u64,
        (buckets, next): (BucketSet, Option<ShortId>),
        parts: Parts<'_>,
    ) {
        if self.take_told(&comparison, from, theirs, parts.clone()) {
            let round = Box::new(Round::new(comparison, theirs, buckets));
            self.go_on(round, theirs, next, parts);
        }
    }

    /// The other side has taken what it lacked, and tells more if it was asked.
    pub(super) fn on_round_answered(
        &mut self,
        round: Box<Round>,
        from: NodeId,
        theirs: u64,
        next: Option<ShortId>,
        parts: Parts<'_>,
    ) {
        if self.take_told(&round.comparison, from, theirs, parts.clone()) {
            self.go_on(round, theirs, next, parts);
        }
    }

    /// Takes what the other side tells. Returns whether both still differ.
    fn take_told(
        &mut self,
        comparison: &Comparison,
        from: NodeId,
        theirs: u64,
        parts: Parts<'_>,
    ) -> bool {
        self.membership.end_contradictions(0);
        self.handle_parts(Source { address: comparison.to, via: Via::Reply(from) }, parts);
        let differ = self.membership.digest() != theirs && self.is_running();
        if !differ {
            self.on_sync_ended(comparison, Some(theirs));
        }
        differ
    }

    fn go_on(
        &mut self,
        mut round: Box<Round>,
        theirs: u64,
        next: Option<ShortId>,
        parts: Parts<'_>,
    ) {
        round.on_told(next, named(parts, self.cluster.tag()));
        let mut selected = std::mem::take(&mut self.selected);
        let more = self.select_lacking(&round, &mut selected).is_some() || !selected.is_empty();
        self.selected = selected;
        let open = more || round.rest.is_some() || self.membership.has_contradictions();
        let own = self.membership.digest();
        let again = round.wants_another(own, theirs);
        if !open && !again {
            self.on_sync_ended(&round.comparison, Some(theirs));
        } else if round.comparison.rounds == ROUNDS_MAX {
            self.wire.rounds_full += 1;
            self.on_sync_ended(&round.comparison, Some(theirs));
        } else {
            round.comparison.rounds += 1;
            let Comparison { pass, .. } = round.comparison;
            let next = match open {
                true => Next::Tell(round),
                false => Next::Compare(Comparison { own, pass: pass + 1, ..round.comparison }),
            };
            self.pending.push_back(Pending::Continue(next));
        }
    }

    /// It is over. `theirs` is the last digest that the other side has told.
    pub(super) fn on_sync_ended(&mut self, comparison: &Comparison, theirs: Option<u64>) {
        self.synced |= theirs.is_some();
        let own = self.membership.digest();
        let end = match theirs {
            Some(theirs) if theirs == own => SyncEnd::Equal,
            _ if own != comparison.before => SyncEnd::Changed,
            _ => SyncEnd::InVain,
        };
        self.membership.handle_synced(self.now, comparison.ask, end);
    }

    pub(super) fn on_round_failed(&mut self, round: &Round) {
        self.on_sync_ended(&round.comparison, None);
    }
}

/// Whom parts name as present, with the hash of what they say of them (D1), sorted.
fn named(parts: Parts<'_>, tag: ClusterTag) -> Vec<(ShortId, u64)> {
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
