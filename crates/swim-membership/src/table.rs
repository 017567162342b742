//! The table of members: two registers each, found by id, short id or index in O(1).

use alloc::vec::Vec;
use core::net::SocketAddr;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use swim_proto::limits::BUCKETS;
use swim_proto::{
    Claim, ClusterTag, Incarnation, NodeId, Record, ShortId, State, Subject, TinyId, member_hash,
};

use crate::index::Index;
use crate::ring::{Members, Ring};

/// A member's place in the table: 4 bytes to pass along instead of an identity. It is valid until
/// the member is forgotten; then the place is given to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberIx(u32);

impl MemberIx {
    pub(crate) const fn new(ix: u32) -> Self {
        Self(ix)
    }

    /// The number, dense from 0.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    const fn at(self) -> usize {
        self.0 as usize
    }
}

/// How many members may share their tiny id (T2).
const SAME_TINY_MAX: usize = 4;

/// A member that is not present has no place in the ring.
const NO_PLACE: u32 = u32::MAX;

/// One member: who it is, its claim and its record.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: NodeId,
    record: Record,
    incarnation: Incarnation,
    /// Place in its bucket of the ring, or `NO_PLACE`.
    place: u32,
    /// Bits 0–1: the state. Bit 2: its short id is another's too. From bit 3: by how much the
    /// incarnation of the record lies below that of the claim, at most 2^16.
    packed: u32,
}

const _: () = assert!(size_of::<Option<Entry>>() <= 56, "the budget of a member counts on it");

const COLLIDES: u32 = 1 << 2;
const LAG_SHIFT: u32 = 3;
const LAG_MAX: u64 = (u32::MAX >> LAG_SHIFT) as u64;

impl Entry {
    pub(crate) fn claim(&self) -> Claim {
        Claim::new(self.incarnation, State::from_bits(self.packed as u8))
    }

    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    pub(crate) fn record_incarnation(&self) -> Incarnation {
        Incarnation(self.incarnation.0.saturating_sub(u64::from(self.packed >> LAG_SHIFT)))
    }

    /// Whether this is what is held: alive in this incarnation, with this record of it.
    #[inline]
    pub(crate) fn is_word(&self, incarnation: Incarnation, record: &[u8]) -> bool {
        let alive_without_lag = self.packed & !COLLIDES == State::Alive as u32;
        alive_without_lag && self.incarnation == incarnation && self.record.as_bytes() == record
    }

    fn collides(&self) -> bool {
        self.packed & COLLIDES != 0
    }

    fn set(&mut self, claim: Claim, record_incarnation: Incarnation) {
        let lag = claim.incarnation.0.saturating_sub(record_incarnation.0).min(LAG_MAX) as u32;
        self.incarnation = claim.incarnation;
        self.packed = lag << LAG_SHIFT | self.packed & COLLIDES | claim.state as u32;
    }
}

/// How a look-up by an abbreviated id came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// One member.
    Found(MemberIx),
    /// None.
    Unknown,
    /// More than one; nobody can say who is meant.
    Ambiguous,
}

/// The members other than this node.
#[derive(Clone, Debug)]
pub struct Table {
    tag: ClusterTag,
    slots: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// By tiny id, so that all three kinds of names find their member.
    index: Index,
    /// Ids are chosen by strangers, who must not choose where they land in the index.
    seed: u64,
    /// The present members.
    ring: Ring,
    alive: usize,
    /// Of the present (D1).
    digest: u64,
}

impl Table {
    /// An empty table of the cluster with this tag. `seed` should be random.
    pub fn new(tag: ClusterTag, seed: u64) -> Self {
        Self {
            tag,
            slots: Vec::new(),
            free: Vec::new(),
            index: Index::default(),
            seed,
            ring: Ring::default(),
            alive: 0,
            digest: 0,
        }
    }

    /// A table of members that are all alive in their first incarnation, as if they had joined long
    /// ago: for simulations and benches, which then [`adopt`](crate::Membership::adopt) it.
    pub fn of_alive(
        tag: ClusterTag,
        seed: u64,
        members: impl IntoIterator<Item = (NodeId, Record)>,
    ) -> Self {
        let mut table = Self::new(tag, seed);
        let claim = Claim::new(Incarnation::FIRST, State::Alive);
        for (id, record) in members {
            table.insert(id, claim, record);
        }
        table
    }

    /// Takes out a member as if it had never been met.
    pub(crate) fn take_out(&mut self, id: NodeId) {
        if let Some(ix) = self.find(id) {
            let incarnation = self.held(ix).claim().incarnation;
            self.set_claim(ix, Claim::new(incarnation, State::Left));
            self.remove(ix);
        }
    }

    /// How many members are held, of every state.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether no member is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many are present: alive or suspect.
    pub fn present(&self) -> usize {
        self.ring.len()
    }

    /// How often a member has become present or ceased to be: ranks stay while this does.
    pub(crate) fn changes(&self) -> u64 {
        self.ring.changes()
    }

    /// How many are alive.
    pub fn alive(&self) -> usize {
        self.alive
    }

    /// One past the highest index in use, for walks in pieces.
    pub fn end(&self) -> u32 {
        self.slots.len() as u32
    }

    /// Every member held, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = MemberIx> + '_ {
        (0..self.end()).map(MemberIx::new).filter(|&ix| self.entry(ix).is_some())
    }

    /// The present members.
    pub fn present_members(&self) -> impl Iterator<Item = MemberIx> + '_ {
        self.ring.iter()
    }

    /// How many present members come before `id` in the order that all agree on (P1).
    pub fn rank(&self, id: NodeId) -> usize {
        let short = id.short(self.tag);
        self.ring.rank(short, &(short, id), |ix| self.key(ix))
    }

    /// The present member before which so many others come (P1). `scratch` saves an allocation.
    pub(crate) fn of_rank(
        &self,
        rank: usize,
        scratch: &mut Vec<((ShortId, NodeId), MemberIx)>,
    ) -> Option<MemberIx> {
        self.ring.select(rank, |ix| self.key(ix), scratch)
    }

    fn key(&self, ix: MemberIx) -> (ShortId, NodeId) {
        let id = self.held(ix).id;
        (id.short(self.tag), id)
    }

    /// The member at `ix` by this number, if there is one.
    pub fn at(&self, ix: u32) -> Option<MemberIx> {
        self.entry(MemberIx(ix)).map(|_| MemberIx(ix))
    }

    pub(crate) fn entry(&self, ix: MemberIx) -> Option<&Entry> {
        self.slots.get(ix.at())?.as_ref()
    }

    /// The entry of an index that is known to be held.
    pub(crate) fn held(&self, ix: MemberIx) -> &Entry {
        self.entry(ix).expect("an index is dropped everywhere when its member is forgotten")
    }

    fn held_mut(&mut self, ix: MemberIx) -> &mut Entry {
        self.slots[ix.at()]
            .as_mut()
            .expect("an index is dropped everywhere when its member is forgotten")
    }

    /// Finds a member by its whole id.
    pub fn find(&self, id: NodeId) -> Option<MemberIx> {
        let hash = self.hash_of(id.short(self.tag).tiny());
        let found = self.index.part(hash).find(hash, |&ix| self.held(MemberIx(ix)).id == id);
        found.map(|&ix| MemberIx(ix))
    }

    /// Finds a member as a message names it.
    pub fn find_subject(&self, subject: Subject) -> Lookup {
        match subject {
            Subject::Full(id) => self.find(id).map_or(Lookup::Unknown, Lookup::Found),
            Subject::Short(short) => self.find_short(short),
        }
    }

    fn find_short(&self, short: ShortId) -> Lookup {
        self.find_where(short.tiny(), |entry, tag| entry.id.short(tag) == short)
    }

    /// Finds a member by the 4 bytes that name a ping's parties and accusers.
    pub fn find_tiny(&self, tiny: TinyId) -> Lookup {
        self.find_where(tiny, |entry, tag| entry.id.short(tag).tiny() == tiny)
    }

    /// Finds a member by its tiny id and the address in its record; tiny ids that collide are told
    /// apart by it.
    pub fn find_tiny_at(&self, tiny: TinyId, address: SocketAddr) -> Option<MemberIx> {
        let same = |entry: &Entry, tag| {
            entry.id.short(tag).tiny() == tiny && entry.record.address() == address
        };
        match self.find_where(tiny, same) {
            Lookup::Found(ix) => Some(ix),
            Lookup::Unknown | Lookup::Ambiguous => None,
        }
    }

    fn find_where(&self, tiny: TinyId, same: impl Fn(&Entry, ClusterTag) -> bool) -> Lookup {
        let mut found = self.iter_tiny(tiny).filter(|&&ix| same(self.held(MemberIx(ix)), self.tag));
        match (found.next(), found.next()) {
            (Some(&ix), None) => Lookup::Found(MemberIx(ix)),
            (None, _) => Lookup::Unknown,
            (Some(_), Some(_)) => Lookup::Ambiguous,
        }
    }

    /// How to name a member so that it is found: short, or in full where short ids collide (W4).
    pub fn subject(&self, ix: MemberIx) -> Subject {
        let entry = self.held(ix);
        if entry.collides() {
            Subject::Full(entry.id)
        } else {
            Subject::Short(entry.id.short(self.tag))
        }
    }

    /// The 8 bytes that name a member, if no other has the same.
    pub fn short(&self, ix: MemberIx) -> ShortId {
        self.held(ix).id.short(self.tag)
    }

    /// The digest of the present members (D1).
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The digests of their buckets (E2), computed afresh: they are asked for when tables differ,
    /// and would cost a small table more than its members.
    pub fn bucket_digests(&self) -> [u64; BUCKETS] {
        let mut digests = [0; BUCKETS];
        for ix in self.ring.iter() {
            digests[usize::from(self.short(ix).bucket())] ^= self.hash_held(ix);
        }
        digests
    }

    /// What is held of a member, as it enters the digests: 0 for the absent (D1).
    pub fn hash_held(&self, ix: MemberIx) -> u64 {
        let entry = self.held(ix);
        let (claim, made_in) = (entry.claim(), entry.record_incarnation());
        if !claim.state.is_present() {
            return 0;
        }
        member_hash(entry.id, claim, made_in, entry.record().hash())
    }

    /// To be called before and after each change of an entry.
    fn toggle_digest(&mut self, ix: MemberIx) {
        self.digest ^= self.hash_held(ix);
    }

    /// The 4 bytes that name a member.
    pub fn tiny(&self, ix: MemberIx) -> TinyId {
        self.held(ix).id.short(self.tag).tiny()
    }

    /// Whether so many members share the tiny id of `id` that one more would make look-ups slow:
    /// by chance it never happens, so whoever brings one more has searched for it (T2).
    pub(crate) fn is_crowded(&self, id: NodeId) -> bool {
        let tiny = id.short(self.tag).tiny();
        let same = |&&ix: &&u32| self.held(MemberIx(ix)).id.short(self.tag).tiny() == tiny;
        self.iter_tiny(tiny).filter(same).count() >= SAME_TINY_MAX
    }

    /// The places of this tiny id, and perhaps of others.
    fn iter_tiny(&self, tiny: TinyId) -> impl Iterator<Item = &u32> {
        let hash = self.hash_of(tiny);
        self.index.part(hash).iter_hash(hash)
    }

    fn hash_of(&self, tiny: TinyId) -> u64 {
        hash_of(self.seed, tiny)
    }

    /// Adds a member that is not held yet.
    pub(crate) fn insert(&mut self, id: NodeId, claim: Claim, record: Record) -> MemberIx {
        debug_assert!(self.find(id).is_none(), "a member is held once");
        let short = id.short(self.tag);
        let twin = match self.find_short(short) {
            Lookup::Unknown => 0,
            Lookup::Found(twin) => {
                self.held_mut(twin).packed |= COLLIDES;
                COLLIDES
            }
            Lookup::Ambiguous => COLLIDES,
        };
        let incarnation = claim.incarnation;
        let mut entry = Entry { id, record, incarnation, place: NO_PLACE, packed: twin };
        // Not present until `set_claim` has said so, below.
        entry.set(Claim::new(incarnation, State::Left), incarnation);
        let ix = self.place_entry(entry);
        let (slots, tag, seed) = (&self.slots, self.tag, self.seed);
        let hash = hash_of(seed, short.tiny());
        self.index.part_mut(hash).insert_unique(hash, ix.0, |&ix| {
            let entry = slots[ix as usize].as_ref().expect("the index holds only used slots");
            hash_of(seed, entry.id.short(tag).tiny())
        });
        self.set_claim(ix, claim);
        ix
    }

    fn place_entry(&mut self, entry: Entry) -> MemberIx {
        if let Some(ix) = self.free.pop() {
            self.slots[ix as usize] = Some(entry);
            return MemberIx(ix);
        }
        reserve_step(&mut self.slots);
        self.slots.push(Some(entry));
        MemberIx::new(self.slots.len() as u32 - 1)
    }

    /// Sets the claim about a member, and with it whether it is among the present.
    pub(crate) fn set_claim(&mut self, ix: MemberIx, claim: Claim) {
        self.toggle_digest(ix);
        let entry = self.held_mut(ix);
        let before = entry.claim().state;
        let record_incarnation = entry.record_incarnation();
        entry.set(claim, record_incarnation);
        self.toggle_digest(ix);
        self.alive -= usize::from(before == State::Alive);
        self.alive += usize::from(claim.state == State::Alive);
        match (before.is_present(), claim.state.is_present()) {
            (false, true) => self.enter_ring(ix),
            (true, false) => self.leave_ring(ix),
            _ => {}
        }
    }

    fn enter_ring(&mut self, ix: MemberIx) {
        let Self { slots, ring, tag, .. } = self;
        ring.insert(ix, &mut Slots { slots, tag: *tag });
    }

    fn leave_ring(&mut self, ix: MemberIx) {
        let place = self.held(ix).place;
        let Self { slots, ring, tag, .. } = self;
        let mut slots = Slots { slots, tag: *tag };
        ring.remove(ix, place, &mut slots);
        slots.set_place(ix, NO_PLACE);
    }

    /// Sets the record of a member, made in `incarnation`.
    pub(crate) fn set_record(&mut self, ix: MemberIx, record: Record, incarnation: Incarnation) {
        self.toggle_digest(ix);
        let entry = self.held_mut(ix);
        let claim = entry.claim();
        entry.record = record;
        entry.set(claim, incarnation);
        self.toggle_digest(ix);
    }

    /// Forgets a member that is not present.
    pub(crate) fn remove(&mut self, ix: MemberIx) -> NodeId {
        let id = self.held(ix).id;
        debug_assert!(!self.held(ix).claim().state.is_present(), "the present are not forgotten");
        let hash = self.hash_of(id.short(self.tag).tiny());
        if let Ok(found) = self.index.part_mut(hash).find_entry(hash, |&found| found == ix.0) {
            found.remove();
        }
        self.slots[ix.at()] = None;
        self.free.push(ix.0);
        id
    }

    /// A random present member.
    pub fn random_present(&self, rng: &mut Xoshiro256PlusPlus) -> Option<MemberIx> {
        match self.present() {
            0 => None,
            present => self.ring.nth(rng.random_range(0..present)),
        }
    }

    /// Up to `count` different present members at random, appended to `chosen`.
    pub fn choose_present(
        &self,
        count: usize,
        rng: &mut Xoshiro256PlusPlus,
        mut eligible: impl FnMut(MemberIx) -> bool,
        chosen: &mut Vec<MemberIx>,
    ) {
        let present = self.present();
        if present == 0 {
            return;
        }
        let (start, wanted) = (chosen.len(), chosen.len() + count);
        // Few of many: draw, and draw again what was drawn before. Few in all: walk from a
        // random place, so that the loop ends.
        let offset = rng.random_range(0..present);
        let draws = (0..3 * count).map(|_| rng.random_range(0..present));
        let walk = (0..present.min(64)).map(|step| (offset + step) % present);
        for number in draws.chain(walk) {
            if chosen.len() == wanted {
                return;
            }
            if let Some(ix) = self.ring.nth(number)
                && !chosen[start..].contains(&ix)
                && eligible(ix)
            {
                chosen.push(ix);
            }
        }
    }

    /// Checks what must hold at any time. For tests: it costs O(n).
    pub(crate) fn check(&self) {
        let present = self.iter().filter(|&ix| self.held(ix).claim().state.is_present()).count();
        let alive = self.iter().filter(|&ix| self.held(ix).claim().state == State::Alive).count();
        assert_eq!(present, self.ring.len(), "the ring holds the present and nobody else");
        assert_eq!(alive, self.alive, "the alive are counted");
        for ix in self.ring.iter() {
            let place = self.held(ix).place;
            assert!(self.ring.is_at(self.short(ix), place, ix), "each knows its place");
        }
        for ix in self.iter() {
            assert_eq!(self.find(self.held(ix).id), Some(ix), "each is found by its id");
        }
        let afresh = self.iter().fold(0, |digest, ix| digest ^ self.hash_held(ix));
        assert_eq!(afresh, self.digest, "the digest is one computed afresh");
    }
}

/// Makes room for one more, and for a 64th of all at once: doubling would cost up to half of a
/// large table.
pub(crate) fn reserve_step<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        items.reserve_exact(items.len() / 64 + 8);
    }
}

/// The slots, as the ring sees them.
struct Slots<'a> {
    slots: &'a mut [Option<Entry>],
    tag: ClusterTag,
}

impl Members for Slots<'_> {
    fn short(&self, ix: MemberIx) -> ShortId {
        let entry = self.slots[ix.at()].as_ref();
        entry.expect("the ring holds only used slots").id.short(self.tag)
    }

    fn set_place(&mut self, ix: MemberIx, place: u32) {
        if let Some(entry) = &mut self.slots[ix.at()] {
            entry.place = place;
        }
    }
}

/// Spreads a tiny id over the bits that the index looks at, in a way that only this node knows.
fn hash_of(seed: u64, tiny: TinyId) -> u64 {
    let wide = u128::from(u64::from(tiny.0) ^ seed) * 0x9e37_79b9_7f4a_7c15;
    ((wide >> 64) as u64 ^ wide as u64).wrapping_mul(seed | 1)
}
