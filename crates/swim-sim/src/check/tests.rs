//! Each check is seen to fail: what it looks for is planted.

use std::net::SocketAddr;
use std::time::Duration;

use swim_membership::{Config, Profile, Suspicion, SuspicionTimes};
use swim_proto::limits::FRAME_BYTES_MAX;
use swim_proto::{
    BincodeCodec, Codec, Datagram, Fit, Frame, Part, Request, Seq, Subject, TinyId, Versions,
};
use swimmer::node::{Output, Settings};
use swimmer::{Death, DeathPath, Delivery, Event};

use super::*;
use crate::cluster::{Cluster, Data, HostIx, Options, Place};

fn name() -> ClusterName {
    ClusterName::new("test").unwrap()
}

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 16])
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 7_000))
}

fn at(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}

fn claim(incarnation: u64, state: State) -> Claim {
    Claim::new(Incarnation(incarnation), state)
}

fn member(n: u8) -> Member {
    Member {
        id: id(n),
        name: "".into(),
        address: address(n),
        state: State::Alive,
        incarnation: Incarnation(1),
        metadata: [].into(),
        versions: Versions::default(),
    }
}

fn datagram(message: &Datagram<'_>, parts: &[Part<'_>]) -> Vec<u8> {
    let (mut codec, mut out) = (BincodeCodec::new(name()), Vec::new());
    codec.begin_datagram(message, 1_400, &mut out).unwrap();
    for part in parts {
        assert_eq!(codec.push(part, 1_400, &mut out), Fit::Written);
    }
    codec.finish(&mut out);
    out
}

/// One node, and the checker that looks at it.
struct Bench {
    node: Node,
    checker: Checker,
    names: Names,
}

impl Bench {
    /// It has met member 1.
    fn new() -> Self {
        let settings = Settings::new(id(9), name(), address(9));
        let mut node = Node::new(settings, at(1)).unwrap();
        let mut checker = Checker::new(name(), 1_400);
        checker.on_start(0, &node, at(1));
        let record = swim_proto::RecordFields {
            address: address(1),
            versions: Versions::default(),
            name: "",
            metadata: &[],
            later: &[],
        };
        let word = checker.words.entry(id(1)).or_default();
        word.incarnation = Incarnation(5);
        word.records.insert((address(1), Vec::new()));
        let record = record.build().unwrap();
        let part =
            Part::Alive { id: id(1), incarnation: Incarnation(1), record: record.as_bytes() };
        node.handle_datagram(at(1), address(1), &mut datagram(&Datagram::Gossip, &[part]));
        let mut bench = Self { node, checker, names: Names::new(name().tag()) };
        bench.drain();
        assert_eq!(bench.check(), Ok(()));
        bench
    }

    fn life(&mut self) -> &mut Life {
        self.checker.lives.get_mut(&0).unwrap()
    }

    /// As the cluster does, but that nothing is sent.
    fn drain(&mut self) {
        loop {
            match self.node.poll_output() {
                Output::Event(event) => self.checker.on_event(0, at(2), &event, &self.names),
                Output::Wait(_) => return,
                _ => {}
            }
        }
    }

    fn check(&mut self) -> Result<(), String> {
        self.checker.after_step(at(2), at(2), 0, &mut self.node, &self.names)
    }

    fn hear(&mut self, message: &Datagram<'_>, parts: &[Part<'_>]) {
        let mut bytes = datagram(message, parts);
        self.checker.before_datagram(&self.node, address(1), &bytes);
        self.node.handle_datagram(at(2), address(1), &mut bytes);
        self.checker.after_input(&self.node);
        self.drain();
    }

    fn finds(&mut self, wrong: &str) {
        let found = self.check().unwrap_err();
        assert!(found.contains(wrong), "{found}");
    }
}

#[test]
fn i1_i9_a_claim_that_falls_is_found() {
    let falls = |before, after| check_change(Some(before), after, &member(1), None, true);
    assert!(falls(claim(2, State::Alive), claim(1, State::Left)).is_err());
    assert!(falls(claim(2, State::Dead), claim(2, State::Alive)).is_err());
    assert!(falls(claim(2, State::Dead), claim(3, State::Alive)).is_ok());
}

#[test]
fn i2_a_number_that_its_owner_never_said_is_found() {
    let mut bench = Bench::new();
    bench.checker.words.get_mut(&id(1)).unwrap().incarnation = Incarnation(1);
    let subject = Subject::Full(id(1));
    let accusers = [TinyId(7)].into_iter().collect();
    bench.hear(
        &Datagram::Gossip,
        &[Part::Suspect { subject, incarnation: Incarnation(2), accusers }],
    );
    bench.finds("never said by its owner");
}

#[test]
fn i3_a_record_that_its_owner_never_made_is_found() {
    let mut word = Word { incarnation: Incarnation(1), ..Word::default() };
    let held = claim(1, State::Alive);
    assert!(check_change(None, held, &member(1), Some(&word), false).is_err());
    word.records.insert((address(1), Vec::new()));
    assert!(check_change(None, held, &member(1), Some(&word), false).is_ok());
    assert!(check_change(None, held, &member(1), None, false).is_err(), "or one that never ran");
}

#[test]
fn i4_an_own_number_that_falls_or_rises_too_often_is_found() {
    let mut bench = Bench::new();
    bench.life().own = claim(3, State::Alive);
    bench.finds("lets its own claim fall");

    let mut bench = Bench::new();
    bench.life().raises = 9;
    bench.life().own = claim(0, State::Alive);
    bench.finds("raised its incarnation 10 times");
}

#[test]
fn i5_what_is_too_long_is_found() {
    let mut bench = Bench::new();
    bench.checker.on_datagram_sent(true, address(1), &[0; 1_401]);
    bench.finds("a datagram of 1401 bytes");
    bench.checker.on_frame_sent(&[0; 65_537]);
    bench.finds("a frame of 65537 bytes");
}

#[test]
fn i6_an_answer_to_a_stranger_that_is_longer_than_what_it_answers_is_found() {
    let mut bench = Bench::new();
    let bytes = datagram(&Datagram::Gossip, &[]);
    for answered in [bytes.len(), bytes.len() + 1] {
        bench.checker.before_datagram(&bench.node, address(66), &bytes);
        bench.checker.on_datagram_sent(true, address(66), &vec![0; answered]);
        assert_eq!(bench.check().is_err(), answered > bytes.len());
    }
}

#[test]
fn i7_who_disagrees_is_said() {
    let mut cluster = Cluster::new(Options::new(3, Config::preset(Profile::Lan)));
    cluster.warm(3);
    assert_eq!(cluster.disagreement(), None);
    cluster.crash(HostIx(2));
    assert!(cluster.disagreement().unwrap().ends_with("holds the ghost h2"));
    cluster.restart(HostIx(2), Data::Lost, Place::Same, &[]);
    assert_eq!(cluster.disagreement().unwrap(), "h0 misses h2/2");
}

#[test]
fn i8_news_that_is_lost_and_an_ack_that_counts_for_another_probe_are_found() {
    let mut bench = Bench::new();
    let part = Part::Left { subject: Subject::Full(id(1)), incarnation: Incarnation(1) };
    let bytes = datagram(&Datagram::Gossip, &[part]);
    bench.checker.before_datagram(&bench.node, address(1), &bytes);
    bench.finds("was told");

    let mut bench = Bench::new();
    let bytes = datagram(&Datagram::Ack { seq: Seq(7), note: None }, &[]);
    bench.checker.before_datagram(&bench.node, address(1), &bytes);
    bench.finds("an ack for another probe");
}

fn suspicion(began: u64) -> Suspicion {
    let times = SuspicionTimes::new(&Config::preset(Profile::Lan), 10);
    Suspicion::new(at(began), times, TinyId(1))
}

#[test]
fn i11_a_suspicion_that_gets_longer_is_found_and_one_that_is_put_off_is_fine() {
    let mut confirmed = suspicion(10);
    assert!(confirmed.confirm(TinyId(2)));
    let mut further = confirmed;
    assert!(further.confirm(TinyId(3)));
    let course = suspicions::check_course;
    assert!(course(at(20), &suspicion(10), &confirmed).is_ok());
    assert!(course(at(20), &further, &confirmed).is_err());
    assert!(course(at(20), &further, &suspicion(10)).is_ok(), "confirmations count no more");
    assert!(course(at(20), &confirmed, &suspicion(15)).is_ok());
    assert!(course(at(20), &confirmed, &suspicion(21)).is_err(), "it has not begun yet");
}

#[test]
fn i12_a_death_without_a_suspicion_is_found() {
    let mut bench = Bench::new();
    let death = Death {
        accusers: vec![],
        path: DeathPath::Suspicion,
        at: std::time::SystemTime::UNIX_EPOCH,
        suspected_for: None,
        health: 0,
    };
    bench.checker.on_event(0, at(2), &Event::Down(member(1), death), &bench.names);
    bench.finds("without a suspicion");
}

#[test]
fn i13_events_that_do_not_follow_each_other_or_the_table_are_found() {
    for event in [Event::Joined(member(1)), Event::Up(member(1)), Event::Left(member(3))] {
        let mut bench = Bench::new();
        bench.checker.on_event(0, at(2), &event, &bench.names);
        bench.finds("and then came");
    }
    let mut views = Views::of(&[(id(1), claim(1, State::Alive))].into());
    assert!(views.compare(id(1), Some(State::Suspect)).is_err());
    assert!(views.compare(id(1), None).is_err(), "nobody present is forgotten");
    assert!(views.compare(id(1), Some(State::Alive)).is_ok());
}

#[test]
fn g5_a_broadcast_that_comes_twice_is_found() {
    let mut bench = Bench::new();
    bench.checker.on_broadcast(b"hello");
    let (from, delivery, payload) = (member(1), Delivery::Broadcast, (*b"hello").into());
    let event = Event::Message { from, delivery, payload };
    bench.checker.on_event(0, at(2), &event, &bench.names);
    assert_eq!(bench.check(), Ok(()));
    bench.checker.on_event(0, at(2), &event, &bench.names);
    bench.finds("a broadcast came 2 times");
}

#[test]
fn i14_one_who_has_left_and_speaks_is_found() {
    let mut bench = Bench::new();
    let leave = Datagram::Leave { seq: Seq(1), id: id(9), incarnation: Incarnation(1) };
    bench.checker.on_datagram_sent(false, address(1), &datagram(&leave, &[]));
    assert_eq!(bench.check(), Ok(()));
    bench.checker.on_datagram_sent(false, address(1), &datagram(&Datagram::Gossip, &[]));
    bench.finds("sends more than its leave");
    let (seq, incarnation) = (Seq(1), Incarnation(1));
    let mut codec = BincodeCodec::new(name());
    let mut leave = Vec::new();
    let request = Frame::Request(Request::Leave { seq, id: id(9), incarnation });
    codec.begin_frame(&request, FRAME_BYTES_MAX, &mut leave).unwrap();
    codec.finish(&mut leave);
    bench.checker.on_request_sent(false, &leave);
    assert_eq!(bench.check(), Ok(()));
    bench.checker.on_request_sent(false, &[]);
    bench.finds("asks for more than its leave");
}

#[test]
fn i15_bytes_that_are_dropped_and_yet_change_something_are_found() {
    let mut bench = Bench::new();
    bench.checker.before_datagram(&bench.node, address(1), b"damaged");
    bench.node.handle_datagram(at(2), address(1), &mut b"damaged".to_vec());
    bench.checker.after_input(&bench.node);
    assert_eq!(bench.check(), Ok(()));
    bench.checker.before_datagram(&bench.node, address(1), b"damaged");
    bench.node.broadcast(at(2), b"changed").unwrap();
    bench.checker.after_input(&bench.node);
    bench.finds("changed by bytes that it dropped");
}

#[test]
fn i17_a_storm_is_found() {
    for (requests, datagrams, storm) in [(112, 0, false), (113, 0, true), (0, 233, true)] {
        let mut bench = Bench::new();
        (0..requests).for_each(|_| bench.checker.on_request_sent(true, &[]));
        (0..datagrams).for_each(|_| bench.checker.on_datagram_sent(true, address(1), &[]));
        assert_eq!(bench.check().is_err(), storm, "{requests} requests, {datagrams} datagrams");
    }
}
