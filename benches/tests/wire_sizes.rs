//! What a message costs on the wire: unencrypted, IPv4, incarnations below 251.

use benches::{Voice, record};
use swim_proto::{Claim, Datagram, Held, Incarnation, Seq, State};

/// Bytes of a state digest, which pings and acks will carry.
const DIGEST: usize = 8;

fn message(message: &Datagram<'_>) -> usize {
    Voice::new().datagram(message, []).len()
}

/// What a part adds to a datagram.
fn part(part: swim_proto::Part<'_>) -> usize {
    Voice::new().gossip([part]).len() - message(&Datagram::Gossip)
}

#[test]
fn w6_a_ping_has_room_for_a_digest_within_30_bytes() {
    let claim = Claim::new(Incarnation(250), State::Alive);
    let held = Held { claim, record: record(1).hash() as u16 };
    let ping = Datagram::Ping { seq: Seq(7), target: Voice::tiny(1), from: Voice::tiny(2), held };
    assert_eq!(message(&ping), 22);
    assert!(message(&ping) + DIGEST <= 30);
}

#[test]
fn w6_an_ack_has_room_for_a_digest_within_18_bytes() {
    assert_eq!(message(&Datagram::Ack { seq: Seq(7) }), 10);
    assert!(message(&Datagram::Ack { seq: Seq(7) }) + DIGEST <= 18);
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
