//! What a message costs on the wire: unencrypted, IPv4, incarnations below 251.

use benches::{Voice, record};
use swim_proto::{Claim, Datagram, Held, Incarnation, Seq, State, StateNote};

const NOTE: Option<StateNote> = Some(StateNote { digest: u64::MAX, quiet: true });

fn message(message: &Datagram<'_>) -> usize {
    Voice::new().datagram(message, []).len()
}

/// What a part adds to a datagram.
fn part(part: swim_proto::Part<'_>) -> usize {
    Voice::new().gossip([part]).len() - message(&Datagram::Gossip)
}

#[test]
fn w6_a_ping_with_its_digest_takes_30_bytes() {
    let claim = Claim::new(Incarnation(250), State::Alive);
    let held = Held { claim, record: record(1).hash() as u16 };
    let (seq, target, from) = (Seq(7), Voice::tiny(1), Voice::tiny(2));
    for (note, bytes) in [(None, 22), (NOTE, 30)] {
        assert_eq!(message(&Datagram::Ping { seq, target, from, held, note }), bytes);
    }
}

#[test]
fn w6_an_ack_with_its_digest_takes_18_bytes() {
    for (note, bytes) in [(None, 10), (NOTE, 18)] {
        assert_eq!(message(&Datagram::Ack { seq: Seq(7), note }), bytes);
    }
}

#[test]
fn w8_an_alive_member_without_a_name_is_told_in_26_bytes() {
    let word = Voice::word(1);
    assert!(part(Voice::alive(&word, Incarnation(250))) <= 26);
}

#[test]
fn w8_a_suspect_or_dead_member_is_told_in_16_bytes() {
    assert!(part(Voice::suspect(1, 2, Incarnation(250))) <= 16);
    assert!(part(Voice::dead(1, 2, Incarnation(250))) <= 16);
}
