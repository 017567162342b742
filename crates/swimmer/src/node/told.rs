//! What the operator is told, and was told already: each kind of notice about an address once per
//! address.

use std::collections::BTreeSet;
use std::mem::{Discriminant, discriminant};
use std::net::SocketAddr;
use std::time::Duration;

use swim_membership::MemberIx;

use super::{Node, Pending, member_of};
use crate::event::Notice;

/// More addresses than this are not told of: whoever sends from so many is no neighbour that an
/// operator could mend. They are still counted.
const TOLD_MAX: usize = 256;

impl Node {
    /// Tells the operator, unless it was told of this kind and address already.
    pub(super) fn notice_once(&mut self, about: SocketAddr, notice: Notice) {
        if self.told.insert(&notice, about) {
            self.pending.push_back(Pending::Notice(notice));
        }
    }

    /// A member uses another timing than this node, which is told once an address.
    pub(super) fn on_other_timing(&mut self, member: MemberIx) {
        if self.membership.table().at(member.as_u32()).is_none() {
            return;
        }
        let view = self.membership.view(member);
        let timing = view.record.timing();
        let (period, suspicion_min) = (timing.period(), timing.suspicion_min());
        let notice = Notice::OtherTiming { member: member_of(&view), period, suspicion_min };
        self.notice_once(view.record.address(), notice);
    }

    /// The membership knows when this is to be told again.
    pub(super) fn on_slow_network(&mut self, round_trip: Duration) {
        let base_timeout = self.membership.config().base_timeout();
        self.pending.push_back(Pending::Notice(Notice::SlowNetwork { round_trip, base_timeout }));
    }
}

#[derive(Default)]
pub(super) struct Told(Vec<(Discriminant<Notice>, BTreeSet<SocketAddr>)>);

impl Told {
    /// Returns whether this is the first notice of its kind about `address`.
    pub(super) fn insert(&mut self, notice: &Notice, address: SocketAddr) -> bool {
        let kind = discriminant(notice);
        let at = match self.0.iter().position(|(known, _)| *known == kind) {
            Some(at) => at,
            None => {
                self.0.push((kind, BTreeSet::new()));
                self.0.len() - 1
            }
        };
        let addresses = &mut self.0[at].1;
        addresses.len() < TOLD_MAX && addresses.insert(address)
    }
}
