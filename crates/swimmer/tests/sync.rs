//! Tables that are compared: what comes of it, what it takes, and what a liar makes of it (D3, E1 to
//! E3).
#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use quickcheck::{Arbitrary, Gen, quickcheck};
use swim_membership::Table;
use swim_proto::limits::FRAME_BYTES_MAX;
use swim_proto::{
    Accusers, BincodeCodec, BucketSet, ClusterName, Codec, Datagram, Fit, Frame, Incarnation,
    NodeId, Part, Record, RecordFields, Reply, Request, ShortId, Subject, TinyId, Versions,
};
use swimmer::node::{Answer, Node, Output, RequestId, Settings};
use swimmer::{Instant, Member, State};

fn cluster() -> ClusterName {
    ClusterName::new("test").unwrap()
}

fn id(n: u32) -> NodeId {
    NodeId::from_bytes(u128::from(n + 1).to_be_bytes())
}

fn address(n: u32) -> SocketAddr {
    let [_, a, b, c] = n.to_be_bytes();
    SocketAddr::from(([10, a, b, c], 7_000))
}

fn record(n: u32, metadata: &[u8]) -> Record {
    let (address, versions) = (address(n), Versions::default());
    RecordFields { address, versions, name: "", metadata, later: &[] }.build().unwrap()
}

/// A table of these members, all in their first incarnation.
fn table(members: impl IntoIterator<Item = u32>, metadata: &[u8]) -> Table {
    let members = members.into_iter().map(|n| (id(n), record(n, metadata)));
    Table::of_alive(cluster().tag(), 7, members)
}

/// A datagram of gossip with these parts.
fn gossip(parts: &[Part<'_>]) -> Vec<u8> {
    let (mut codec, mut out) = (BincodeCodec::new(cluster()), Vec::new());
    codec.begin_datagram(&Datagram::Gossip, 1_400, &mut out).unwrap();
    for part in parts {
        assert_eq!(codec.push(part, 1_400, &mut out), Fit::Written);
    }
    codec.finish(&mut out);
    out
}

fn frame(message: &Frame<'_>, parts: &[Part<'_>]) -> Vec<u8> {
    let (mut codec, mut out) = (BincodeCodec::new(cluster()), Vec::new());
    codec.begin_frame(message, FRAME_BYTES_MAX, &mut out).unwrap();
    for part in parts {
        assert_eq!(codec.push(part, FRAME_BYTES_MAX, &mut out), Fit::Written);
    }
    codec.finish(&mut out);
    out
}

/// What went over the reliable plane.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    exchanges: usize,
    bytes: usize,
    longest: usize,
}

impl Carried {
    fn add(&mut self, frame: &[u8]) {
        self.bytes += frame.len();
        self.longest = self.longest.max(frame.len());
    }
}

/// A few nodes, numbered from 0, and a perfect network. All other members are silent.
struct Net {
    nodes: Vec<Node>,
    now: Instant,
    carried: Carried,
}

impl Net {
    fn new(tables: &[&Table]) -> Self {
        let now = Instant::ZERO + Duration::from_secs(1);
        let node = |n: u32| {
            let mut settings = Settings::new(id(n), cluster(), address(n));
            settings.seed = n.into();
            Node::new(settings, now).unwrap()
        };
        let mut nodes: Vec<_> = (0..tables.len() as u32).map(node).collect();
        for (node, table) in nodes.iter_mut().zip(tables) {
            node.adopt(now, table);
        }
        Self { nodes, now, carried: Carried::default() }
    }

    fn hear(&mut self, n: usize, parts: &[Part<'_>]) {
        self.nodes[n].handle_datagram(self.now, address(99), &mut gossip(parts));
    }

    fn at(&self, address: SocketAddr) -> Option<usize> {
        (0..self.nodes.len()).find(|&n| crate::address(n as u32) == address)
    }

    /// Delivers all that nodes want to say, to the last word.
    fn settle(&mut self) {
        let mut busy: VecDeque<usize> = (0..self.nodes.len()).collect();
        while let Some(n) = busy.pop_front() {
            self.drain(n, &mut busy);
        }
    }

    fn drain(&mut self, n: usize, busy: &mut VecDeque<usize>) {
        let from = address(n as u32);
        loop {
            match self.nodes[n].poll_output() {
                Output::Wait(_) => return,
                Output::Datagram { to, payload } => {
                    let mut payload = payload.to_vec();
                    if let Some(to) = self.at(to) {
                        self.nodes[to].handle_datagram(self.now, from, &mut payload);
                        busy.push_back(to);
                    }
                }
                Output::Exchange { id, to, request, .. } => {
                    let mut request = request.to_vec();
                    let mut reply = self.at(to).and_then(|to| {
                        self.carried.exchanges += 1;
                        self.carried.add(&request);
                        answer(&mut self.nodes[to], self.now, &mut request)
                    });
                    self.carried.add(reply.as_deref().unwrap_or_default());
                    self.nodes[n].handle_reply(self.now, id, reply.as_deref_mut().into());
                }
                _ => {}
            }
        }
    }

    /// Node 0 compares its table with node 1: it hears of somebody there whose number is a jump,
    /// and looks into it (M3).
    fn compare(&mut self) -> Carried {
        self.settle();
        self.now = self.now + Duration::from_secs(2);
        self.compare_now()
    }

    fn compare_now(&mut self) -> Carried {
        self.carried = Carried::default();
        let (id, record) = (NodeId::from_bytes([0xee; 16]), record(1, &[]));
        let incarnation = Incarnation(1 << 40);
        self.hear(0, &[Part::Alive { id, incarnation, record: record.as_bytes() }]);
        self.settle();
        assert!(self.carried.exchanges > 0);
        self.carried
    }

    /// Runs until this moment, all timers in their order.
    fn run_until(&mut self, end: Instant) {
        loop {
            self.settle();
            let deadline = |node: &mut Node| match node.poll_output() {
                Output::Wait(at) => at,
                other => unreachable!("all is settled: {other:?}"),
            };
            let next = self.nodes.iter_mut().map(deadline).min().unwrap();
            if next > end {
                return;
            }
            self.now = self.now.max(next);
            for node in &mut self.nodes {
                node.handle_timeout(self.now);
            }
        }
    }

    /// The present members, with the node itself, as it sees them.
    fn view(&self, n: usize) -> Vec<Member> {
        let node = &self.nodes[n];
        let mut members: Vec<_> = node.members().filter(|m| m.state.is_present()).collect();
        members.push(node.local());
        members.sort_by_key(|member| member.id);
        members
    }

    fn assert_equal(&self) {
        assert_eq!(self.view(0), self.view(1));
        assert_eq!(self.nodes[0].digest(), self.nodes[1].digest());
    }
}

fn answer(node: &mut Node, now: Instant, request: &mut [u8]) -> Option<Vec<u8>> {
    node.handle_request(now, address(77), RequestId(1), request);
    let mut reply = None;
    loop {
        match node.poll_output() {
            Output::Reply { frame, .. } => reply = Some(frame.to_vec()),
            Output::Wait(_) => return reply,
            _ => {}
        }
    }
}

#[test]
fn e2_a_sync_of_equal_tables_takes_one_round_trip_and_2_5_kib_at_any_size() {
    for (members, most) in [(2, 256), (100, 1_024), (10_000, 2_304), (100_000, 2_304)] {
        let table = table(0..members, &[]);
        let mut net = Net::new(&[&table, &table]);
        let carried = net.compare();
        assert_eq!(carried.exchanges, 1);
        assert!(carried.bytes <= most, "{members}: {carried:?}");
        net.assert_equal();
    }
}

#[test]
fn e2_the_cost_of_a_sync_follows_the_difference() {
    for (members, missing, most) in [(10_000, 1, 4_096), (10_000, 10, 16_384), (100_000, 1, 20_480)]
    {
        // Those that are missing are spread over the buckets, as all are.
        for missing_at in [0, 1] {
            let all = table(0..members, &[]);
            let some = table((0..members).filter(|n| n % (members / missing) != 3), &[]);
            let tables = if missing_at == 0 { [&some, &all] } else { [&all, &some] };
            let mut net = Net::new(&tables);
            let carried = net.compare();
            assert!(carried.exchanges <= 2, "{carried:?}");
            assert!(carried.bytes <= most, "{carried:?}");
            net.assert_equal();
        }
    }
}

#[test]
fn e2_tables_that_no_frame_holds_are_told_in_rounds_in_either_direction_and_in_both() {
    let metadata = [7; 300];
    let (low, high) = (table(0..700, &metadata), table((0..2).chain(700..1_300), &metadata));
    let none = table(0..2, &metadata);
    for tables in [[&low, &none], [&none, &low], [&low, &high], [&high, &low]] {
        let mut net = Net::new(&tables);
        let carried = net.compare();
        assert!((4..=12).contains(&carried.exchanges), "{carried:?}");
        assert!(carried.longest <= 65_536 && carried.longest > 60_000, "{carried:?}");
        net.assert_equal();
    }
}

#[test]
fn j1_a_join_is_one_round_trip_as_long_as_the_table_fits_a_frame() {
    for (members, round_trips) in [(1, 1), (100, 1), (2_000, 1), (10_000, 4)] {
        let (none, all) = (table([0], &[]), table(1..=members, &[]));
        let mut net = Net::new(&[&none, &all]);
        net.nodes[0].join(net.now, &[address(1)]);
        net.nodes[0].handle_timeout(net.now);
        net.settle();
        assert_eq!(net.carried.exchanges, round_trips, "{members}");
        assert!(!net.nodes[0].wants_seeds());
        net.assert_equal();
    }
}

/// A node that asks itself under another address forgets that seed, though its later fields have
/// changed since it answered. One that says something else to users is another process.
#[test]
fn j1_an_answer_by_ones_own_id_with_the_own_visible_fields_is_ones_own() {
    let patient = record(0, &[]).with_patience(Duration::from_secs(5)).unwrap();
    for (answer, is_own) in [(patient, true), (record(0, b"another"), false)] {
        let mut net = Net::new(&[&table([0], &[])]);
        net.nodes[0].join(net.now, &[address(7)]);
        net.nodes[0].handle_timeout(net.now);
        let asked = loop {
            match net.nodes[0].poll_output() {
                Output::Exchange { id, .. } => break id,
                Output::Wait(_) => panic!("nobody is asked"),
                _ => {}
            }
        };
        let own = Part::Alive { id: id(0), incarnation: Incarnation(1), record: answer.as_bytes() };
        let entries =
            Reply::Entries { from: id(0), digest: 1, buckets: BucketSet::ALL, next: None };
        let mut reply = frame(&Frame::Reply(entries), &[own]);
        net.nodes[0].handle_reply(net.now, asked, swimmer::node::Answer::Frame(&mut reply));
        // What is one's own is no news; another's word in one's own incarnation is refuted (R1).
        assert_eq!(net.nodes[0].local().incarnation, Incarnation(if is_own { 1 } else { 2 }));
    }
}

#[test]
fn d3_a_table_that_misses_a_member_is_repaired_within_a_few_periods() {
    let (all, some) = (table(0..3, &[]), table(0..2, &[]));
    for missing_at in 0..2 {
        let mut tables = [&all; 3];
        tables[missing_at] = &some;
        let mut net = Net::new(&tables);
        let missed = |net: &Net| net.nodes[missing_at].member(id(2)).is_none();
        net.run_until(net.now + Duration::from_secs(1));
        assert!(missed(&net), "nobody has said anything yet");
        net.run_until(net.now + Duration::from_secs(8));
        assert!(!missed(&net), "two differences in a row, and a repair");
        let agreeing = net.nodes[2].digest();
        assert!(net.nodes.iter().all(|node| node.digest() == agreeing));
        // In calm nobody compares anything any more.
        let before = net.carried.exchanges;
        net.run_until(net.now + Duration::from_secs(600));
        assert_eq!(net.carried.exchanges, before);
    }
}

#[test]
fn d2_only_members_are_told_how_a_node_stands() {
    let table = table(0..3, &[]);
    let mut net = Net::new(&[&table]);
    let ping = |from: u32, note| {
        let tag = cluster().tag();
        let claim = swim_proto::Claim::new(Incarnation(1), State::Alive);
        let held = swim_proto::Held { claim, record: record(0, &[]).hash() as u16 };
        let (target, from) = (id(0).short(tag).tiny(), id(from).short(tag).tiny());
        let (mut codec, mut out) = (BincodeCodec::new(cluster()), Vec::new());
        let ping = Datagram::Ping { seq: swim_proto::Seq(1), target, from, held, note };
        codec.begin_datagram(&ping, 1_400, &mut out).unwrap();
        codec.finish(&mut out);
        out
    };
    let note = Some(swim_proto::StateNote { digest: net.nodes[0].digest(), quiet: true });
    for (from, note, bytes) in [(1, note, 18), (1, None, 18), (9, note, 10)] {
        net.nodes[0].handle_datagram(net.now, address(from), &mut ping(from, note));
        let Output::Datagram { payload, .. } = net.nodes[0].poll_output() else {
            panic!("a ping is acked")
        };
        assert_eq!(payload.len(), bytes, "to {from}");
    }
}

/// What was heard of a member, other than the two nodes.
#[derive(Clone, Copy, Debug)]
enum News {
    Alive(u32, u64, bool),
    Suspect(u32, u64),
    Dead(u32, u64),
    Left(u32, u64),
}

impl Arbitrary for News {
    fn arbitrary(g: &mut Gen) -> Self {
        // Few, so that they meet; and some in one bucket.
        let (n, incarnation) = (2 + u32::arbitrary(g) % 8, u64::arbitrary(g) % 4 + 1);
        match u8::arbitrary(g) % 8 {
            0..=4 => Self::Alive(n, incarnation, bool::arbitrary(g)),
            5 => Self::Suspect(n, incarnation),
            6 => Self::Dead(n, incarnation),
            _ => Self::Left(n, incarnation),
        }
    }
}

impl News {
    fn with(self, take: impl FnOnce(Part<'_>)) {
        let short = |n| Subject::Short(id(n).short(cluster().tag()));
        let accusers: Accusers = [TinyId(7)].into_iter().collect();
        match self {
            Self::Alive(n, incarnation, other) => {
                let record = record(n, if other { b"other" } else { b"" });
                let (id, incarnation) = (id(n), Incarnation(incarnation));
                take(Part::Alive { id, incarnation, record: record.as_bytes() });
            }
            Self::Suspect(n, i) => {
                take(Part::Suspect { subject: short(n), incarnation: Incarnation(i), accusers });
            }
            Self::Dead(n, i) => {
                take(Part::Dead { subject: short(n), incarnation: Incarnation(i), accusers });
            }
            Self::Left(n, i) => {
                take(Part::Left { subject: short(n), incarnation: Incarnation(i) });
            }
        }
    }
}

fn compared(news: [&[News]; 2]) -> Net {
    let both = table(0..2, &[]);
    let mut net = Net::new(&[&both, &both]);
    for (n, news) in news.into_iter().enumerate() {
        news.iter().for_each(|news| news.with(|part| net.hear(n, &[part])));
    }
    net.compare();
    net
}

quickcheck! {
    fn e2_after_quiet_any_two_tables_that_exchanged_are_equal(a: Vec<News>, b: Vec<News>) -> bool {
        let deaths = |news: Vec<News>| -> Vec<News> {
            news.into_iter().filter(|news| !matches!(news, News::Dead(..))).collect()
        };
        let net = compared([&deaths(a), &deaths(b)]);
        net.view(0) == net.view(1) && net.nodes[0].digest() == net.nodes[1].digest()
    }

    /// A death that only one side holds is doubted by the other, which looks itself (M5); then both
    /// are equal but for those.
    fn e2_tables_that_exchanged_differ_in_deaths_that_are_looked_into_and_in_nothing_else(
        a: Vec<News>,
        b: Vec<News>
    ) -> bool {
        let net = compared([&a, &b]);
        (2..10).all(|n| {
            let [a, b] = [0, 1].map(|at: usize| net.nodes[at].member(id(n)));
            let absent = |member: &Option<Member>| {
                member.as_ref().is_none_or(|member| !member.state.is_present())
            };
            let doubts = |a: &Option<Member>, b: &Option<Member>| match (a, b) {
                (Some(a), Some(b)) => {
                    (a.state, b.state) == (State::Suspect, State::Dead)
                        && a.incarnation == b.incarnation
                }
                _ => false,
            };
            a == b || absent(&a) && absent(&b) || doubts(&a, &b) || doubts(&b, &a)
        })
    }
}

#[test]
fn e3_a_restarted_node_learns_in_the_first_reply_that_it_is_held_in_a_higher_incarnation() {
    let both = table(0..2, &[]);
    let mut net = Net::new(&[&both, &both]);
    let before = record(0, b"before");
    net.hear(
        1,
        &[Part::Alive { id: id(0), incarnation: Incarnation(5), record: before.as_bytes() }],
    );
    net.compare();
    assert_eq!(net.nodes[0].local().incarnation, Incarnation(6));
    net.assert_equal();
}

#[test]
fn e3_one_who_may_not_refute_yet_is_contradicted_once_and_not_for_as_long_as_that_takes() {
    let both = table(0..2, &[]);
    let mut net = Net::new(&[&both, &both]);
    net.settle();
    // It has just refuted, and may not again within a second (R2).
    let subject = Subject::Full(id(1));
    let accusers = Accusers::from_iter([TinyId(1)]);
    net.hear(1, &[Part::Suspect { subject, incarnation: Incarnation(1), accusers }]);
    assert_eq!(net.nodes[1].local().incarnation, Incarnation(2));
    // The other holds it dead in that incarnation.
    net.hear(0, &[Part::Dead { subject, incarnation: Incarnation(2), accusers }]);
    let asked = net.compare_now().exchanges;
    assert!((2..=6).contains(&asked), "in {asked} requests");
}

/// The answer of a liar who says that all differs, and has more of it each time.
#[test]
fn e2_a_liar_who_never_ends_is_left_when_it_does_not_go_on_or_after_2_048_rounds() {
    for (advances, rounds) in [(false, 3), (true, 2_048)] {
        let all = table(0..50, &[]);
        let mut net = Net::new(&[&all]);
        let phantom = record(1, &[]);
        let jump = Incarnation(1 << 40);
        let far = NodeId::from_bytes([0xee; 16]);
        net.hear(0, &[Part::Alive { id: far, incarnation: jump, record: phantom.as_bytes() }]);
        let (mut asked, mut next) = (0, 1_u64);
        loop {
            let exchange = match net.nodes[0].poll_output() {
                Output::Exchange { id, .. } => id,
                Output::Wait(_) => break,
                _ => continue,
            };
            asked += 1;
            assert!(asked <= rounds, "{asked} rounds");
            next += u64::from(advances);
            let entries = Reply::Entries {
                from: id(1),
                digest: next,
                buckets: BucketSet::ALL,
                next: Some(ShortId(next)),
            };
            let mut reply = frame(&Frame::Reply(entries), &[]);
            net.nodes[0].handle_reply(net.now, exchange, Answer::Frame(&mut reply));
        }
        assert_eq!(asked, rounds);
        assert_eq!(net.nodes[0].stats().wire.rounds_full, u64::from(advances));
        assert_eq!(net.nodes[0].stats().exchanges_open, 0);
    }
}

#[test]
fn e2_the_responder_answers_any_buckets_and_cursors_within_a_frame_and_remembers_nothing() {
    let all = table(0..3_000, &[7; 100]);
    let mut net = Net::new(&[&all]);
    let three: BucketSet = [0, 90, 255].into_iter().collect();
    let before = net.nodes[0].digest();
    for buckets in [BucketSet::NONE, three, BucketSet::ALL] {
        for pull in [None, Some(1), Some(1 << 62), Some(u64::MAX)] {
            let pull = pull.map(ShortId);
            let records = Request::Records { from: id(7), buckets, pull };
            let mut request = frame(&Frame::Request(records), &[]);
            let mut reply = answer(&mut net.nodes[0], net.now, &mut request).unwrap();
            assert!(reply.len() <= FRAME_BYTES_MAX);
            let (mut codec, mut scratch) = (BincodeCodec::new(cluster()), Vec::new());
            let packet = codec.decode_reply(&mut reply, &mut scratch).unwrap();
            let Reply::Entries { next, .. } = packet.message else { panic!("entries") };
            assert_eq!(
                next.is_some(),
                buckets == BucketSet::ALL && pull.is_some_and(|p| p.0 < 1 << 63)
            );
            // Behind its own word all is of the buckets, and within the ends.
            for part in packet.parts.skip(1) {
                let Ok(Part::Alive { id, .. }) = part else { panic!("all are alive: {part:?}") };
                let short = id.short(cluster().tag());
                assert!(buckets.contains(short.bucket()) && pull.is_some_and(|from| short >= from));
                assert!(next.is_none_or(|next| short < next));
            }
        }
    }
    assert_eq!(net.nodes[0].digest(), before);
}

#[test]
fn e1_one_who_has_left_refuses_to_compare() {
    let all = table(0..3, &[]);
    let mut net = Net::new(&[&all]);
    net.nodes[0].leave(net.now);
    let records = Request::Records { from: id(1), buckets: BucketSet::ALL, pull: None };
    let mut request = frame(&Frame::Request(records), &[]);
    let mut reply = answer(&mut net.nodes[0], net.now, &mut request).unwrap();
    let (mut codec, mut scratch) = (BincodeCodec::new(cluster()), Vec::new());
    let packet = codec.decode_reply(&mut reply, &mut scratch).unwrap();
    assert!(matches!(packet.message, Reply::Refusal { .. }));
}
