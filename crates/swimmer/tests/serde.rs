//! Members and events in the formats of programs.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime};

use bincode::config::standard;
use serde_json::{Value, from_value, json, to_value};
use swimmer::{Death, DeathPath, Delivery, Event, Incarnation, Member, NodeId, State};

const ID: &str = "02020202-0202-0202-0202-020202020202";

fn member() -> Member {
    Member {
        id: NodeId::from_bytes([2; 16]),
        name: "two".into(),
        address: "[2001:db8::2]:2552".parse().unwrap(),
        state: State::Suspect,
        incarnation: Incarnation(7),
        metadata: [0, 255].into(),
        versions: Default::default(),
    }
}

fn member_text() -> Value {
    json!({
        "id": ID,
        "name": "two",
        "address": "[2001:db8::2]:2552",
        "state": "suspect",
        "incarnation": 7,
        "metadata": [0, 255],
        "versions": { "min": 0, "max": 0 },
    })
}

/// Each with what it is in JSON.
fn events() -> Vec<(Event, Value)> {
    let (about, text) = (member, member_text);
    let death = Death {
        accusers: vec![NodeId::from_bytes([2; 16])],
        path: DeathPath::Gossip,
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_500),
        suspected_for: None,
        health: 3,
    };
    let death_text = json!({
        "accusers": [ID],
        "path": "gossip",
        "at": { "secs_since_epoch": 1, "nanos_since_epoch": 500_000_000 },
        "suspected_for": null,
        "health": 3,
    });
    let own = Death {
        path: DeathPath::Suspicion,
        suspected_for: Some(Duration::from_secs(4)),
        ..death.clone()
    };
    let mut own_text = death_text.clone();
    own_text["path"] = json!("suspicion");
    own_text["suspected_for"] = json!({ "secs": 4, "nanos": 0 });
    let mut events = vec![
        (Event::Joined(about()), json!({ "joined": text() })),
        (Event::Up(about()), json!({ "up": text() })),
        (Event::Suspected(about()), json!({ "suspected": text() })),
        (Event::Down(about(), death), json!({ "down": [text(), death_text] })),
        (Event::Down(about(), own), json!({ "down": [text(), own_text] })),
        (Event::Left(about()), json!({ "left": text() })),
        (Event::Updated(about()), json!({ "updated": text() })),
        (Event::Isolated(about()), json!({ "isolated": text() })),
        (Event::Healed(about()), json!({ "healed": text() })),
        (
            Event::Conflict { local: about(), other: ([10, 0, 0, 1], 2552).into() },
            json!({ "conflict": { "local": text(), "other": "10.0.0.1:2552" } }),
        ),
        (
            Event::MemberConflict { member: about(), other: ([10, 0, 0, 1], 2552).into() },
            json!({ "member_conflict": { "member": text(), "other": "10.0.0.1:2552" } }),
        ),
    ];
    let deliveries = [
        (Delivery::Broadcast, "broadcast"),
        (Delivery::BestEffort, "best_effort"),
        (Delivery::Reliable, "reliable"),
    ];
    events.extend(deliveries.map(|(delivery, word)| {
        let message = Event::Message { from: about(), delivery, payload: [1, 2].into() };
        let fields = json!({ "from": text(), "delivery": word, "payload": [1, 2] });
        (message, json!({ "message": fields }))
    }));
    events
}

#[test]
fn a_member_is_written_by_its_fields_and_read_back() {
    assert_eq!(to_value(member()).unwrap(), member_text());
    assert_eq!(from_value::<Member>(member_text()).unwrap(), member());
}

#[test]
fn events_are_written_for_people_and_read_back() {
    for (event, text) in events() {
        assert_eq!(to_value(&event).unwrap(), text);
        assert_eq!(from_value::<Event>(text).unwrap(), event);
    }
}

#[test]
fn events_are_read_back_from_formats_that_do_not_describe_themselves() {
    for (event, _) in events() {
        let bytes = bincode::serde::encode_to_vec(&event, standard()).unwrap();
        let read = bincode::serde::decode_from_slice::<Event, _>(&bytes, standard()).unwrap();
        assert_eq!(read, (event, bytes.len()));
    }
}

#[test]
fn a_member_with_an_id_or_a_state_that_is_none_is_refused() {
    for (field, wrong) in [("id", json!("two")), ("state", json!("zombie")), ("name", json!(2))] {
        let mut text = member_text();
        text[field] = wrong;
        assert!(from_value::<Member>(text).is_err(), "{field}");
    }
}
