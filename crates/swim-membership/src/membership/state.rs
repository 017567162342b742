//! The state of the whole table in one number, told and compared (D1 to D5).

use swim_proto::limits::BUCKETS;
use swim_proto::{Datagram, State, StateNote, member_hash};

use super::{Membership, Source};
use crate::action::{Action, Ask, SyncEnd, Via};
use crate::time::Instant;

impl Membership {
    /// The digest of the present members, this node included while it has not left (D1).
    pub fn digest(&self) -> u64 {
        self.table.digest() ^ self.own_hash()
    }

    /// The digests of the buckets, this node included (E2).
    pub fn bucket_digests(&self) -> [u64; BUCKETS] {
        let mut digests = self.table.bucket_digests();
        digests[usize::from(self.short().bucket())] ^= self.own_hash();
        digests
    }

    /// As the table does for others: 0 for one who has left. It is remembered for the claim, with
    /// which the record changes.
    fn own_hash(&self) -> u64 {
        let (claim, remembered) = (self.local.claim(), self.own_hash);
        if remembered.0 == claim { remembered.1 } else { self.compute_own_hash() }
    }

    fn compute_own_hash(&self) -> u64 {
        let claim = self.local.claim();
        match claim.state {
            State::Left => 0,
            _ => {
                let record = self.local.record.hash();
                member_hash(self.local.id, claim, claim.incarnation, record)
            }
        }
    }

    /// What a ping or ack to a member says of this node, which is `quiet` while it has no news to
    /// tell (D2).
    pub fn note(&mut self, quiet: bool) -> Option<StateNote> {
        if !self.config.digest() {
            return None;
        }
        self.own_hash = (self.local.claim(), self.own_hash());
        Some(StateNote { digest: self.digest(), quiet })
    }

    /// Compares what a ping or ack says of its sender with this node, once all that came with it
    /// was taken (D3). `quiet` is as in [`note`](Self::note).
    pub fn handle_note(
        &mut self,
        now: Instant,
        source: Source,
        message: &Datagram<'_>,
        quiet: bool,
    ) {
        let (Datagram::Ping { note, .. } | Datagram::Ack { note, .. }) = *message else { return };
        if !self.config.digest() || self.local.state == State::Left {
            return;
        }
        let acked = matches!(source.via, Via::Ack(_));
        if acked {
            self.agreement.on_ack(source.address, note.is_some());
            if note.is_none() && self.local.on_bare_ack(now, self.config.period()) {
                // It holds another process with this id, or suspects that one (R4).
                self.actions.push_back(Action::Exchange { to: source.address, ask: Ask::Sync });
            }
        }
        let Some(note) = note else { return };
        if note.digest == self.digest() {
            self.counters.digests_equal += 1;
            self.agreement.on_equal();
        } else if acked && quiet && note.quiet {
            self.counters.digests_different += 1;
            if self.agreement.on_difference(now) {
                self.counters.repairs += 1;
                self.agreement.on_repair_begun(now + self.config.exchange_timeout());
                self.actions.push_back(Action::Exchange { to: source.address, ask: Ask::Repair });
            }
        }
    }

    /// Whether somebody was seen to hold just what this node holds, since it has joined or since it
    /// has last compared tables (D5).
    pub fn agrees(&self) -> bool {
        self.agreement.is_equal()
    }

    /// A comparison of tables has ended (D4).
    pub fn handle_synced(&mut self, now: Instant, ask: Ask, end: SyncEnd) {
        match (ask, end) {
            (Ask::Repair, SyncEnd::InVain) => {
                self.counters.repairs_in_vain += 1;
                let (period, wait_max) = (self.config.period(), self.config.sync_interval());
                self.agreement.on_repaired_in_vain(now, period, wait_max);
            }
            (Ask::Repair, SyncEnd::Equal | SyncEnd::Changed) => self.agreement.on_repaired(now),
            // The member that has taken this node in has not told all: another is asked soon.
            (Ask::Join, SyncEnd::InVain) => {
                self.sync_at = self.sync_at.min(now + self.config.period())
            }
            (Ask::Join | Ask::Sync | Ask::Ping { .. } | Ask::Leave { .. }, _) => {}
        }
    }

    pub(super) fn check_own_hash(&self) {
        assert_eq!(self.own_hash(), self.compute_own_hash(), "the own hash is of the own word");
    }
}
