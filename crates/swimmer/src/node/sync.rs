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
use swim_proto::limits::{BUCKETS, FRAME_BYTES_MAX, FRAME_BYTES_TINY};
use swim_proto::{
    BucketDigests, BucketSet, Fit, Frame, NodeId, Part, Parts, RefusalReason, Reply, Request,
    ShortId, State,
};

use super::exchanges::Purpose;
use super::output::RequestId;
use super::round::{Comparison, Next, Round, named};
use super::{Node, Pending, Ready};

/// An exchange of more rounds than this is broken off; a whole table of the largest size fits.
const ROUNDS_MAX: u32 = 2_048;
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
        let sync = Request::Sync { from: self.membership.id(), digests };
        if self.begin(&Frame::Request(sync)).is_none() {
            self.on_sync_unsayable(&comparison);
            return None;
        }
        self.ask_for_room(comparison.to);
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
            if self.begin(&Frame::Request(Request::Records { from, buckets, pull })).is_none() {
                self.selected = selected;
                self.on_sync_unsayable(&round.comparison);
                return None;
            }
            let room = self.ask_for_room(round.comparison.to);
            let told = self.push_head(room);
            match self.push_records(&selected, room) {
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

    /// Asks for a reply that is no longer than what gets through, if that is known (E7). Returns how long
    /// the request may be.
    pub(super) fn ask_for_room(&mut self, to: SocketAddr) -> usize {
        let room = self.rooms.of(self.now, to);
        if room < FRAME_BYTES_MAX {
            let part = Part::Room { bytes: room as u32 };
            let _ = self.codec.push(&part, FRAME_BYTES_MAX, &mut self.out);
        }
        room
    }

    /// What contradicts the other side (E3), then our own word. Returns how many contradictions.
    fn push_head(&mut self, room: usize) -> usize {
        let (codec, out) = (&mut *self.codec, &mut self.out);
        let fits = |part: &Part<'_>| codec.push(part, room, out) == Fit::Written;
        let told = self.membership.contradictions().take_while(fits).count();
        let _ = self.push_part(Who::Local, FRAME_BYTES_MAX);
        told
    }

    /// Tells these members, each by its record and, if it is suspect, that. Returns which is the
    /// first that does not fit. The first of all has a place, or short frames would tell nothing.
    fn push_records(&mut self, selected: &[(ShortId, MemberIx)], room: usize) -> Option<usize> {
        let membership = &self.membership;
        let mut limit = FRAME_BYTES_MAX;
        selected.iter().position(|&(_, ix)| {
            let record = membership.record_part(ix);
            let suspect = membership.claim(ix).state == State::Suspect;
            let suspicion = membership.part(Who::Member(ix)).filter(|_| suspect);
            let mut parts = std::iter::once(record).chain(suspicion);
            let cut = parts.any(|part| self.codec.push(&part, limit, &mut self.out) == Fit::NoRoom);
            limit = room;
            cut
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
        self.membership.handle_compared_with(self.now, peer);
        let room = room_asked(parts.clone());
        if !self.take_request(from, id, peer, parts) {
            return;
        }
        let buckets = digests.differing(&self.membership.bucket_digests());
        self.reply_entries(id, buckets, Some(ShortId(0)), (room, None));
    }

    /// A joiner is told where it was seen, and all that is held.
    pub(super) fn on_joiner(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        joiner: NodeId,
        parts: Parts<'_>,
    ) {
        let room = room_asked(parts.clone());
        if self.take_request(from, id, joiner, parts) {
            self.reply_entries(id, BucketSet::ALL, Some(ShortId(0)), (room, Some(from)));
        }
    }

    pub(super) fn on_records(
        &mut self,
        from: SocketAddr,
        id: RequestId,
        peer: NodeId,
        (buckets, pull): (BucketSet, Option<ShortId>),
        parts: Parts<'_>,
    ) {
        let room = room_asked(parts.clone());
        if self.take_request(from, id, peer, parts) {
            self.reply_entries(id, buckets, pull, (room, None));
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
        self.membership.handle_requested_by(peer, from);
        true
    }

    /// Entries are packed again where they do not fit one frame: from where on there is more
    /// stands before them, and is known only after.
    fn reply_entries(
        &mut self,
        id: RequestId,
        buckets: BucketSet,
        pull: Option<ShortId>,
        (room, seen): (usize, Option<SocketAddr>),
    ) {
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
            if let Some(from) = seen {
                self.push_seen(from);
            }
            let told = self.push_head(room);
            match self.push_records(&selected, room) {
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
        if comparison.ask != Ask::Join {
            self.membership.handle_compared_with(self.now, from);
        }
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
        let unfinished = more || round.rest.is_some();
        let contradicts = !round.contradicts && self.membership.has_contradictions();
        let open = unfinished || contradicts;
        round.contradicts = !unfinished;
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

    /// The codec has no form for what would go on: that was all that can be compared.
    fn on_sync_unsayable(&mut self, comparison: &Comparison) {
        self.synced = true;
        self.on_sync_ended(comparison, None);
    }

    pub(super) fn on_round_failed(&mut self, round: &Round) {
        self.on_sync_ended(&round.comparison, None);
    }
}

/// How long the reply to a request may be: it says so among its first two parts, if it does.
fn room_asked(parts: Parts<'_>) -> usize {
    let asked = parts.take(2).find_map(|part| match part {
        Ok(Part::Room { bytes }) => Some(bytes as usize),
        _ => None,
    });
    asked.map_or(FRAME_BYTES_MAX, |bytes| bytes.clamp(FRAME_BYTES_TINY, FRAME_BYTES_MAX))
}
