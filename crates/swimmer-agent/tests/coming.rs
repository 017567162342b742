//! Agents that join in time or give up, come back without a seed, and say what they count.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;

use support::{Agent, output, swimmer, text, until};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn sigusr1_prints_every_count_as_a_name_and_a_number() {
    let folder = folder();
    let first = Agent::start(&folder.path().join("1"), &[], &[]);
    let second = Agent::start(&folder.path().join("2"), &[&first.address()], &[]);
    first.until_out("joined");
    second.until_out("joined");
    let before = first.err.all().len();
    first.signal("USR1");
    first.until_err("tcp_accept_failed 0");
    let lines = first.err.all().split_off(before);
    let value = |name: &str| -> u64 {
        let found = lines.iter().find_map(|line| line.strip_prefix(&format!("{name} ")));
        found.unwrap_or_else(|| panic!("{name} in {lines:?}")).parse().unwrap()
    };
    assert_eq!((value("members_present"), value("members_held")), (2, 1));
    assert!(value("requests") > 0 && value("tcp_accepted") > 0 && value("persists") > 0);
    assert!(lines.iter().all(|line| line.split(' ').count() == 2), "{lines:?}");
    assert!(first.out.having("members_present").is_empty(), "standard output is for events");
    first.signal("USR1");
    until("once more", || (first.err.having("tcp_accept_failed ").len() == 2).then_some(()));
}

#[test]
fn with_a_time_for_the_join_it_gives_up_with_exit_code_1() {
    let folder = folder();
    let seeds = &["127.0.0.1:1"];
    let mut agent = Agent::start(&folder.path().join("1"), seeds, &["--join-timeout", "2"]);
    assert_eq!(agent.wait().code(), Some(1), "{:?}", agent.err.all());
    agent.until_err("swimmer: no seed has taken this node in within 2 s");

    let first = Agent::start(&folder.path().join("2"), &[], &["--join-timeout", "1"]);
    let options = &["--join-timeout", "30"];
    let mut second = Agent::start(&folder.path().join("3"), &[&first.address()], options);
    second.until_out("joined");
    second.leave();
}

#[test]
fn it_says_when_enough_members_are_present() {
    let folder = folder();
    let options = &["--min-members", "2"];
    let first = Agent::start(&folder.path().join("1"), &[], options);
    let second = Agent::start(&folder.path().join("2"), &[&first.address()], options);
    for agent in [&first, &second] {
        agent.until_err("ready; 2 members are present");
    }
}

#[test]
fn one_who_comes_back_needs_no_seed() {
    let folder = folder();
    let first = Agent::start(&folder.path().join("1"), &[], &[]);
    let mut second = Agent::start(&folder.path().join("2"), &[&first.address()], &[]);
    let id = second.says("id");
    second.until_out("joined");
    second.leave();
    first.until_out("left ");
    let again = Agent::start(&folder.path().join("2"), &[], &[]);
    assert_eq!(again.says("id"), id);
    again.until_err(&format!("{} has taken this node in", first.address()));
    again.until_out("joined");
}

#[test]
fn a_damaged_snapshot_is_named_with_the_remedy() {
    let folder = folder();
    let data = folder.path().join("1");
    let mut agent = Agent::start(&data, &[], &[]);
    agent.leave();
    let snapshot = data.join("snapshot");
    fs::write(&snapshot, "swimsna").unwrap();
    let mut command = swimmer();
    command.arg(&data).args(["test", "127.0.0.1:0"]);
    let ended = output(command, support::PATIENCE);
    assert_eq!(ended.status.code(), Some(1));
    let said = text(&ended.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains(snapshot.to_str().unwrap()) && said.contains("remove it"), "{said}");
    assert_eq!(fs::read(&snapshot).unwrap(), b"swimsna");
}
