//! How an agent ends: gently when asked, at once when asked again, and never by a panic.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::process::Stdio;
use std::time::Duration;

use support::{Agent, swimmer, until};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_second_signal_stops_at_once() {
    let folder = folder();
    let first = Agent::start(&folder.path().join("1"), &[], &[]);
    let mut second = Agent::start(&folder.path().join("2"), &[&first.address()], &[]);
    second.until_out("joined");
    // Nobody will acknowledge the leave, so it takes its time.
    first.signal("STOP");
    // Signals that come together may become one, so there are as many as it takes.
    let status = until("its end", || {
        let running = second.is_running();
        if running {
            second.signal("TERM");
            std::thread::sleep(Duration::from_millis(30));
            return None;
        }
        Some(second.wait())
    });
    assert_eq!(status.code(), Some(143));
    assert!(second.err.having("left").is_empty());
}

#[test]
fn ctrl_c_leaves_too_and_alone_there_is_nobody_to_tell() {
    let folder = folder();
    let mut alone = Agent::start(&folder.path().join("1"), &[], &[]);
    alone.signal("INT");
    assert_eq!(alone.wait().code(), Some(0));
    alone.until_err("left; there was nobody to tell");
    assert!(alone.out.all().is_empty());
}

#[test]
fn a_seed_that_never_answers_is_tried_on_until_the_user_gives_up() {
    let folder = folder();
    let mut agent = Agent::start(&folder.path().join("1"), &["127.0.0.1:1"], &[]);
    agent.until_err("joining by 127.0.0.1:1; retrying until one answers");
    agent.until_err("127.0.0.1:1 does not answer; trying again");
    agent.signal("INT");
    assert_eq!(agent.wait().code(), Some(0));
    agent.until_err("left; ");
    assert_eq!(agent.err.having("trying").len(), 2, "said once each: {:?}", agent.err.all());
}

#[test]
fn when_nobody_reads_any_more_it_leaves() {
    let folder = folder();
    let first = Agent::start(&folder.path().join("1"), &[], &[]);
    let mut command = swimmer();
    command.args(["--profile", "local"]).arg(folder.path().join("2"));
    command.args(["test", "127.0.0.1:0", &first.address()]);
    let mut second = Agent::run_unread(command);
    first.until_out("joined");
    // No event comes that it could not print.
    second.stop_reading();
    assert_eq!(second.wait().code(), Some(0), "{:?}", second.err.all());
    second.until_err("left; ");
    assert!(second.err.having("panicked").is_empty());
    first.until_out("left ");
    assert!(first.out.having("down").is_empty());
}

#[test]
#[cfg(target_os = "linux")]
fn an_output_that_cannot_be_written_is_an_error() {
    let folder = folder();
    let first = Agent::start(&folder.path().join("1"), &[], &[]);
    let mut command = swimmer();
    command.arg(folder.path().join("2")).args(["test", "127.0.0.1:0", &first.address()]);
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let mut second = Agent::spawn(command);
    assert_eq!(second.wait().code(), Some(1));
    second.until_err("swimmer: cannot write to standard output: ");
    second.until_err("left; ");
}

#[test]
#[cfg(target_os = "linux")]
fn sighup_leaves_unless_it_was_ignored_at_the_start() {
    let folder = folder();
    let mut agent = Agent::start(&folder.path().join("1"), &[], &[]);
    agent.signal("HUP");
    assert_eq!(agent.wait().code(), Some(0));
    agent.until_err("left; ");

    let mut command = std::process::Command::new("sh");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = "trap '' HUP; exec \"$0\" --profile local \"$1\" test 127.0.0.1:0";
    command.args(["-c", run, env!("CARGO_BIN_EXE_swimmer")]).arg(folder.path().join("2"));
    let mut agent = Agent::run(command);
    agent.signal("HUP");
    // It would have left by now.
    std::thread::sleep(Duration::from_millis(500));
    assert!(agent.is_running());
    agent.leave();
}

#[test]
fn in_a_conflict_the_process_that_started_later_ends_where_that_is_asked_for() {
    let folder = folder();
    let seed = Agent::start(&folder.path().join("1"), &[], &[]);
    let options = &["--on-conflict", "exit"];
    let mut first = Agent::start(&folder.path().join("2"), &[&seed.address()], options);
    seed.until_out("joined");
    std::fs::create_dir(folder.path().join("3")).unwrap();
    for name in ["host_key", "snapshot"] {
        let (from, to) = (folder.path().join("2").join(name), folder.path().join("3").join(name));
        until("the file", || std::fs::copy(&from, &to).ok());
    }
    // The starts are told apart by seconds.
    std::thread::sleep(Duration::from_millis(1_100));
    let mut later = Agent::start(&folder.path().join("3"), &[&seed.address()], options);
    assert_eq!(later.wait().code(), Some(5), "{:?}", later.err.all());
    later.until_err(&format!("at {}; it has started earlier and answers", first.address()));
    later.until_err("stopped without a leave");
    let conflict = seed.until_out("conflict");
    assert!(conflict.contains("two processes use its host key"), "{conflict}");
    first.until_out("conflict");
    assert!(first.is_running());
    assert!(seed.out.having(" left ").is_empty() && seed.out.having(" down ").is_empty());
}
