//! Where members speak from, and which addresses lead to them from here (J3, J4).

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use swim_proto::{NodeId, Scope};

use crate::time::Instant;

/// Addresses that are good for this host or link only and lead to a member, as far as they are kept.
const NEAR_MAX: usize = 64;
/// Members that speak from elsewhere than their records say and are not told yet.
const WAITING_MAX: usize = 64;
/// Members and addresses told; further ones are not.
const TOLD_MAX: usize = 256;
/// For so many periods a datagram from elsewhere may be of a member whose new record has not arrived
/// yet.
const PERIODS: u32 = 3;

/// Whether the address of a record was found to lead to its member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// Addresses, loopback or link-local, that something came from: they lead there.
    near: Vec<SocketAddr>,
    /// Who spoke from elsewhere than this address of its record, and since when.
    waiting: Vec<(NodeId, SocketAddr, Instant)>,
    /// Of whom, with this address in its record, that was told.
    told: Vec<(NodeId, SocketAddr)>,
}

impl Places {
    /// Something has come from this address.
    pub(crate) fn on_heard_from(&mut self, from: SocketAddr) {
        if Scope::of(from.ip()) == Scope::Wide || self.near.contains(&from) {
            return;
        }
        if self.near.len() == NEAR_MAX {
            self.near.remove(0);
        }
        self.near.push(from);
    }

    /// Whether an address in a record leads to its member from the node at `own`. One that is good for
    /// another host or link leads to whoever has it here.
    pub(crate) fn leads(&self, own: SocketAddr, to: SocketAddr) -> bool {
        Scope::of(own.ip()) <= Scope::of(to.ip()) || self.near.contains(&to)
    }

    /// A member speaks from elsewhere than this address of its record. Returns whether that is to be
    /// told: once, when it has lasted for so long that no newer record is on its way.
    pub(crate) fn on_elsewhere(
        &mut self,
        now: Instant,
        period: Duration,
        member: NodeId,
        record: SocketAddr,
    ) -> bool {
        self.waiting.retain(|&(who, at, _)| who != member || at == record);
        let Some(at) = self.waiting.iter().position(|&(who, ..)| who == member) else {
            if self.waiting.len() == WAITING_MAX {
                self.waiting.remove(0);
            }
            self.waiting.push((member, record, now));
            return false;
        };
        now - self.waiting[at].2 >= period * PERIODS && self.is_first(member, record)
    }

    /// Whether this was not told yet. It is now.
    pub(crate) fn is_first(&mut self, member: NodeId, record: SocketAddr) -> bool {
        let first = !self.told.contains(&(member, record)) && self.told.len() < TOLD_MAX;
        if first {
            self.told.push((member, record));
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(1);

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn j4_loopback_leads_from_loopback_only_or_where_something_came_from_it() {
        let mut places = Places::default();
        let [local, link, wide] = ["127.0.0.1:7", "169.254.0.1:7", "10.0.0.1:7"].map(address);
        for (own, leads) in
            [(local, [true, true, true]), (link, [false, true, true]), (wide, [false, false, true])]
        {
            assert_eq!([local, link, wide].map(|to| places.leads(own, to)), leads, "{own}");
        }
        places.on_heard_from(local);
        assert!(places.leads(wide, local) && !places.leads(wide, address("127.0.0.1:8")));
        for port in 1..=1_000 {
            places.on_heard_from(SocketAddr::new(local.ip(), port));
        }
        assert_eq!(places.near.len(), NEAR_MAX);
    }

    #[test]
    fn j3_who_speaks_from_elsewhere_is_told_once_and_not_while_a_newer_record_may_come() {
        let mut places = Places::default();
        let (member, old, new) =
            (NodeId::from_bytes([1; 16]), address("10.0.0.1:7"), address("10.0.0.2:7"));
        assert!(!places.on_elsewhere(at(1), PERIOD, member, old));
        assert!(!places.on_elsewhere(at(3), PERIOD, member, old));
        assert!(!places.on_elsewhere(at(4), PERIOD, member, new), "another record, a new time");
        assert!(!places.on_elsewhere(at(6), PERIOD, member, new));
        assert!(places.on_elsewhere(at(7), PERIOD, member, new));
        assert!(!places.on_elsewhere(at(8), PERIOD, member, new), "once");
        assert!(!places.is_first(member, new) && places.is_first(member, old));
        for port in 1..=1_000 {
            let record = SocketAddr::new(old.ip(), port);
            places.is_first(member, record);
            places.on_elsewhere(at(9), PERIOD, NodeId::from_bytes([port as u8; 16]), record);
        }
        assert!(places.told.len() == TOLD_MAX && places.waiting.len() <= WAITING_MAX);
    }
}
