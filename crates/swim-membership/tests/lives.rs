//! Two lives of one member: whatever order their messages come in, the second one is alive.

#![allow(clippy::unwrap_used)]

mod support;

use quickcheck::{Arbitrary, Gen, QuickCheck};
use support::{Bench, Say, id};
use swim_membership::Via;
use swim_proto::State;

/// The member of whom all messages are.
const OF: u8 = 2;

/// A message of or about one of the lives, by way of somebody.
#[derive(Clone, Copy, Debug)]
struct Message {
    say: Say,
    via: Via,
}

/// All messages of two lives in some order, some of them several times. The first life begins at
/// 1 and ends in any way; the second begins above it, and may have to refute.
#[derive(Clone, Debug)]
struct Lives {
    messages: Vec<Message>,
    last: u64,
}

impl Arbitrary for Lives {
    fn arbitrary(g: &mut Gen) -> Self {
        let mut says = Vec::new();
        let raises = u64::from(u8::arbitrary(g) % 4);
        for number in 1..=1 + raises {
            says.extend([Say::Alive(OF, number), Say::Suspect(OF, number, 1)]);
        }
        // What ends a life, and what others come to believe of it.
        let end = 1 + raises;
        says.extend([Say::Dead(OF, end), Say::Suspect(OF, end, 3)]);
        if bool::arbitrary(g) {
            says.push(Say::Left(OF, end));
        }
        // Numbers are reserved by 64; without a data folder one rises by 1.
        let first = if bool::arbitrary(g) { 65 } else { end + 1 };
        let last = first + u64::from(u8::arbitrary(g) % 4);
        for number in first..last {
            says.extend([
                Say::Alive(OF, number),
                Say::Suspect(OF, number, 3),
                Say::Dead(OF, number),
            ]);
        }
        says.push(Say::Alive(OF, last));
        for _ in 0..usize::arbitrary(g) % 8 {
            let again = *g.choose(&says).unwrap();
            says.push(again);
        }
        let mut messages: Vec<Message> = says
            .into_iter()
            .map(|say| {
                let ways = [Via::Gossip, Via::Correction, Via::Request(id(1)), Via::Reply(id(3))];
                Message { say, via: *g.choose(&ways).unwrap() }
            })
            .collect();
        for at in (1..messages.len()).rev() {
            messages.swap(at, usize::arbitrary(g) % (at + 1));
        }
        Self { messages, last }
    }
}

#[test]
fn m1_any_order_of_the_messages_of_two_lives_ends_with_the_second_alive() {
    fn law(lives: Lives) -> bool {
        let mut bench = Bench::of(1);
        for message in &lives.messages {
            bench.hear_from(1, message.via, message.say);
        }
        bench.claim(OF) == Some((lives.last, State::Alive))
    }
    QuickCheck::new().tests(5_000).quickcheck(law as fn(Lives) -> bool);
}

#[test]
fn l1_no_leave_of_the_first_life_ends_the_second() {
    // The leave is late, and comes by its own message too.
    let mut bench = Bench::of(1);
    bench.hear(Say::Alive(OF, 65));
    bench.receive(
        OF,
        swim_proto::Datagram::Leave {
            seq: swim_proto::Seq(1),
            id: id(OF),
            incarnation: swim_proto::Incarnation(7),
        },
    );
    bench.hear(Say::Left(OF, 64));
    assert_eq!(bench.claim(OF), Some((65, State::Alive)));
}
