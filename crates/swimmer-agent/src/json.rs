//! Events for programs: one compact JSON object a line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use swimmer::{Death, Event, Member, Snapshot};

use crate::escape::escape_json;
use crate::tags;

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    time: String,
    event: &'a str,
    member: Option<JsonMember>,
    members: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<String>,
}

#[derive(Serialize)]
struct JsonMember {
    id: String,
    name: String,
    address: String,
    state: &'static str,
    incarnation: u64,
    metadata: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Reason {
    accusers: Vec<String>,
    path: &'static str,
    at: String,
    suspected_ms: Option<u64>,
    health: u32,
}

impl From<&Death> for Reason {
    fn from(death: &Death) -> Self {
        Self {
            accusers: death.accusers.iter().map(ToString::to_string).collect(),
            path: death.path.as_str(),
            at: time(Timestamp::try_from(death.at).unwrap_or(Timestamp::UNIX_EPOCH)),
            suspected_ms: death.suspected_for.map(|time| time.as_millis() as u64),
            health: death.health,
        }
    }
}

impl From<&Member> for JsonMember {
    fn from(member: &Member) -> Self {
        Self {
            id: member.id.to_string(),
            name: member.name.to_string(),
            address: member.address.to_string(),
            state: member.state.as_str(),
            incarnation: member.incarnation.0,
            metadata: tags::from_metadata(&member.metadata),
        }
    }
}

/// Writes events as JSON, numbered from 1 without gaps.
#[derive(Default)]
pub(crate) struct JsonWriter {
    seq: u64,
}

impl JsonWriter {
    pub(crate) fn event(
        &mut self,
        out: &mut impl Write,
        event: &Event,
        members: usize,
    ) -> io::Result<()> {
        let (mut reason, mut payload, mut other) = (None, None, None);
        let (word, member) = match event {
            Event::Joined(member) => ("joined", member),
            Event::Up(member) => ("up", member),
            Event::Suspected(member) => ("suspected", member),
            Event::Down(member, death) => {
                reason = Some(Reason::from(death));
                ("down", member)
            }
            Event::Left(member) => ("left", member),
            Event::Updated(member) => ("updated", member),
            Event::Message { from, payload: bytes, .. } => {
                payload = Some(STANDARD.encode(bytes));
                ("message", from)
            }
            Event::Isolated(local) => ("isolated", local),
            Event::Healed(local) => ("healed", local),
            Event::Conflict { local, other: address } => {
                other = Some(address.to_string());
                ("conflict", local)
            }
            // Events of later versions of the library are not in this format.
            _ => return Ok(()),
        };
        let member = Some(JsonMember::from(member));
        self.line(out, |seq, time| Line {
            seq,
            time,
            event: word,
            member,
            members,
            reason,
            payload,
            other,
        })
    }

    pub(crate) fn resync(&mut self, out: &mut impl Write, members: &Snapshot) -> io::Result<()> {
        let members = members.present_count();
        self.line(out, |seq, time| Line {
            seq,
            time,
            event: "resync",
            member: None,
            members,
            reason: None,
            payload: None,
            other: None,
        })
    }

    fn line<'a>(
        &mut self,
        out: &mut impl Write,
        make: impl FnOnce(u64, String) -> Line<'a>,
    ) -> io::Result<()> {
        self.seq += 1;
        let json = serde_json::to_string(&make(self.seq, time(Timestamp::now())))?;
        // In one piece, so that nobody reads half a line.
        out.write_all(format!("{}\n", escape_json(&json)).as_bytes())?;
        out.flush()
    }
}

/// UTC, with milliseconds.
fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}
