//! Every count has a name of its own, and docs/STATISTICS.md says what it means.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;

use support::{start_many, until};

const DOCUMENTED: &str = include_str!("../../../docs/STATISTICS.md");

#[tokio::test]
async fn every_count_is_named_once_and_documented() {
    let nodes = start_many(2).await;
    let names: Vec<&str> = nodes[0].stats().named().map(|(name, _)| name).collect();
    let different: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(different.len(), names.len(), "each is there once");
    for name in &names {
        let snake = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        assert!(snake, "{name}");
    }
    let rows = DOCUMENTED.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: Vec<&str> = rows.collect();
    assert_eq!(documented, names, "the names, in the order in which they are printed");
}

#[tokio::test]
async fn what_happens_is_counted() {
    let nodes = start_many(3).await;
    let of = |name: &str| {
        let stats = nodes[0].stats();
        let found = stats.named().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("{name}")).1
    };
    until("probes", || of("probes") > 0 && of("datagrams_in") > 0).await;
    assert_eq!((of("members_present"), of("members_held")), (3, 2));
    assert!(of("tcp_accepted") > 0 && of("udp_receive_buffer_granted") > 0);
    nodes[0].shutdown().await;
    assert!(of("tcp_accepted") > 0, "the last counts stay after the end");
}
