//! Members by number: who they are and where they are reached.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use swim_proto::{ClusterName, ClusterTag, NodeId, Record, RecordFields, Versions};
use swimmer::{Config, Profile};

/// The number of the node under test; its members begin at 1.
pub const LOCAL: u32 = 0;

/// The name of everybody's cluster.
pub const CLUSTER: &str = "benches";

/// Everybody's cluster.
pub fn cluster() -> ClusterName {
    ClusterName::new(CLUSTER).expect("the name is short and plain")
}

/// The tag of everybody's cluster.
pub fn tag() -> ClusterTag {
    cluster().tag()
}

/// The default preset without periodic sync, so that a measurement is of one thing.
pub fn config() -> Config {
    Config::builder(Profile::Lan)
        .sync_interval(Duration::from_secs(24 * 3_600))
        .build()
        .expect("a preset with a longer interval is possible")
}

/// The identity of a member: spread over all bits, as those of host keys are.
pub fn id(number: u32) -> NodeId {
    let (low, high) = (scatter(u64::from(number)), scatter(u64::from(number) | 1 << 32));
    NodeId::from_bytes((u128::from(high) << 64 | u128::from(low)).to_le_bytes())
}

/// Where a member is reached: IPv4, no two at the same address.
pub fn address(number: u32) -> SocketAddr {
    let host = u32::from(Ipv4Addr::new(10, 0, 0, 1)) + number;
    (Ipv4Addr::from(host), 7_946).into()
}

/// The record of a member, without name and metadata.
pub fn record(number: u32) -> Record {
    let versions = Versions::default();
    RecordFields { address: address(number), versions, name: "", metadata: &[], later: &[] }
        .build()
        .expect("an address alone makes a record")
}

/// A bijection that leaves no pattern: two rounds of shift, fold and multiply.
fn scatter(number: u64) -> u64 {
    let round = |value: u64| (value ^ value >> 31).wrapping_mul(0xd6e8_feb8_6659_fd93);
    round(round(number.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_two_members_share_an_id_or_an_address() {
        let ids: BTreeSet<_> = (0..10_000).map(id).collect();
        let addresses: BTreeSet<_> = (0..10_000).map(address).collect();
        assert_eq!((ids.len(), addresses.len()), (10_000, 10_000));
    }
}
