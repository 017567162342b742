//! Two agents by their command lines: what each says of the other, for people.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::net::TcpListener;

use support::{Agent, free_port, swimmer, until};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Two agents that have met: the second joined by the first.
fn pair(folder: &TempDir, options: &[&str]) -> (Agent, Agent) {
    let first = Agent::start(&folder.path().join("1"), &[], options);
    let second = Agent::start(&folder.path().join("2"), &[&first.address()], options);
    first.until_out("joined");
    second.until_out("joined");
    (first, second)
}

/// The event lines, without the tables below them.
fn event_lines(agent: &Agent) -> Vec<String> {
    agent.out.all().into_iter().filter(|line| !line.starts_with(' ')).collect()
}

fn is_time(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "00:00:00.000Z"
}

#[test]
fn two_agents_see_each_other_and_print_an_event_and_the_members() {
    let folder = folder();
    let (first, second) = pair(&folder, &[]);
    assert!(folder.path().join("1/host_key").is_file());
    let start = first.start_line();
    for part in [" id ", " name - ", " cluster test ", " address 127.0.0.1:", " preset local"] {
        assert!(start.contains(part), "{start}");
    }
    second.until_err(&format!("{} has taken this node in", first.address()));

    let table = until("the table", || {
        let lines = first.out.all();
        (lines.len() >= 3).then_some(lines)
    });
    let (time, event) = table[0].split_once(' ').unwrap();
    assert!(is_time(time), "{time}");
    assert_eq!(event, format!("joined    {} ({})", second.address(), second.short_id()));
    let row = |agent: &Agent| format!("    alive  {}  {}", agent.address(), agent.short_id());
    let rows = [row(&first) + "  this node", row(&second)];
    assert_eq!(table[1..].iter().map(|row| row.trim_end()).collect::<Vec<_>>(), rows);
}

#[test]
fn names_and_tags_are_shown_and_those_of_the_environment_count() {
    let folder = folder();
    let mut command = swimmer();
    command.env("SWIMMER_NAME", "web-1").env("SWIMMER_TAGS", "role=web,az=eu");
    command.arg(folder.path().join("1")).args(["test", "127.0.0.1:0"]);
    let first = Agent::run(command);
    assert_eq!(first.says("name"), "web-1");

    let mut command = swimmer();
    // Commas are the variables' own; a tag on the command line may hold one.
    command.env("SWIMMER_SEEDS", format!("127.0.0.1:1, {}", first.address()));
    command.env("SWIMMER_TAGS", "role=none").args(["--tag", "zones=a,b"]);
    command.arg(folder.path().join("2")).args(["test", "127.0.0.1:0"]);
    let second = Agent::run(command);
    let joined = second.until_out("joined");
    let title = format!("web-1 ({}) at {}", first.short_id(), first.address());
    assert!(joined.ends_with(&format!("{title}, az=eu role=web")), "{joined}");
    assert!(second.until_out("  alive  web-1  ").contains(&first.address()));
    assert!(first.until_out("joined").ends_with(", zones=a,b"));
    assert!(second.until_err("joining by").contains(&format!("127.0.0.1:1, {};", first.address())));
}

#[test]
fn all_of_the_command_line_may_come_from_the_environment() {
    let folder = folder();
    let mut command = swimmer();
    command.env("SWIMMER_DATA_DIR", folder.path().join("1")).env("SWIMMER_CLUSTER", "fromenv");
    command.env("SWIMMER_LISTEN", "127.0.0.1:0").env("SWIMMER_PROFILE", "fast");
    command.env("SWIMMER_SEEDS", "").env("SWIMMER_TAGS", "").env("SWIMMER_FORMAT", "json");
    let mut agent = Agent::run(command);
    assert_eq!([agent.says("cluster"), agent.says("preset")], ["fromenv", "fast"]);
    agent.leave();
}

#[test]
fn one_who_is_asked_to_end_leaves_and_comes_back_as_the_same_member() {
    let folder = folder();
    let (first, mut second) = pair(&folder, &[]);
    let id = second.says("id");
    second.leave();
    let left = first.until_out("left ");
    assert!(left.contains(&format!("{} ({})", second.address(), second.short_id())), "{left}");
    second.until_err("left; 1 of 1 peers know");
    assert!(first.out.having("down").is_empty());

    let again = Agent::start(&folder.path().join("2"), &[&first.address()], &[]);
    assert_eq!(again.says("id"), id);
    until("it is back", || (first.out.having("joined").len() == 2).then_some(()));
    assert!(first.out.having("down").is_empty() && first.out.having("suspected").is_empty());
}

#[test]
fn one_who_is_killed_is_suspected_then_down_with_the_reason_then_up_again() {
    let folder = folder();
    let (first, mut second) = pair(&folder, &["--name", "n"]);
    second.kill();
    first.until_out("down ");
    let title = format!("n ({}) at {}", second.short_id(), second.address());
    let events: Vec<String> =
        event_lines(&first).iter().map(|line| line.split_once(' ').unwrap().1.into()).collect();
    assert_eq!(events[..2], [format!("joined    {title}"), format!("suspected {title}")]);
    let why = format!("down      {title}: suspicion by this node not refuted in ");
    // One accuser alone waits for twice the minimum.
    let time = events[2].strip_prefix(&why).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!((2.0..12.0).contains(&time.parse::<f64>().unwrap()), "{events:?}");
    let address = first.address();
    let _again = Agent::start(&folder.path().join("2"), &[&address], &["--name", "n"]);
    first.until_out("up ");
}

#[test]
fn seeds_may_be_host_names_and_the_own_address_is_ignored() {
    let folder = folder();
    // Another process may take the port in between.
    let first = until("a port that stays free", || {
        let own = format!("127.0.0.1:{}", free_port());
        let free = TcpListener::bind(&own).is_ok();
        free.then(|| Agent::start_at(&own, &folder.path().join("1"), &[&own], &[]))
    });
    let port = first.address().rsplit_once(':').unwrap().1.to_owned();
    let name = format!("localhost:{port}");
    let second = Agent::start(&folder.path().join("2"), &[&name], &[]);
    second.until_err(&format!("joining by {name}; retrying until one answers"));
    second.until_out("joined");
    first.until_out("joined");
    assert_eq!(first.err.all().len(), 1, "nothing but the start line: {:?}", first.err.all());
}

#[test]
fn a_seed_that_cannot_be_resolved_is_said_and_tried_on() {
    let folder = folder();
    let first = Agent::start(&folder.path().join("1"), &[], &[]);
    let seeds = ["no-such-host.invalid:7", &first.address()];
    let second = Agent::start(&folder.path().join("2"), &seeds, &[]);
    second.until_err("cannot resolve the seed no-such-host.invalid:7");
    second.until_out("joined");
}

#[test]
fn of_a_wildcard_it_says_which_address_is_told_to_others_and_why() {
    let folder = folder();
    let first = Agent::start(&folder.path().join("1"), &[], &[]);
    let seeds = [&*first.address()];
    let second = Agent::start_at("0.0.0.0:0", &folder.path().join("2"), &seeds, &[]);
    assert!(second.address().starts_with("127.0.0.1:"), "{}", second.start_line());
    assert!(second.start_line().contains("(loopback, as all seeds are"));
    assert!(first.until_out("joined").contains(&second.address()));

    let third = Agent::start_at("0.0.0.0:0", &folder.path().join("3"), &[], &[]);
    let line = third.start_line();
    assert!(!third.address().starts_with("0.0.0.0"), "{line}");
    let whys = [
        ("127.", "(this machine has only loopback"),
        ("169.254.", "(link-local"),
        ("", " address of this machine"),
    ];
    let (_, why) = whys.iter().find(|(begins, _)| third.address().starts_with(begins)).unwrap();
    assert!(line.contains(why), "{line}");

    let fourth = Agent::start_at(
        "0.0.0.0:0",
        &folder.path().join("4"),
        &[],
        &["--advertise", "192.0.2.7:0"],
    );
    assert!(fourth.address().starts_with("192.0.2.7:"), "{}", fourth.start_line());
    assert!(fourth.start_line().contains("(as given)"));
}
