//! The gossip tick of the pure node.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::net::SocketAddr;

use swimmer::node::{Node, Output, RequestId, Settings};
use swimmer::{ClusterName, Instant, NodeId};

fn node(number: u16) -> Node {
    let mut id = [7; 16];
    id[..2].copy_from_slice(&number.to_le_bytes());
    let cluster = ClusterName::new("test").unwrap();
    Node::new(Settings::new(NodeId::from_bytes(id), cluster, address(number)), NOW).unwrap()
}

fn address(number: u16) -> SocketAddr {
    ([127, 0, 0, 1], 1_000 + number).into()
}

const NOW: Instant = Instant::from_micros(1_000_000);

/// A node by which so many others have joined, none of whom has been told of any other.
fn joined_by(count: u16) -> Node {
    let mut seed = node(0);
    for number in 1..=count {
        let mut joiner = node(number);
        joiner.join(NOW, &[address(0)]);
        joiner.handle_timeout(NOW);
        let Output::Exchange { request, .. } = joiner.poll_output() else {
            panic!("a node that joins asks its seed");
        };
        let mut request = request.to_vec();
        seed.handle_request(NOW, address(number), RequestId(number.into()), &mut request);
    }
    while !matches!(seed.poll_output(), Output::Wait(_)) {}
    seed
}

/// The datagrams of one tick, by receiver.
fn tick(node: &mut Node) -> BTreeMap<SocketAddr, Vec<Vec<u8>>> {
    node.handle_timeout(NOW);
    let mut sent: BTreeMap<_, Vec<_>> = BTreeMap::new();
    loop {
        match node.poll_output() {
            Output::Datagram { to, payload } => sent.entry(to).or_default().push(payload.to_vec()),
            Output::Wait(_) => return sent,
            _ => {}
        }
    }
}

#[test]
fn g3_little_news_goes_to_three_members_in_a_datagram_each() {
    let sent = tick(&mut joined_by(10));
    assert_eq!(sent.values().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
}

#[test]
fn g3_news_of_hundreds_goes_to_three_members_as_a_whole() {
    // 43 fit a datagram, with the start in their records.
    let sent = tick(&mut joined_by(300));
    assert_eq!(sent.values().map(Vec::len).collect::<Vec<_>>(), [7, 7, 7]);
    for (to, datagrams) in sent {
        let mut told = node(9_000);
        datagrams.into_iter().for_each(|mut bytes| told.handle_datagram(NOW, to, &mut bytes));
        assert_eq!(told.present(), 301, "the 300, and itself");
    }
}

#[test]
fn g3_a_tick_is_bounded_however_much_news_waits() {
    let sent = tick(&mut joined_by(1_000));
    assert_eq!(sent.values().map(Vec::len).collect::<Vec<_>>(), [8, 8, 8]);
}
