//! What cannot be done is said in one line, with an exit code that tells whose fault it is, and
//! nothing is written: 2 where the command line is wrong in itself, 1 where the world refuses.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{Agent, PATIENCE, output, swimmer, text};

/// All that is below a folder, with what is in it.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
            found.push((path, Vec::new()));
        } else {
            found.push((path.clone(), fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// Runs the program in `folder`, checks how it fails, and returns what it says.
#[track_caller]
fn fails(folder: &Path, arguments: &[&str], code: i32) -> String {
    let before = contents(folder);
    let mut command = swimmer();
    command.args(arguments).current_dir(folder);
    let output = output(command, PATIENCE);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    assert!(said.starts_with("swimmer: ") && said.ends_with('\n'), "{said:?}");
    assert_eq!(said.lines().count(), 1, "{said:?}");
    assert_eq!(said.contains("try 'swimmer --help'"), code == 2, "{said}");
    assert_eq!(contents(folder), before, "{arguments:?} wrote something");
    said
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let long_name = "n".repeat(129);
    let (long_tag, long_cluster) = (format!("k={}", "v".repeat(511)), "c".repeat(65));
    let good = ["data", "test", "127.0.0.1:0"];
    let with = |options: &[&'static str]| [options, &good[..]].concat();
    for (arguments, says) in [
        (vec![], "<DATA_DIR>"),
        (vec!["data"], "<CLUSTER>"),
        (vec!["data", "test"], "<LISTEN>"),
        (with(&["--expects-pauses", "0"]), "--expects-pauses"),
        (with(&["--expects-pauses", "1.5"]), "--expects-pauses"),
        (with(&["--frobnicate"]), "--frobnicate"),
        (vec!["data", "test", "127.0.0.1"], "IP:PORT"),
        (vec!["data", "test", "localhost:7"], "IP:PORT"),
        (vec!["data", "test", "127.0.0.1:99999"], "IP:PORT"),
        (vec!["data", "test", "127.0.0.1:0", "seed"], "host:port"),
        (vec!["data", "test", "127.0.0.1:0", "seed:0"], "host:port"),
        (vec!["data", "", "127.0.0.1:0"], "empty"),
        (vec!["data", &long_cluster, "127.0.0.1:0"], "65 bytes"),
        (vec!["data", "a\nb", "127.0.0.1:0"], "control character"),
        (vec!["--name", &long_name, "data", "test", "127.0.0.1:0"], "129 bytes"),
        (vec!["--tag", &long_tag, "data", "test", "127.0.0.1:0"], "513 bytes"),
        (with(&["--name", "a\nb"]), "control characters"),
        (with(&["--tag", "novalue"]), "KEY=VALUE"),
        (with(&["--tag", "=value"]), "key is empty"),
        (with(&["--tag", "a=b\nc=d"]), "control characters"),
        (with(&["--profile", "moon"]), "lan, fast, local, wan"),
        (with(&["--format", "xml"]), "text, json"),
        (with(&["--advertise", "nowhere"]), "IP:PORT"),
        (with(&["--advertise", "0.0.0.0:7"]), "0.0.0.0:7"),
        (with(&["--advertise", "[::1]:7"]), "IPv6"),
        (with(&["--advertise", "[fe80::1%2]:7"]), "zone"),
        (with(&["--datagram-bytes", "799"]), "800 to 65507"),
        (with(&["--datagram-bytes", "65508"]), "800 to 65507"),
        (vec!["--advertise", "127.0.0.1:7", "data", "test", "[::1]:0"], "IPv4"),
        (vec!["data", "test", "[fe80::1%lo]:0"], "zone"),
        (vec!["data", "test", "[fe80::1]:0"], "zone"),
        (vec!["data", "test", "127.0.0.1:0", "[fe80::1%eth0]:7946"], "zone"),
        (vec!["data", "test", "127.0.0.1:0", "[fe80::1%2]:7946"], "zone"),
        (vec!["demo", "--nodes", "1"], "4..=16"),
        (vec!["demo", "--nodes", "17"], "4..=16"),
        (vec!["demo", "extra"], "extra"),
    ] {
        let said = fails(folder.path(), &arguments, 2);
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_wrong_variable_is_exit_code_2_too() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value, says) in [
        ("SWIMMER_PROFILE", "moon", "lan, fast, local, wan"),
        ("SWIMMER_TAGS", "a=b,c", "invalid tag 'c'"),
        ("SWIMMER_SEEDS", "localhost:7,nowhere", "\"nowhere\" is no host:port"),
    ] {
        let mut command = swimmer();
        command.args(["data", "test", "127.0.0.1:0"]).env(name, value).current_dir(folder.path());
        let output = output(command, PATIENCE);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(text(&output.stderr).contains(says), "{}", text(&output.stderr));
        assert!(contents(folder.path()).is_empty());
    }
}

#[test]
fn a_port_in_use_is_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for taken in [tcp.local_addr().unwrap(), udp.local_addr().unwrap()] {
        let said = fails(folder.path(), &["data", "test", &taken.to_string()], 1);
        assert!(said.contains(&format!("cannot listen on {taken}: ")), "{said}");
    }
    // An address for documentation is none of this machine's.
    let said = fails(folder.path(), &["data", "test", "192.0.2.1:7"], 1);
    assert!(said.contains("cannot listen on 192.0.2.1:7: "), "{said}");
}

#[test]
fn a_data_folder_that_cannot_be_used_is_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "mine").unwrap();
    let at = ["test", "127.0.0.1:0"];
    let said = fails(folder.path(), &["file", at[0], at[1]], 1);
    assert!(said.contains("file is not a folder"), "{said}");
    let said = fails(folder.path(), &["file/below", at[0], at[1]], 1);
    assert!(said.contains("cannot create the data folder file/below: "), "{said}");

    for length in [0, 15, 17] {
        fs::create_dir(folder.path().join("bad")).unwrap();
        fs::write(folder.path().join("bad/host_key"), vec![1; length]).unwrap();
        let said = fails(folder.path(), &["bad", at[0], at[1]], 1);
        let found = format!("bad/host_key is damaged: it holds {length} bytes");
        assert!(said.contains(&found) && said.contains("16 bytes"), "{said}");
        fs::remove_dir_all(folder.path().join("bad")).unwrap();
    }
}

#[test]
fn a_data_folder_in_use_is_exit_code_1() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = Agent::start(&folder.path().join("data"), &[], &[]);
    let said = fails(folder.path(), &["data", "test", "127.0.0.1:0"], 1);
    assert!(said.contains("data is in use by another process"), "{said}");
    holder.leave();
    // The lock goes with its process.
    Agent::start(&folder.path().join("data"), &[], &[]).leave();
}

#[test]
fn help_and_version_are_no_errors() {
    for (arguments, says) in [
        (vec!["--version"], concat!("swimmer ", env!("CARGO_PKG_VERSION"))),
        (vec!["--help"], "Usage: swimmer [OPTIONS] <DATA_DIR> <CLUSTER> <LISTEN> [SEED]..."),
        (vec!["-h"], "SWIMMER_SEEDS"),
        (vec!["demo", "--help"], "Usage: swimmer demo [OPTIONS]"),
        (vec!["help"], "Usage: swimmer [OPTIONS] <DATA_DIR> <CLUSTER> <LISTEN> [SEED]..."),
        (vec!["help", "demo"], "Usage: swimmer demo [OPTIONS]"),
    ] {
        let mut command = swimmer();
        command.args(&arguments);
        let output = output(command, PATIENCE);
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(text(&output.stdout).contains(says), "{}", text(&output.stdout));
    }
}
