//! Events for programs: one compact JSON object a line, as docs/JSON.md describes them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use swimmer::{Death, Event, Member, Notice, Plane, RefusalReason};

use crate::escape::escape_json;
use crate::feed::Deed;
use crate::printer::View;
use crate::tags;

#[derive(Default, Serialize)]
struct Line<'a> {
    seq: u64,
    time: String,
    event: &'a str,
    member: Option<JsonMember>,
    members: usize,
    /// How many of them this node has not heard, while it is isolated.
    #[serde(skip_serializing_if = "Option::is_none")]
    unheard: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    other: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    round_trip_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_timeout_ms: Option<u64>,
    /// The plane that works, of a member that answers by one only.
    #[serde(skip_serializing_if = "Option::is_none")]
    works: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    period_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suspicion_min_ms: Option<u64>,
    #[serde(flatten)]
    deed: Option<JsonDeed<'a>>,
}

/// What the agent does itself.
#[derive(Serialize)]
#[serde(untagged)]
enum JsonDeed<'a> {
    Started { id: String, address: String, port: u16, cluster: &'a str, preset: &'a str },
    Refused { by: String, cluster: &'a str, why: &'a str },
    Stopping { why: &'a str, exit_code: u8 },
}

#[derive(Serialize)]
struct JsonMember {
    id: String,
    name: String,
    address: String,
    state: &'static str,
    incarnation: u64,
    metadata: BTreeMap<String, String>,
    /// Whether this node has not heard it, while this node is isolated.
    #[serde(skip_serializing_if = "Option::is_none")]
    unheard: Option<bool>,
}

#[derive(Serialize)]
struct Reason {
    accusers: Vec<String>,
    path: &'static str,
    at: String,
    suspected_ms: Option<u64>,
    health: u32,
}

impl<'a> Line<'a> {
    /// What all events have, except when.
    fn of(event: &'a str, member: Option<&Member>, view: &View) -> Self {
        let member = member.map(|member| JsonMember::of(member, view));
        let unheard = view.is_isolated().then(|| view.unheard());
        Self { event, member, members: view.present(), unheard, ..Self::default() }
    }
}

impl From<&Death> for Reason {
    fn from(death: &Death) -> Self {
        Self {
            accusers: death.accusers.iter().map(ToString::to_string).collect(),
            path: death.path.as_str(),
            at: time_at(death.at),
            suspected_ms: death.suspected_for.map(|time| time.as_millis() as u64),
            health: death.health,
        }
    }
}

impl JsonMember {
    fn of(member: &Member, view: &View) -> Self {
        Self {
            id: member.id.to_string(),
            name: member.name.to_string(),
            address: member.address.to_string(),
            state: member.state.as_str(),
            incarnation: member.incarnation.0,
            metadata: tags::from_metadata(&member.metadata),
            unheard: view.is_isolated().then(|| view.is_unheard(member)),
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
        view: &View,
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
            Event::Conflict { local: member, other: address }
            | Event::MemberConflict { member, other: address } => {
                other = Some(address.to_string());
                ("conflict", member)
            }
            // Events of later versions of the library are not in this format.
            _ => return Ok(()),
        };
        let line = Line { reason, payload, other, ..Line::of(word, Some(member), view) };
        self.line(out, line)
    }

    pub(crate) fn resync(&mut self, out: &mut impl Write, view: &View) -> io::Result<()> {
        self.line(out, Line::of("resync", None, view))
    }

    /// What else is told is for people, on standard error.
    pub(crate) fn notice(
        &mut self,
        out: &mut impl Write,
        notice: &Notice,
        view: &View,
    ) -> io::Result<()> {
        let millis = |time: &Duration| Some(time.as_millis() as u64);
        let line = match notice {
            Notice::SlowNetwork { round_trip, base_timeout } => Line {
                round_trip_ms: millis(round_trip),
                base_timeout_ms: millis(base_timeout),
                ..Line::of("slow_network", Some(view.local()), view)
            },
            Notice::OnePlane { id, plane, since, .. } => Line {
                works: Some(protocol_of(*plane)),
                since: Some(time_at(*since)),
                ..Line::of("one_plane", view.members().find(|member| member.id == *id), view)
            },
            Notice::OtherTiming { member, period, suspicion_min } => Line {
                period_ms: millis(period),
                suspicion_min_ms: millis(suspicion_min),
                ..Line::of("other_timing", Some(member), view)
            },
            Notice::JoinRefused { by, cluster, reason } => {
                let (by, why) = (by.to_string(), word_of(*reason));
                let deed = Some(JsonDeed::Refused { by, cluster, why });
                Line { deed, ..Line::of("refused", Some(view.local()), view) }
            }
            _ => return Ok(()),
        };
        self.line(out, line)
    }

    pub(crate) fn deed(
        &mut self,
        out: &mut impl Write,
        deed: &Deed,
        view: &View,
    ) -> io::Result<()> {
        let local = view.local();
        let (word, deed) = match deed {
            Deed::Started { listen, cluster, preset } => {
                let (id, address) = (local.id.to_string(), local.address.to_string());
                let (port, preset) = (listen.port(), preset.as_str());
                ("started", Some(JsonDeed::Started { id, address, port, cluster, preset }))
            }
            Deed::Ready => ("ready", None),
            Deed::Stopping { why, exit_code } => {
                ("stopping", Some(JsonDeed::Stopping { why, exit_code: *exit_code }))
            }
        };
        self.line(out, Line { deed, ..Line::of(word, Some(local), view) })
    }

    fn line(&mut self, out: &mut impl Write, line: Line<'_>) -> io::Result<()> {
        self.seq += 1;
        let line = Line { seq: self.seq, time: time(Timestamp::now()), ..line };
        let json = serde_json::to_string(&line)?;
        // In one piece, so that nobody reads half a line.
        out.write_all(format!("{}\n", escape_json(&json)).as_bytes())?;
        out.flush()
    }
}

/// How operators call a plane.
fn protocol_of(plane: Plane) -> &'static str {
    match plane {
        Plane::Datagrams => "udp",
        Plane::Reliable => "tcp",
    }
}

fn time_at(at: SystemTime) -> String {
    time(Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// The word for why a join was refused.
fn word_of(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::OtherCluster => "other_cluster",
        RefusalReason::Full => "full",
        RefusalReason::Versions => "versions",
        RefusalReason::NotRunning => "not_running",
        RefusalReason::Address => "address",
        _ => "unknown",
    }
}

/// UTC, with milliseconds.
fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use swimmer::State;

    use super::*;
    use crate::printer::tests::{member, view};

    fn written(write: impl FnOnce(&mut JsonWriter, &mut Vec<u8>)) -> Option<Value> {
        let mut out = Vec::new();
        write(&mut JsonWriter::default(), &mut out);
        (!out.is_empty()).then(|| serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn a_member_that_answers_by_one_plane_is_a_line_with_that_plane_and_since_when() {
        let (view, member) = (view(2), member(2, State::Alive));
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let (id, address, plane) = (member.id, member.address, Plane::Reliable);
        let notice = Notice::OnePlane { id, address, plane, since };
        let line = written(|writer, out| writer.notice(out, &notice, &view).unwrap()).unwrap();
        assert_eq!((&line["event"], &line["works"]), (&json!("one_plane"), &json!("tcp")));
        assert_eq!(line["member"]["id"], json!(member.id.to_string()));
        assert_eq!(line["since"], json!("1970-01-01T00:00:01.000Z"));
    }

    #[test]
    fn what_an_isolated_node_has_not_heard_is_there_while_it_is_isolated() {
        let mut view = view(2);
        let joined = Event::Joined(member(2, State::Alive));
        let unheard = |view: &View| {
            let line = written(|writer, out| writer.event(out, &joined, view).unwrap()).unwrap();
            (line.get("unheard").cloned(), line["member"].get("unheard").cloned())
        };
        assert_eq!(unheard(&view), (None, None));
        let local = view.local().clone();
        view.apply(&Event::Isolated(local.clone()));
        assert_eq!(unheard(&view), (Some(json!(2)), Some(json!(true))));
        let line = written(|writer, out| writer.resync(out, &view).unwrap()).unwrap();
        assert_eq!((&line["member"], &line["unheard"]), (&Value::Null, &json!(2)));
        view.apply(&Event::Healed(local));
        assert_eq!(unheard(&view), (None, None));
    }

    #[test]
    fn a_slow_network_is_a_line_with_both_times_and_other_notices_are_none() {
        let slow = Notice::SlowNetwork {
            round_trip: Duration::from_micros(1_203_900),
            base_timeout: Duration::from_millis(500),
        };
        let line = written(|writer, out| writer.notice(out, &slow, &view(2)).unwrap()).unwrap();
        assert_eq!((&line["event"], &line["members"]), (&json!("slow_network"), &json!(3)));
        assert_eq!(line["member"]["address"], "10.0.0.1:7");
        assert_eq!(
            (&line["round_trip_ms"], &line["base_timeout_ms"]),
            (&json!(1_203), &json!(500))
        );
        let other = Notice::JoinedBy { seed: ([10, 0, 0, 2], 7).into() };
        assert_eq!(written(|writer, out| writer.notice(out, &other, &view(2)).unwrap()), None);
    }
}
