//! What is counted. The network's misbehaviour is never an error, so this is where it shows.

/// Counts since the start of the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Probes begun.
    pub probes: u64,
    /// Probes that ended without an ack.
    pub probes_failed: u64,
    /// Probes that asked relays and the reliable plane.
    pub probes_indirect: u64,
    /// Reliable pings of probes that the host of the target refused: nobody listens there (P6).
    pub connections_refused: u64,
    /// Probes not begun because too many were in flight.
    pub probes_full: u64,
    /// Acks and nacks that belong to no probe in flight: late, doubled or forged.
    pub acks_unexpected: u64,
    /// Pings for another node than this one. Not answered.
    pub pings_misdirected: u64,
    /// Pings relayed for others.
    pub relayed: u64,
    /// Ping-reqs beyond the number that is relayed at once. Dropped.
    pub relays_full: u64,
    /// Probes of suspects that others accuse (S7).
    pub corroborations: u64,
    /// Accusations and deaths deferred because this node was isolated (S5).
    pub sentences_held: u64,
    /// Members that did not answer an isolated node, beyond the 256 that it remembers (S5).
    pub unheard_full: u64,
    /// Members that answer by one plane only, beyond the 256 that are watched (E8).
    pub planes_full: u64,
    /// Times that this node stood still and let time be lost (S8).
    pub stalls: u64,
    /// Times that this node announced another patience (S6).
    pub patience_changes: u64,
    /// Suspects whose record others were asked for before the death (S9).
    pub inquiries: u64,
    /// Suspects beyond the 32 of a period for which that is done.
    pub inquiries_full: u64,
    /// Suspicions that this node raised.
    pub suspicions_raised: u64,
    /// Deaths that this node declared.
    pub deaths_declared: u64,
    /// Times that this node raised its incarnation to refute.
    pub refutations: u64,
    /// Claims that were older than what is held. Dropped.
    pub claims_stale: u64,
    /// Claims too far above what the member itself has said. Dropped.
    pub claims_jumped: u64,
    /// Claims about members that are not held. Dropped, and their record asked for.
    pub claims_unknown: u64,
    /// Probes and relayed pings not begun because the member's address is good for another host or link
    /// only (J4).
    pub addresses_unusable: u64,
    /// Records that break the rules of the wire. Dropped.
    pub records_bad: u64,
    /// New members beyond the most that are held. Dropped.
    pub members_full: u64,
    /// New members whose tiny id four others have already. Dropped.
    pub ids_crowded: u64,
    /// Tombstones forgotten before their time for want of room.
    pub tombstones_full: u64,
    /// Short ids that named more than one member. Dropped.
    pub ids_ambiguous: u64,
    /// Answers to stale claims.
    pub corrections: u64,
    /// Answers not given because too many senders had one in this period.
    pub answers_full: u64,
    /// Digests of others that were that of this node's table.
    pub digests_equal: u64,
    /// Digests that were not, where neither side had news to tell.
    pub digests_different: u64,
    /// Comparisons of tables begun because digests differed.
    pub repairs: u64,
    /// Repairs that left the tables unequal and taught this node nothing.
    pub repairs_in_vain: u64,
    /// Contradictions that one exchange had no room for.
    pub contradictions_full: u64,
    /// Signs of another process with this node's id.
    pub conflicts: u64,
    /// Other members of which this node has seen that two processes use their id (R4).
    pub conflicts_of_members: u64,
    /// Addresses that members have left, forgotten before their time for want of room (R4).
    pub moves_full: u64,
    /// Times that what is kept over a restart was written.
    pub persists: u64,
    /// Times that it could not be written.
    pub persists_failed: u64,
}

impl Counters {
    /// All of them with their names, which are those of the fields.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        // A field that is not listed here does not compile.
        macro_rules! named {
            ($($name:ident),* $(,)?) => {{
                let Self { $($name),* } = *self;
                [$((stringify!($name), $name)),*]
            }};
        }
        named![
            probes,
            probes_failed,
            probes_indirect,
            connections_refused,
            probes_full,
            acks_unexpected,
            pings_misdirected,
            relayed,
            relays_full,
            corroborations,
            sentences_held,
            unheard_full,
            planes_full,
            stalls,
            patience_changes,
            inquiries,
            inquiries_full,
            suspicions_raised,
            deaths_declared,
            refutations,
            claims_stale,
            claims_jumped,
            claims_unknown,
            addresses_unusable,
            records_bad,
            members_full,
            ids_crowded,
            tombstones_full,
            ids_ambiguous,
            corrections,
            answers_full,
            digests_equal,
            digests_different,
            repairs,
            repairs_in_vain,
            contradictions_full,
            conflicts,
            conflicts_of_members,
            moves_full,
            persists,
            persists_failed,
        ]
        .into_iter()
    }
}
