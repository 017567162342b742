//! What comes from outside the cluster, or from a hostile member of it, does no harm and is said.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::time::Duration;

use support::{Agent, swimmer, until};
use swimmer::{Cluster, Profile, block_on};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn is_plain(line: &str) -> bool {
    let unseen = ['\u{202e}', '\u{200b}', '\u{feff}'];
    !line.chars().any(|c| c.is_control() || unseen.contains(&c))
}

#[test]
fn an_agent_of_another_cluster_is_refused_and_both_say_so_once_with_both_names() {
    let folder = folder();
    let first = Agent::start(&folder.path().join("1"), &[], &[]);
    let mut command = swimmer();
    command.args(["--profile", "local"]).arg(folder.path().join("2"));
    command.args(["elsewhere", "127.0.0.1:0", &first.address()]);
    let second = Agent::run(command);
    let (here, there) = (first.address(), second.address());
    let said = first.until_err("refused");
    assert_eq!(
        said,
        format!("refused {there}: it means the cluster 'elsewhere', this node belongs to 'test'")
    );
    let said = second.until_err("refused");
    assert_eq!(
        said,
        format!("{here} refused us: it belongs to the cluster 'test', this node to 'elsewhere'")
    );
    // That is said after seconds: by then it was refused several times.
    second.until_err("still trying");
    for agent in [&first, &second] {
        assert_eq!(agent.err.having("refused").len(), 1, "{:?}", agent.err.all());
        assert!(agent.out.all().is_empty());
    }
}

#[test]
fn random_bytes_on_both_planes_are_dropped_and_said_once_per_address() {
    let folder = folder();
    let agent = Agent::start(&folder.path().join("1"), &[], &[]);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |length: usize| -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..length).map(|_| next()).collect()
    };
    let sockets = [0, 1].map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    for socket in &sockets {
        for length in [0, 1, 4, 5, 6, 40, 300, 1_400] {
            socket.send_to(&random(length), agent.address()).unwrap();
        }
    }
    for length in [1, 4, 100, 5_000, 100_000] {
        let mut stream = TcpStream::connect(agent.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // The other side may hang up in the middle.
        let _ = stream.write_all(&random(length));
        let _ = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty(), "no answer to {length} random bytes");
    }
    for socket in &sockets {
        let from = socket.local_addr().unwrap();
        agent.until_err(&format!(
            "a datagram from {from} is of another cluster, or damaged; ignored"
        ));
    }
    // It lives on, and takes members in.
    let second = Agent::start(&folder.path().join("2"), &[&agent.address()], &[]);
    second.until_out("joined");
    agent.until_out("joined");
    assert_eq!(agent.err.having("damaged").len(), 2, "{:?}", agent.err.all());
}

#[test]
fn control_characters_from_the_network_do_not_reach_the_terminal() {
    let folder = folder();
    let people = Agent::start(&folder.path().join("1"), &[], &[]);
    let seeds = [&*people.address()];
    let programs = Agent::start(&folder.path().join("2"), &seeds, &["--format", "json"]);
    programs.until_event("joined");
    let tags = "a=\u{1b}]0;owned\u{7}\u{9b}31m\nb=\u{202e}txt\r";
    let hostile = Cluster::builder("test")
        .listen("127.0.0.1:0".parse().unwrap())
        .profile(Profile::Local)
        .name("\u{202e}reversed\u{200b}")
        .metadata(tags)
        .seeds([people.address()])
        .start_thread()
        .unwrap();
    people.until_out(r"b=\u{202e}txt\r");
    people.until_out(r"a=\u{1b}]0;owned\u{7}\u{9b}31m");
    people.until_out(r"\u{202e}reversed\u{200b}");
    let joined = until("the hostile one", || {
        programs.events().into_iter().filter(|event| event["event"] == "joined").nth(1)
    });
    let member = &joined["member"];
    assert_eq!(member["metadata"]["a"], "\u{1b}]0;owned\u{7}\u{9b}31m");
    assert_eq!(member["metadata"]["b"], "\u{202e}txt\r");
    assert_eq!(member["name"], "\u{202e}reversed\u{200b}");

    until("all see all", || (hostile.members().present_count() == 3).then_some(()));
    block_on(hostile.broadcast("\u{1b}[2Jgone\nfaked line")).unwrap();
    people.until_out(r"broadcast: \u{1b}[2Jgone\nfaked line");
    programs.until_event("message");
    for line in people.out.all().iter().chain(&programs.out.all()) {
        assert!(is_plain(line), "{line:?}");
    }
}

#[test]
fn the_name_of_a_foreign_cluster_is_escaped_too() {
    let folder = folder();
    let agent = Agent::start(&folder.path().join("1"), &[], &[]);
    let _hostile = Cluster::builder("\u{202e}evil")
        .listen("127.0.0.1:0".parse().unwrap())
        .profile(Profile::Local)
        .seeds([agent.address()])
        .start_thread()
        .unwrap();
    let said = agent.until_err("refused");
    assert!(said.contains(r"'\u{202e}evil'") && is_plain(&said), "{said}");
}
