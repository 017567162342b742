//! What a member costs in memory: the table with its look-ups by id, short id and index.

use allocation_counter::measure;
use benches::{LOCAL, Voice, address, id, record, tag};
use swim_membership::{Config, Instant, Membership, Source, Via};
use swim_proto::Incarnation;

/// What a member may cost, IPv4, without name and metadata.
const BYTES_MAX: i64 = 72;

/// The bytes that a membership of so many members has allocated, by member.
fn bytes_per_member(members: u32) -> i64 {
    let mut kept = None;
    let info = measure(|| {
        let config = Config::default();
        let mut membership =
            Membership::new(config, id(LOCAL), record(LOCAL), tag(), 7, Instant::ZERO);
        for number in 1..=members {
            let source = Source { address: address(1), via: Via::Gossip };
            let word = Voice::word(number);
            let part = Voice::alive(&word, Incarnation::FIRST);
            membership.handle_part(Instant::ZERO, source, &part);
            while membership.poll_action().is_some() {}
            assert!(membership.drain_changes(|_| {}));
        }
        kept = Some(membership);
    });
    let membership = kept.expect("it was built");
    assert_eq!(membership.table().present(), members as usize);
    assert!(membership.table().find(id(members)).is_some());
    (info.bytes_current + i64::from(members) - 1) / i64::from(members)
}

#[test]
fn a_member_costs_at_most_72_bytes_from_a_thousand_to_a_hundred_thousand() {
    let larger = |&members: &u32| (members < 100_000).then(|| (members * 5 / 4).min(100_000));
    for members in std::iter::successors(Some(1_000), larger) {
        let bytes = bytes_per_member(members);
        println!("{members} members: {bytes} bytes each");
        assert!(bytes <= BYTES_MAX, "{bytes} bytes a member among {members}");
    }
}
