//! Ids, claims and versions in the formats of programs.

#![allow(clippy::unwrap_used)]

use std::fmt::Debug;

use bincode::config::standard;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, from_str, from_value, json, to_value};
use swim_proto::{Claim, Incarnation, NodeId, State, Versions};

fn is_written_as<T>(value: T, text: Value)
where
    T: Serialize + DeserializeOwned + PartialEq + Debug,
{
    assert_eq!(to_value(&value).unwrap(), text);
    assert_eq!(from_value::<T>(text).unwrap(), value);
    let bytes = bincode::serde::encode_to_vec(&value, standard()).unwrap();
    let (read, length) = bincode::serde::decode_from_slice::<T, _>(&bytes, standard()).unwrap();
    assert_eq!((read, length), (value, bytes.len()));
}

#[test]
fn values_are_written_for_people_and_read_back_from_text_and_bytes() {
    let id = NodeId::from_bytes([0x1f; 16]);
    is_written_as(id, json!("1f1f1f1f-1f1f-1f1f-1f1f-1f1f1f1f1f1f"));
    for state in [State::Alive, State::Suspect, State::Dead, State::Left] {
        is_written_as(state, json!(state.as_str()));
    }
    is_written_as(Incarnation(u64::MAX), json!(u64::MAX));
    let claim = Claim::new(Incarnation(7), State::Suspect);
    is_written_as(claim, json!({ "incarnation": 7, "state": "suspect" }));
    is_written_as(Versions { min: 0, max: 3 }, json!({ "min": 0, "max": 3 }));
}

#[test]
fn a_node_id_is_its_16_bytes_where_nobody_reads_it() {
    let bytes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255];
    let written = bincode::serde::encode_to_vec(NodeId::from_bytes(bytes), standard()).unwrap();
    assert_eq!(written, bytes);
}

#[test]
fn what_is_no_node_id_is_refused() {
    for text in ["\"\"", "\"1f\"", "\"no id\"", "7", "null", "[1,2]", "{}"] {
        let error = from_str::<NodeId>(text).unwrap_err().to_string();
        assert!(error.contains("32 hexadecimal digits"), "{text}: {error}");
    }
    // With an escape in it the text cannot be borrowed.
    let escaped = format!("\"\\u0031{}\"", "1".repeat(31));
    assert_eq!(from_str::<NodeId>(&escaped).unwrap(), NodeId::from_bytes([0x11; 16]));
}
