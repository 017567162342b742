//! What is kept over a restart: numbers ahead of use, where the others are, and the longest pause (R5,
//! R6, J2, S6).

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::SocketAddr;

use swim_proto::{Incarnation, State};

use super::Membership;
use crate::action::Action;
use crate::keeping::{ADDRESSES_MAX, SavedState, Written};
use crate::table::MemberIx;
use crate::time::Instant;

impl Membership {
    /// Asks for further numbers where the one in use, or the one that is wanted, comes near the end
    /// of what is reserved. To be called before what uses it is told.
    pub(super) fn reserve_numbers(&mut self) {
        if self.keeping.is_free()
            && let Some(incarnation) = self.local.reserved.end_for(self.local.number())
        {
            let state = self.state_with(incarnation);
            self.start_write(state);
        }
    }

    pub(super) fn on_snapshot_due(&mut self, now: Instant) {
        if now < self.keeping.deadline() {
            return;
        }
        let Some(state) = self.state_to_save() else { return };
        if self.keeping.on_deadline(now, &state) {
            self.start_write(state);
        }
    }

    fn start_write(&mut self, state: SavedState) {
        self.keeping.start_write(state.clone());
        self.actions.push_back(Action::Persist(state));
    }

    /// What should be kept as things stand, for a last write when the process ends; `None`: this
    /// node keeps nothing.
    pub fn state_to_save(&self) -> Option<SavedState> {
        let reserved = self.local.reserved;
        let incarnation = reserved.end_for(self.local.number()).or(reserved.end())?;
        Some(self.state_with(incarnation))
    }

    fn state_with(&self, incarnation: Incarnation) -> SavedState {
        let pause = self.patience.longest();
        SavedState { incarnation, addresses: self.addresses_to_keep(), pause }
    }

    /// A write that was asked for has ended. Returns whether it is to be said that it failed: the
    /// node goes on, and tries again.
    #[must_use]
    pub fn handle_persisted(&mut self, now: Instant, succeeded: bool) -> bool {
        let failed_before = self.keeping.is_failing();
        let written = self.keeping.on_written(now, succeeded);
        match written {
            Written::Unasked => return false,
            Written::Kept(end) => {
                self.counters.persists += 1;
                self.local.reserved.extend(end);
                if failed_before {
                    self.actions.push_back(Action::PersistedAgain);
                }
            }
            Written::Failed | Written::FailedAgain => {
                self.counters.persists_failed += 1;
                self.local.reserved.give_up();
            }
        }
        self.on_raise_due(now);
        written == Written::Failed
    }

    /// A member has changed: it is met if it is there, and what is kept of all may have changed.
    pub(super) fn on_met(&mut self, ix: MemberIx) {
        self.keeping.on_changed();
        if !self.known.addresses().is_empty() && self.claim(ix).state.is_present() {
            self.known.remove(self.address(ix));
        }
    }

    /// Where to look for the others after a restart: at the addresses of the present members, those
    /// met first before the rest; of the dead, who may be on the other side of a partition; and of
    /// those from an earlier life who were not met yet.
    fn addresses_to_keep(&self) -> Vec<SocketAddr> {
        if !self.keeping.is_on() {
            return Vec::new();
        }
        let present = self.table.iter().filter(|&ix| self.claim(ix).state.is_present());
        let dead = self.tombstones.members().filter(|&ix| self.claim(ix).state == State::Dead);
        let dead: Vec<MemberIx> = dead.collect();
        let latest_first = dead.into_iter().rev();
        let members = present.chain(latest_first).map(|ix| self.address(ix));
        let (mut addresses, mut seen) = (Vec::new(), BTreeSet::new());
        for address in members.chain(self.known.addresses().iter().copied()) {
            if addresses.len() == ADDRESSES_MAX {
                break;
            }
            if address != self.local.address() && seen.insert(address) {
                addresses.push(address);
            }
        }
        addresses
    }
}
