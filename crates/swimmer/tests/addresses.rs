//! Nodes whose records do not say where they are: refused, told, and put right (J3, J4).

#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use support::{builder, soon, start, start_by, until};
use swim_membership::Table;
use swim_proto::{RecordFields, Versions};
use swimmer::node::{Answer, Node, Output, RequestId, Settings};
use swimmer::{
    AdvertisedBy, ClusterName, CommandError, Instant, JoinPolicy, NodeId, Notice, RefusalReason,
    State,
};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 16])
}

/// A pure node whose record has one address and whose packets come from another.
struct Peer {
    node: Node,
    speaks_from: SocketAddr,
    notices: Vec<Notice>,
    wake_at: Instant,
    /// Longer frames to and from it are lost.
    frame_max: usize,
}

impl Peer {
    fn new(n: u8, record: &str, speaks_from: &str) -> Self {
        let cluster = ClusterName::new("test").unwrap();
        let settings =
            Settings { seed: n.into(), ..Settings::new(id(n), cluster, address(record)) };
        let node = Node::new(settings, Instant::ZERO).unwrap();
        let speaks_from = address(speaks_from);
        Self {
            node,
            speaks_from,
            notices: Vec::new(),
            wake_at: Instant::ZERO,
            frame_max: usize::MAX,
        }
    }

    fn holds(&self, n: u8) -> Option<(State, SocketAddr)> {
        self.node.member(id(n)).map(|member| (member.state, member.address))
    }
}

/// Does what these want at this moment. Packets arrive from where their senders speak, at whoever
/// speaks from where they are sent to; the ports of requests are passing ones.
fn settle(peers: &mut [Peer], now: Instant) {
    let mut requests = 0;
    loop {
        let mut idle = true;
        for at in 0..peers.len() {
            let from = peers[at].speaks_from;
            let (mut datagrams, mut asked) = (Vec::new(), Vec::new());
            let wake_at = loop {
                match peers[at].node.poll_output() {
                    Output::Datagram { to, payload } => datagrams.push((to, payload.to_vec())),
                    Output::Exchange { id, to, request, .. } => {
                        asked.push((id, to, request.to_vec()));
                    }
                    Output::Notice(notice) => {
                        peers[at].notices.push(notice);
                    }
                    Output::Wait(at) => break at,
                    _ => {}
                }
            };
            peers[at].wake_at = wake_at;
            idle &= datagrams.is_empty() && asked.is_empty();
            for (to, mut bytes) in datagrams {
                if let Some(peer) = peers.iter_mut().find(|peer| peer.speaks_from == to) {
                    peer.node.handle_datagram(now, from, &mut bytes);
                }
            }
            for (exchange, to, mut request) in asked {
                requests += 1;
                let passing = SocketAddr::new(from.ip(), 50_000 + requests);
                let frame_max = peers[at].frame_max;
                let target = peers.iter_mut().find(|peer| peer.speaks_from == to);
                let target = target.filter(|_| request.len() <= frame_max);
                let mut reply = target.and_then(|peer| {
                    let request_id = RequestId(requests.into());
                    peer.node.handle_request(now, passing, request_id, &mut request);
                    reply_of(peer).filter(|reply| reply.len() <= frame_max)
                });
                let answer = reply.as_deref_mut().map_or(Answer::Nothing, Answer::Frame);
                peers[at].node.handle_reply(now, exchange, answer);
            }
        }
        if idle {
            return;
        }
    }
}

/// The reply that a node has ready. What else it wants is lost: the network may do so.
fn reply_of(peer: &mut Peer) -> Option<Vec<u8>> {
    let mut reply = None;
    loop {
        match peer.node.poll_output() {
            Output::Reply { frame, .. } => reply = Some(frame.to_vec()),
            Output::Notice(notice) => peer.notices.push(notice),
            Output::Wait(_) => return reply,
            _ => {}
        }
    }
}

/// Lets these run for a while.
fn run(peers: &mut [Peer], now: &mut Instant, time: Duration) {
    let end = *now + time;
    settle(peers, *now);
    while let Some(next) = peers.iter().map(|peer| peer.wake_at).min().filter(|&at| at <= end) {
        *now = next.max(*now);
        for peer in peers.iter_mut() {
            if peer.wake_at <= *now {
                peer.node.handle_timeout(*now);
            }
        }
        settle(peers, *now);
    }
    *now = end;
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn j3_a_joiner_at_a_loopback_address_that_speaks_from_elsewhere_is_refused_and_both_say_so() {
    for record in ["127.0.0.1:7", "169.254.1.1:7"] {
        let mut peers =
            [Peer::new(1, "10.0.0.1:7", "10.0.0.1:7"), Peer::new(2, record, "10.0.0.2:7")];
        let mut now = Instant::ZERO;
        peers[1].node.join(now, &[address("10.0.0.1:7")]);
        run(&mut peers, &mut now, 30 * SECOND);
        let refused = Notice::AddressRefused {
            id: id(2),
            from: address("10.0.0.2:7").ip(),
            address: address(record),
        };
        assert_eq!(peers[0].notices, [refused], "once, though it tries on");
        assert_eq!(peers[0].holds(2), None);
        let [by, cluster] = [address("10.0.0.1:7").to_string(), "test".to_owned()];
        let reason = RefusalReason::Address;
        assert!(peers[1].notices.contains(&Notice::JoinRefused {
            by: address(&by),
            cluster,
            reason
        }));
        let elsewhere = Notice::SpeaksFromElsewhere {
            id: id(2),
            from: address("10.0.0.2:7").ip(),
            port: None,
            record: address(record),
        };
        assert!(peers[1].notices.contains(&elsewhere), "{:?}", peers[1].notices);
        assert!(!peers[1].node.is_joined());
    }
}

#[test]
fn j3_loopback_is_no_reason_to_refuse_one_on_the_same_host() {
    let mut peers =
        [Peer::new(1, "127.0.0.1:7", "127.0.0.1:7"), Peer::new(2, "127.0.0.1:8", "127.0.0.1:8")];
    let mut now = Instant::ZERO;
    peers[1].node.join(now, &[address("127.0.0.1:7")]);
    run(&mut peers, &mut now, 10 * SECOND);
    assert_eq!(peers[0].holds(2), Some((State::Alive, address("127.0.0.1:8"))));
    assert_eq!(peers.map(|peer| peer.notices.len()), [0, 1], "only that it has joined");
}

#[test]
fn j3_a_refused_node_takes_up_the_address_of_its_machine_at_which_it_was_seen() {
    let mut peers =
        [Peer::new(1, "10.0.0.1:7", "10.0.0.1:7"), Peer::new(2, "127.0.0.1:7", "10.0.0.2:7")];
    let mut now = Instant::ZERO;
    let own = ["127.0.0.1", "10.9.0.2", "10.0.0.2"].map(|ip| ip.parse().unwrap());
    peers[1].node.handle_interfaces(now, &own);
    peers[1].node.join(now, &[address("10.0.0.1:7")]);
    run(&mut peers, &mut now, 10 * SECOND);
    assert_eq!(peers[0].holds(2), Some((State::Alive, address("10.0.0.2:7"))));
    let moved = Notice::Moved { before: address("127.0.0.1:7"), now: address("10.0.0.2:7") };
    assert!(peers[1].notices.contains(&moved), "{:?}", peers[1].notices);
}

#[test]
fn j3_who_was_seen_where_it_says_does_not_change_because_another_sees_it_elsewhere() {
    let mut peers =
        [Peer::new(1, "10.0.0.1:7", "10.0.0.1:7"), Peer::new(2, "10.0.0.2:7", "10.0.0.2:7")];
    let mut now = Instant::ZERO;
    let own = ["10.0.0.2", "10.9.0.2"].map(|ip| ip.parse().unwrap());
    peers[1].node.handle_interfaces(now, &own);
    peers[1].node.join(now, &[address("10.0.0.1:7")]);
    run(&mut peers, &mut now, 3 * SECOND);
    peers[1].speaks_from = address("10.9.0.2:7");
    run(&mut peers, &mut now, 10 * SECOND);
    assert_eq!(peers[1].node.local().address, address("10.0.0.2:7"));
    // Its lease ends.
    peers[1].node.handle_interfaces(now, &own[1..]);
    run(&mut peers, &mut now, 10 * SECOND);
    assert_eq!(peers[1].node.local().address, address("10.9.0.2:7"));
    assert_eq!(peers[0].holds(2), Some((State::Alive, address("10.9.0.2:7"))));
}

#[test]
fn j3_a_member_that_speaks_from_another_port_is_told_once_on_both_sides() {
    let mut peers =
        [Peer::new(1, "10.0.0.1:7", "10.0.0.1:7"), Peer::new(2, "10.0.0.2:7", "10.0.0.2:9")];
    let mut now = Instant::ZERO;
    peers[1].node.join(now, &[address("10.0.0.1:7")]);
    run(&mut peers, &mut now, 120 * SECOND);
    let elsewhere = Notice::SpeaksFromElsewhere {
        id: id(2),
        from: address("10.0.0.2:9").ip(),
        port: Some(9),
        record: address("10.0.0.2:7"),
    };
    for peer in &peers {
        let told = peer.notices.iter().filter(|&notice| *notice == elsewhere).count();
        assert_eq!(told, 1, "{:?}", peer.notices);
    }
}

#[test]
fn j4_an_address_that_is_good_for_another_host_only_is_held_and_not_pinged() {
    let mut peers = [
        Peer::new(1, "10.0.0.1:7", "10.0.0.1:7"),
        Peer::new(2, "10.0.0.2:7", "10.0.0.2:7"),
        Peer::new(3, "10.0.0.3:7", "10.0.0.3:7"),
        // What a ping to loopback would reach.
        Peer::new(9, "127.0.0.1:7", "127.0.0.1:7"),
    ];
    let mut now = Instant::ZERO;
    for peer in &mut peers[1..3] {
        peer.node.join(now, &[address("10.0.0.1:7")]);
    }
    run(&mut peers, &mut now, 3 * SECOND);
    let local = address("127.0.0.1:7");
    peers[2].node.set_address(now, local).unwrap();
    run(&mut peers, &mut now, 60 * SECOND);
    let held = Some((State::Alive, local));
    assert_eq!([peers[0].holds(3), peers[1].holds(3)], [held, held], "by gossip it is believed");
    assert_eq!(peers[0].node.digest(), peers[1].node.digest());
    for peer in &peers[..2] {
        assert!(peer.node.stats().membership.addresses_unusable > 0);
    }
    assert_eq!(peers[3].node.stats().wire.datagrams_in, 0, "nobody asks who has it here");
}

#[test]
fn e7_a_joiner_behind_a_path_that_loses_long_frames_gets_the_whole_table_and_says_so() {
    let tag = ClusterName::new("test").unwrap().tag();
    let record = |n: u8| {
        let (address, versions) = (SocketAddr::from(([10, 0, 1, n], 7)), Versions::default());
        let fields = RecordFields { address, versions, name: "", metadata: &[n; 450], later: &[] };
        (id(n), fields.build().unwrap())
    };
    let mut peers =
        [Peer::new(1, "10.0.0.1:7", "10.0.0.1:7"), Peer::new(2, "10.0.0.2:7", "10.0.0.2:7")];
    let mut now = Instant::ZERO;
    peers[0].node.adopt(now, &Table::of_alive(tag, 1, (10..40).map(record)));
    peers[1].frame_max = 1_200;
    peers[1].node.join(now, &[address("10.0.0.1:7")]);
    run(&mut peers, &mut now, 20 * SECOND);
    assert!(peers[1].node.is_joined());
    assert_eq!(peers[1].node.members().count(), 31, "all that the other holds");
    let to = address("10.0.0.1:7");
    let told = peers[1].notices.iter().filter(|&notice| *notice == Notice::SmallPath { to });
    assert_eq!(told.count(), 1);
}

#[test]
fn e7_a_seed_whose_datagrams_come_and_whose_replies_do_not_is_told_as_a_path_that_loses_them() {
    let mut peers =
        [Peer::new(1, "10.0.0.1:7", "10.0.0.1:7"), Peer::new(2, "10.0.0.2:7", "10.0.0.2:7")];
    let mut now = Instant::ZERO;
    // A join fits, its reply does not.
    peers[1].frame_max = 100;
    let to = address("10.0.0.1:7");
    peers[1].node.join(now, &[to]);
    run(&mut peers, &mut now, 20 * SECOND);
    assert!(!peers[1].node.is_joined());
    let notices = &peers[1].notices;
    assert_eq!(notices.iter().filter(|&it| *it == Notice::SmallPath { to }).count(), 1);
}

#[tokio::test]
async fn j3_a_member_whose_record_leads_nowhere_and_those_that_hear_it_are_told() {
    let first = start(&[]).await;
    let second = start(&[first.local_addr()]).await;
    // Nobody listens there.
    let wrong = builder().advertise(address("127.0.0.1:9"));
    let lost = start_by(wrong, [first.local_addr()]).await;
    let elsewhere = Notice::SpeaksFromElsewhere {
        id: lost.id(),
        from: lost.local_addr().ip(),
        port: Some(lost.local_addr().port()),
        record: address("127.0.0.1:9"),
    };
    for node in [&lost, &first, &second] {
        let mut notices = node.notices();
        let told = async { while notices.recv().await.unwrap() != elsewhere {} };
        soon("it is told", told).await;
    }
    // And put right by hand.
    lost.set_advertise(lost.local_addr()).await.unwrap();
    let right = || {
        let held = second.members().get(lost.id()).map(|member| (member.state, member.address));
        held == Some((State::Alive, lost.local_addr()))
    };
    until("it is held where it is", right).await;
}

#[tokio::test]
async fn an_address_to_advertise_that_cannot_be_is_an_error_and_changes_nothing() {
    let node = start(&[]).await;
    let before = node.local();
    let family = node.set_advertise(address("[2001:db8::1]:7")).await;
    assert_eq!(family, Err(CommandError::Family(address("[2001:db8::1]:7"))));
    let zone = node.set_advertise(address("[fe80::1]:7")).await;
    assert!(matches!(zone, Err(CommandError::Zone(_))), "{zone:?}");
    let nobody = node.set_advertise(address("0.0.0.0:7")).await;
    assert!(matches!(nobody, Err(CommandError::Record(_))), "{nobody:?}");
    assert_eq!(node.local(), before);
    node.set_advertise(address("192.0.2.7:0")).await.unwrap();
    let port = node.local_addr().port();
    until("it is told", || node.local().address == SocketAddr::new([192, 0, 2, 7].into(), port))
        .await;
}

#[tokio::test]
async fn a_wildcard_advertises_an_address_at_which_it_is_reached() {
    let node = builder().listen(address("0.0.0.0:0")).start().await.unwrap();
    let advertised = node.local().address;
    assert_eq!(advertised.port(), node.local_addr().port());
    assert_ne!(node.advertised_by(), AdvertisedBy::Listen);
    let other = builder().listen(address("0.0.0.0:0")).join_policy(JoinPolicy::Wait);
    let other = soon("the join", start_by(other, [advertised])).await;
    assert_eq!(other.members().get(node.id()).map(|member| member.address), Some(advertised));
}
