//! Events for people: a line each, and the members below it.

use std::io::{self, IsTerminal, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use swimmer::{Delivery, Event, Member, NodeId};

use crate::escape::escape;
use crate::table::table;
use crate::tags;

/// The members to show below an event.
pub(crate) struct Rows<'a> {
    pub(crate) local: &'a Member,
    pub(crate) members: Vec<&'a Member>,
}

impl Rows<'_> {
    fn label_of(&self, id: NodeId) -> String {
        let mut all = std::iter::once(self.local).chain(self.members.iter().copied());
        all.find(|member| member.id == id).map_or_else(|| id.to_string(), label)
    }
}

/// Writes events as text.
pub(crate) struct TextWriter {
    colour: bool,
}

impl TextWriter {
    /// Colours where they are wanted: on a terminal, unless NO_COLOR says otherwise.
    pub(crate) fn new() -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: io::stdout().is_terminal() && !no_color }
    }

    pub(crate) fn event(
        &self,
        out: &mut impl Write,
        event: &Event,
        members: &Rows<'_>,
    ) -> io::Result<()> {
        let (word, colour, what) = describe(event, members);
        let (on, off) = if self.colour { (colour, "\x1b[0m") } else { ("", "") };
        writeln!(out, "{} {on}{word:9}{off} {what}", time_of_day())?;
        out.write_all(member_table(members).as_bytes())?;
        out.flush()
    }

    pub(crate) fn resync(&self, out: &mut impl Write, members: &Rows<'_>) -> io::Result<()> {
        writeln!(out, "{} resync    events were missed; this is how things stand", time_of_day())?;
        out.write_all(member_table(members).as_bytes())?;
        out.flush()
    }
}

fn time_of_day() -> String {
    Timestamp::now().to_zoned(TimeZone::UTC).strftime("%H:%M:%S%.3f").to_string()
}

const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RED: &str = "\x1b[31m";
const BLUE: &str = "\x1b[34m";

fn describe(event: &Event, members: &Rows<'_>) -> (&'static str, &'static str, String) {
    match event {
        Event::Joined(member) => ("joined", GREEN, title(member)),
        Event::Up(member) => ("up", GREEN, title(member)),
        Event::Suspected(member) => ("suspected", YELLOW, title(member)),
        Event::Down(member, death) => {
            let accusers: Vec<String> =
                death.accusers.iter().map(|&id| members.label_of(id)).collect();
            let path = death.path.as_str();
            let accused = if accusers.is_empty() {
                String::new()
            } else {
                format!(", accused by {}", accusers.join(", "))
            };
            ("down", RED, format!("{} (by {path}{accused})", title(member)))
        }
        Event::Left(member) => ("left", BLUE, title(member)),
        Event::Updated(member) => ("updated", BLUE, title(member)),
        Event::Message { from, delivery, payload } => {
            let how = match delivery {
                Delivery::Broadcast => "broadcast",
                Delivery::BestEffort => "datagram",
                Delivery::Reliable => "reliable",
            };
            let text = escape(&String::from_utf8_lossy(payload));
            ("message", BLUE, format!("{} ({how}): {text}", title(from)))
        }
        Event::Conflict { other, .. } => {
            ("conflict", RED, format!("another process uses this node's host key, at {other}"))
        }
        _ => ("event", BLUE, String::new()),
    }
}

fn label(member: &Member) -> String {
    if member.name.is_empty() { member.address.to_string() } else { escape(&member.name) }
}

fn title(member: &Member) -> String {
    let mut title = format!("{} {}", label(member), member.id);
    if !member.name.is_empty() {
        title.push_str(&format!(" at {}", member.address));
    }
    title
}

/// The members, this one first.
fn member_table(members: &Rows<'_>) -> String {
    let mut rows = vec![row(members.local, "(this node)")];
    rows.extend(members.members.iter().map(|member| row(member, "")));
    table(&rows)
}

fn row(member: &Member, mark: &str) -> Vec<String> {
    let tags = tags::from_metadata(&member.metadata);
    let tags: Vec<String> =
        tags.iter().map(|(key, value)| escape(&format!("{key}={value}"))).collect();
    let notes = [mark.to_owned(), tags.join(" ")];
    let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    vec![
        member.state.to_string(),
        label(member),
        member.address.to_string(),
        member.id.to_string(),
        format!("#{}", member.incarnation),
        notes.join(" "),
    ]
}
