//! Events for people: a line each, and the members below it.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use swimmer::{Death, DeathPath, Delivery, Event, Member, NodeId, State};

use crate::escape::escape;
use crate::printer::View;
use crate::table::table;
use crate::tags;

/// Up to so many members are shown below every event; more, below the last of those that have
/// come already, so that meeting a large cluster is not a flood.
const SMALL: usize = 16;
/// So many of those that have left are shown; of the others, how many they are.
const LEFT_MAX: usize = 3;
/// What a table shows of a name, in characters.
const NAME_CHARS: usize = 20;
/// The tags at the end of a row are clipped to keep it in a line, but not to less than that.
const LINE_CHARS: usize = 80;
const NOTES_CHARS_MIN: usize = 16;
/// Below a table in which a state has that mark.
const LEGEND: &str = "    ? not heard while this node is isolated\n";

/// Writes events as text.
pub(crate) struct TextWriter {
    colour: bool,
    /// Whether events were written without the members below them.
    owes_members: bool,
}

impl TextWriter {
    /// Colours where they are wanted: on a terminal, unless NO_COLOR says otherwise.
    pub(crate) fn new() -> Self {
        Self { colour: colour_wanted(), owes_members: false }
    }

    pub(crate) fn event(
        &mut self,
        out: &mut impl Write,
        event: &Event,
        view: &View,
    ) -> io::Result<()> {
        let (word, colour, what) = describe(event, view);
        let (on, off) = if self.colour { (colour, RESET) } else { ("", "") };
        let mut text = format!("{} {on}{word:9}{off} {what}\n", time_of_day());
        self.owes_members = view.members().count() > SMALL;
        if !self.owes_members {
            text.push_str(&self.member_table(view));
        }
        write(out, &text)
    }

    pub(crate) fn resync(&mut self, out: &mut impl Write, view: &View) -> io::Result<()> {
        self.owes_members = false;
        let table = self.member_table(view);
        let what = "events were missed; this is how things stand";
        write(out, &format!("{} {:9} {what}\n{table}", time_of_day(), "resync"))
    }

    /// No further event has come yet: the members that are owed are shown now.
    pub(crate) fn pause(&mut self, out: &mut impl Write, view: &View) -> io::Result<()> {
        if !std::mem::take(&mut self.owes_members) {
            return Ok(());
        }
        write(out, &self.member_table(view))
    }

    fn member_table(&self, view: &View) -> String {
        let mut left = 0;
        let mut is_shown = |member: &&Member| {
            left += usize::from(member.state == State::Left && member.id != view.local().id);
            member.state != State::Left || left <= LEFT_MAX
        };
        let members: Vec<&Member> = view.members().filter(|member| is_shown(member)).collect();
        let named = members.iter().any(|member| !member.name.is_empty());
        let rows: Vec<Vec<String>> =
            members.iter().map(|member| row(member, named, view)).collect();
        let rows = table(&rows);
        let width = rows.lines().map(|line| line.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for (line, member) in rows.lines().zip(members) {
            let notes = notes(member, view.local().id);
            let notes = clip(notes, LINE_CHARS.saturating_sub(width + 2).max(NOTES_CHARS_MIN));
            let (on, off) = if self.colour { (row_colour(member, view), RESET) } else { ("", "") };
            let line = format!("{line:width$}  {notes}");
            text.push_str(&format!("{on}{}{off}\n", line.trim_end()));
        }
        if let Some(more) = view.left().checked_sub(LEFT_MAX).filter(|&more| more > 0) {
            let (on, off) = if self.colour { (DIM, RESET) } else { ("", "") };
            text.push_str(&format!("    {on}left   and {more} more{off}\n"));
        }
        if view.unheard() > 0 {
            text.push_str(LEGEND);
        }
        text
    }
}

/// Whether standard output is a terminal whose user has not said NO_COLOR.
pub(crate) fn colour_wanted() -> bool {
    io::stdout().is_terminal() && !forbids_colour(std::env::var_os("NO_COLOR"))
}

/// As <https://no-color.org> has it: any value but the empty one.
fn forbids_colour(no_color: Option<OsString>) -> bool {
    no_color.is_some_and(|value| !value.is_empty())
}

/// An event and its members go out in one piece, so that other output does not part them.
fn write(out: &mut impl Write, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn time_of_day() -> String {
    Timestamp::now().to_zoned(TimeZone::UTC).strftime("%H:%M:%S%.3fZ").to_string()
}

pub(crate) const GREEN: &str = "\x1b[32m";
pub(crate) const YELLOW: &str = "\x1b[33m";
pub(crate) const RED: &str = "\x1b[31m";
pub(crate) const BLUE: &str = "\x1b[34m";
pub(crate) const DIM: &str = "\x1b[2m";
pub(crate) const RESET: &str = "\x1b[0m";

/// Alive is the rule, so it has no colour in a table; what is not, stands out.
fn row_colour(member: &Member, view: &View) -> &'static str {
    match member.state {
        State::Alive if view.is_unheard(member) => YELLOW,
        State::Alive => "",
        State::Suspect => YELLOW,
        State::Dead => RED,
        State::Left => DIM,
    }
}

fn describe(event: &Event, view: &View) -> (&'static str, &'static str, String) {
    match event {
        Event::Joined(member) => ("joined", GREEN, title(member) + &tags_after(member)),
        Event::Up(member) => ("up", GREEN, title(member)),
        Event::Suspected(member) => ("suspected", YELLOW, title(member)),
        Event::Down(member, death) => {
            ("down", RED, format!("{}: {}", title(member), why(death, member, view)))
        }
        Event::Left(member) => ("left", BLUE, title(member)),
        Event::Updated(member) => ("updated", BLUE, title(member) + &tags_after(member)),
        Event::Message { from, delivery, payload } => {
            let how = match delivery {
                Delivery::Broadcast => "broadcast",
                Delivery::BestEffort => "datagram",
                Delivery::Reliable => "reliable",
            };
            let text = escape(&String::from_utf8_lossy(payload));
            ("message", BLUE, format!("{}, {how}: {text}", title(from)))
        }
        Event::Isolated(_) => {
            ("isolated", RED, "this node hears from nobody, and judges nobody for a while".into())
        }
        Event::Healed(_) => {
            ("healed", GREEN, "this node is in touch again with others that it had lost".into())
        }
        Event::Conflict { other, .. } => {
            ("conflict", RED, format!("another process uses this node's host key, at {other}"))
        }
        Event::MemberConflict { member, other } => {
            let what =
                format!("{}: two processes use its host key, the other at {other}", title(member));
            ("conflict", RED, what)
        }
        _ => ("event", BLUE, "of a later version".into()),
    }
}

fn why(death: &Death, dead: &Member, view: &View) -> String {
    let accusers = death.accusers.iter().map(|&id| label_of(id, dead, view));
    let accusers: Vec<String> = accusers.collect();
    let by = if accusers.is_empty() { "".into() } else { format!(" by {}", accusers.join(", ")) };
    let seconds = death.suspected_for.map(|time| format!("{:.1} s", time.as_secs_f64()));
    let mut why = match (death.path, seconds) {
        (DeathPath::Suspicion, None) => format!("suspicion{by} not refuted"),
        (DeathPath::Suspicion, Some(time)) => format!("suspicion{by} not refuted in {time}"),
        (DeathPath::Gossip, None) if by.is_empty() => "heard by gossip".into(),
        (DeathPath::Gossip, None) => format!("heard by gossip, suspicion{by}"),
        (DeathPath::Gossip, Some(time)) => format!("heard by gossip, suspicion{by} for {time}"),
    };
    if death.health > 0 {
        why.push_str(&format!("; this node's own health was {}", death.health));
    }
    why
}

/// An accuser that is called as the dead member is, as one that was started anew at its address, is told
/// apart by its short id.
fn label_of(id: NodeId, dead: &Member, view: &View) -> String {
    if id == view.local().id {
        return "this node".into();
    }
    match view.members().find(|member| member.id == id) {
        Some(member) if id != dead.id && label(member) == label(dead) => {
            format!("{} ({})", label(member), short(id))
        }
        Some(member) => label(member),
        None => short(id),
    }
}

fn label(member: &Member) -> String {
    if member.name.is_empty() { member.address.to_string() } else { escape(&member.name) }
}

/// What tells ids apart at a glance; the start line and JSON have them in full.
fn short(id: NodeId) -> String {
    id.to_string().chars().take(8).collect()
}

fn title(member: &Member) -> String {
    let mut title = format!("{} ({})", label(member), short(member.id));
    if !member.name.is_empty() {
        title.push_str(&format!(" at {}", member.address));
    }
    title
}

fn tags_of(member: &Member) -> String {
    let tags = tags::from_metadata(&member.metadata);
    let tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    escape(&tags.join(" "))
}

fn tags_after(member: &Member) -> String {
    let tags = tags_of(member);
    if tags.is_empty() { tags } else { format!(", {tags}") }
}

fn row(member: &Member, named: bool, view: &View) -> Vec<String> {
    let mark = if view.is_unheard(member) { "?" } else { "" };
    let mut row = vec![format!("{}{mark}", member.state)];
    if named {
        let name = if member.name.is_empty() { "-".into() } else { escape(&member.name) };
        row.push(clip(name, NAME_CHARS));
    }
    row.extend([member.address.to_string(), short(member.id)]);
    row
}

fn notes(member: &Member, own: NodeId) -> String {
    let mark = if member.id == own { "this node" } else { "" };
    let notes = [mark.to_owned(), tags_of(member)];
    let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
    notes.join(", ")
}

fn clip(text: String, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text;
    }
    let mut clipped: String = text.chars().take(chars_max - 1).collect();
    clipped.push('…');
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::tests::{member, view};
    use std::time::{Duration, SystemTime};

    fn written(writer: &mut TextWriter, view: &View, pause: bool) -> String {
        let mut out = Vec::new();
        let event = Event::Joined(member(2, State::Alive));
        match pause {
            false => writer.event(&mut out, &event, view).unwrap(),
            true => writer.pause(&mut out, view).unwrap(),
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_small_table_follows_every_event_and_a_large_one_the_last_of_a_burst() {
        let mut writer = TextWriter { colour: false, owes_members: false };
        let small = view(15);
        assert_eq!(written(&mut writer, &small, false).lines().count(), 1 + 16);
        assert_eq!(written(&mut writer, &small, true), "");
        let large = view(16);
        assert_eq!(written(&mut writer, &large, false).lines().count(), 1);
        assert_eq!(written(&mut writer, &large, false).lines().count(), 1);
        assert_eq!(written(&mut writer, &large, true).lines().count(), 17);
        assert_eq!(written(&mut writer, &large, true), "");
    }

    #[test]
    fn colours_are_on_terminals_only() {
        let view = view(1);
        for colour in [false, true] {
            let mut writer = TextWriter { colour, owes_members: false };
            assert_eq!(written(&mut writer, &view, false).contains('\x1b'), colour);
        }
    }

    #[test]
    fn an_accuser_at_the_address_of_the_dead_is_told_apart_by_its_short_id() {
        let mut view = view(1);
        let mut again = member(9, State::Alive);
        again.address = member(2, State::Dead).address;
        view.put(&again);
        let (accusers, at) = (vec![again.id], SystemTime::UNIX_EPOCH);
        let (path, suspected_for) = (DeathPath::Gossip, None);
        let death = Death { accusers, path, at, suspected_for, health: 0 };
        let why = why(&death, &member(2, State::Dead), &view);
        assert_eq!(why, "heard by gossip, suspicion by 10.0.0.2:7 (09000000)");
    }

    #[test]
    fn of_those_that_left_the_newest_three_are_shown_and_then_how_many_more() {
        let mut view = view(9);
        let table =
            |view: &View| TextWriter { colour: false, owes_members: false }.member_table(view);
        (2..=4).for_each(|id| view.put(&member(id, State::Left)));
        assert!(!table(&view).contains("more"), "{}", table(&view));
        (5..=8).for_each(|id| view.put(&member(id, State::Left)));
        view.put(&member(9, State::Dead));
        let lines: Vec<String> = table(&view).lines().map(str::to_owned).collect();
        let left: Vec<&String> = lines.iter().filter(|line| line.contains("left")).collect();
        assert_eq!(left.len(), 4, "{lines:?}");
        assert!(left[0].contains("10.0.0.8:7") && left[2].contains("10.0.0.6:7"), "{lines:?}");
        assert_eq!(left[3], "    left   and 4 more");
        assert!(lines.iter().any(|line| line.contains("dead")), "{lines:?}");
    }

    #[test]
    fn a_death_says_why() {
        let view = view(2);
        let ids = [1, 2, 9].map(|id| member(id, State::Alive).id);
        let why = |accusers: &[NodeId], path, suspected_for, health| {
            let (accusers, at) = (accusers.to_vec(), SystemTime::UNIX_EPOCH);
            let dead = member(3, State::Dead);
            why(&Death { accusers, path, at, suspected_for, health }, &dead, &view)
        };
        let time = Some(Duration::from_millis(4_040));
        assert_eq!(
            why(&ids, DeathPath::Suspicion, time, 0),
            "suspicion by this node, 10.0.0.2:7, 09000000 not refuted in 4.0 s"
        );
        assert_eq!(why(&[], DeathPath::Gossip, None, 0), "heard by gossip");
        assert_eq!(
            why(&ids[1..2], DeathPath::Gossip, None, 2),
            "heard by gossip, suspicion by 10.0.0.2:7; this node's own health was 2"
        );
        assert_eq!(
            why(&ids[1..2], DeathPath::Gossip, time, 0),
            "heard by gossip, suspicion by 10.0.0.2:7 for 4.0 s"
        );
    }

    #[test]
    fn while_the_node_is_isolated_members_that_it_has_not_heard_are_marked() {
        let mut view = view(2);
        view.put(&member(3, State::Suspect));
        let local = view.local().clone();
        let table =
            |view: &View| TextWriter { colour: false, owes_members: false }.member_table(view);
        let before = table(&view);
        assert!(!before.contains('?'), "{before}");
        view.apply(&Event::Isolated(local.clone()));
        assert_eq!(
            table(&view),
            "    alive     10.0.0.1:7  01000000  this node\n    alive?    10.0.0.2:7  02000000\n    \
             suspect?  10.0.0.3:7  03000000\n    ? not heard while this node is isolated\n"
        );
        view.apply(&Event::Healed(local));
        assert_eq!(table(&view), before);
    }

    #[test]
    fn long_tags_do_not_break_the_line() {
        let mut long = member(2, State::Alive);
        long.metadata = format!("tag={}", "ë".repeat(200)).into_bytes().into();
        long.name = "n".repeat(100).into();
        let mut view = view(0);
        view.put(&long);
        let table = TextWriter { colour: false, owes_members: false }.member_table(&view);
        let widest = table.lines().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(LINE_CHARS), "{table}");
    }

    #[test]
    fn any_value_of_no_color_forbids_colour_but_none() {
        assert!(forbids_colour(Some("1".into())) && forbids_colour(Some("0".into())));
        assert!(!forbids_colour(Some("".into())) && !forbids_colour(None));
    }

    #[test]
    fn long_text_is_clipped_and_short_text_is_not() {
        assert_eq!(clip("ëëë".into(), 3), "ëëë");
        assert_eq!(clip("ëëëë".into(), 3), "ëë…");
    }
}
