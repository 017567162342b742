//! The demo, as a person starts it, but into a pipe.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{Agent, output, swimmer, text};

/// It is to end by itself within two minutes.
const DEMO_MAX: Duration = Duration::from_secs(120);

#[test]
fn the_demo_breaks_a_cluster_and_says_how_long_all_took_to_see_it() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = swimmer();
    command.args(["demo", "--nodes", "4"]).env("TMPDIR", temporary.path());
    let output = output(command, DEMO_MAX);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert_eq!(text(&output.stderr), "");
    for step in [
        "A cluster of 4 nodes",
        "Killing n4",
        "the record of it at n1",
        "Starting n4 again",
        "Pausing n3",
        "n3 goes on",
        "0 accusations by n3",
        "Splitting the network: n1 n2 | n3 n4",
        "Healing the network",
        "0 deaths by the healing",
        "n1 leaves gently",
    ] {
        assert!(shown.contains(step), "{step} in {shown}");
    }
    let (_, summary) = shown.split_once("What was seen:\n").unwrap();
    let times = summary.lines().filter(|line| line.contains(" s  ")).count();
    assert_eq!(times, 10, "{summary}");
    let verdict = summary.lines().last().unwrap();
    assert!(verdict.starts_with("All was as it should be, in "), "{summary}");
    assert!(!shown.contains('\x1b') && !shown.contains('\r'), "no colours in a pipe");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "it cleans up");
}

#[test]
fn a_demo_that_is_broken_off_cleans_up() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = swimmer();
    command.arg("demo").env("TMPDIR", temporary.path());
    let mut demo = Agent::spawn(command);
    demo.read();
    demo.until_out("all started");
    demo.signal("INT");
    assert_eq!(demo.wait().code(), Some(130));
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
}
