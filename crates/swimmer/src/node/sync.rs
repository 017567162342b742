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

/// Where an exchange of several rounds stands, on the asker's side.
#[derive(Debug)]
pub(super) struct Round {
    to: SocketAddr,
    /// Why it was begun.
    ask: Ask,
    /// The buckets that differ, `None`: that is what is asked.
    buckets: Option<BucketSet>,
    /// From where on this request asks to be told, `None`: it only tells.
    pull: Option<ShortId>,
    /// From where on a later one will ask.
    rest: Option<ShortId>,
    /// What the other side has told of a stretch, and how much of ours it was told in turn.
    push: Option<Push>,
    /// The own digest when it began.
    before: u64,
    /// Both digests when the buckets were compared, the own one first.
    compared: (u64, u64),
    pass: u32,
    number: u32,
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
    /// The first round of an exchange with this one, when the own digest is `before`.
    pub(super) fn first(to: SocketAddr, ask: Ask, before: u64) -> Self {
        let (pull, compared) = (Some(ShortId(0)), (before, 0));
        let (buckets, rest, push) = (None, None, None);
        Self { to, ask, buckets, pull, rest, push, before, compared, pass: 1, number: 1 }
    }

    /// The digests are compared again.
    fn compare_again(&mut self, own: u64) {
        let (before, pass, number) = (self.before, self.pass + 1, self.number + 1);
        *self = Self { before, pass, number, ..Self::first(self.to, self.ask, own) };
    }

    /// The other side has answered, and has told what it holds of the buckets up to `next`.
    fn on_told(
        &mut self,
        digest: u64,
        buckets: BucketSet,
        next: Option<ShortId>,
        named: Vec<(ShortId, u64)>,
    ) {
        if self.buckets.is_none() {
            self.compared.1 = digest;
        }
        let buckets = *self.buckets.get_or_insert(buckets);
        let Some(from) = self.pull.take() else { return };
        // A stretch that does not go on is the end, or a liar could keep us for long.
        self.rest = next.filter(|&next| next > from);
        let stretch = Stretch { buckets, from, until: self.rest };
        self.push = Some(Push { stretch, named });
    }
}

impl Node {
    pub(super) fn pack_round(&mut self, round: Box<Round>) -> Option<Ready> {
        match round.buckets {
            None => self.pack_sync(round),
            Some(buckets) => self.pack_records(round, buckets),
        }
    }

    fn pack_sync(&mut self, round: Box<Round>) -> Option<Ready> {
        let mut buffer = [0; 8 * BUCKETS];
        let digests = BucketDigests::write(&self.membership.bucket_digests(), &mut buffer);
        self.begin(&Frame::Request(Request::Sync { from: self.membership.id(), digests }))?;
        let _ = self.push_part(Who::Local, FRAME_BYTES_MAX);
        let deadline = self.exchange_deadline();
        self.finish_exchange(round.to, Purpose::Sync(round), deadline)
    }

    /// A further round: what the last one left contradicted, our own word, and what the other side
    /// lacks as far as it fits. Only once all of that fits the other side is asked to go on.
    fn pack_records(&mut self, mut round: Box<Round>, buckets: BucketSet) -> Option<Ready> {
        let mut selected = std::mem::take(&mut self.selected);
        let mut more = self.select_lacking(&round, &mut selected);
        let from = self.membership.id();
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
        self.finish_exchange(round.to, Purpose::Sync(round), deadline)
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

    pub(super) fn on_round_answered(
        &mut self,
        mut round: Box<Round>,
        from: NodeId,
        digest: u64,
        (buckets, next): (BucketSet, Option<ShortId>),
        parts: Parts<'_>,
    ) {
        self.membership.end_contradictions(0);
        let source = Source { address: round.to, via: Via::Reply(from) };
        self.handle_parts(source, parts.clone());
        if self.membership.digest() == digest || !self.is_running() {
            self.on_sync_ended(&round, Some(digest));
            return;
        }
        round.on_told(digest, buckets, next, named(parts, self.cluster.tag()));
        let mut selected = std::mem::take(&mut self.selected);
        let more = self.select_lacking(&round, &mut selected).is_some() || !selected.is_empty();
        self.selected = selected;
        let open = more || round.rest.is_some() || self.membership.has_contradictions();
        // What one side was told may make it tell more: of one back from the dead the record.
        let own = self.membership.digest();
        let again = round.compared != (own, digest) && round.pass < PASSES_MAX;
        if (open || again) && round.number == ROUNDS_MAX {
            self.wire.rounds_full += 1;
            self.on_sync_ended(&round, Some(digest));
        } else if open {
            round.number += 1;
            self.pending.push_back(Pending::Continue { round });
        } else if again {
            round.compare_again(own);
            self.pending.push_back(Pending::Continue { round });
        } else {
            self.on_sync_ended(&round, Some(digest));
        }
    }

    /// It is over. `digest` is the last that the other side has told of its table.
    pub(super) fn on_sync_ended(&mut self, round: &Round, digest: Option<u64>) {
        let own = self.membership.digest();
        let end = match digest {
            Some(digest) if digest == own => SyncEnd::Equal,
            _ if own != round.before => SyncEnd::Changed,
            _ => SyncEnd::InVain,
        };
        self.membership.handle_synced(self.now, round.ask, end);
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
