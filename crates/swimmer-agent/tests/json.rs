//! `--format json`: one object a line, for programs.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use support::{Agent, swimmer, until};
use swimmer::{Cluster, CommandError, NodeId, Profile, State, block_on};

fn agent(folder: &tempfile::TempDir) -> Agent {
    Agent::start(folder.path(), &[], &["--format", "json"])
}

/// A node of the test's own in the agent's cluster, without tags to begin with.
fn node(id: u8, agent: &Agent) -> Cluster {
    let node = Cluster::builder("test")
        .id(NodeId::from_bytes([id; 16]))
        .name("friend")
        .listen("127.0.0.1:0".parse().unwrap())
        .profile(Profile::Local)
        .seeds([agent.address()]);
    let node = node.start_thread().unwrap();
    let id = agent.says("id").parse().unwrap();
    until("it is joined", || {
        node.members().get(id).is_some_and(|m| m.state == State::Alive).then_some(())
    });
    node
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Those that are not about what the agent does itself.
fn of_members(events: &[Value]) -> impl Iterator<Item = &Value> {
    let own = ["started", "ready", "refused", "stopping"];
    events.iter().filter(move |event| !own.contains(&event["event"].as_str().unwrap()))
}

/// What holds of every event.
fn check(events: &[Value]) {
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], at + 1);
        let time = event["time"].as_str().unwrap();
        assert_eq!((time.len(), &time[19..20], &time[23..]), (24, ".", "Z"), "{time}");
        time.parse::<jiff::Timestamp>().unwrap();
        let extra: &[&str] = match event["event"].as_str().unwrap() {
            "down" => &["reason"],
            "message" => &["payload"],
            "conflict" => &["other"],
            "started" => &["id", "address", "port", "cluster", "preset"],
            "refused" => &["by", "cluster", "why"],
            "stopping" => &["why", "exit_code"],
            "other_timing" => &["period_ms", "suspicion_min_ms"],
            _ => &[],
        };
        let expected = ["seq", "time", "event", "member", "members"].iter().chain(extra);
        assert_eq!(keys(event), expected.copied().collect(), "{event}");
        assert!(event["members"].is_u64(), "{event}");
        if event["event"] == "resync" {
            assert!(event["member"].is_null(), "{event}");
            continue;
        }
        let member = &event["member"];
        let all = ["id", "name", "address", "state", "incarnation", "metadata"];
        assert_eq!(keys(member), all.into(), "{event}");
        let id = member["id"].as_str().unwrap();
        let dashes: Vec<usize> = id.match_indices('-').map(|(at, _)| at).collect();
        assert_eq!((id.len(), &*dashes), (36, &[8, 13, 18, 23][..]), "{id}");
        member["address"].as_str().unwrap().parse::<std::net::SocketAddr>().unwrap();
        let state = member["state"].as_str().unwrap();
        assert!(["alive", "suspect", "dead", "left"].contains(&state), "{state}");
        assert!(member["incarnation"].as_u64().unwrap() > 0);
        assert!(member["metadata"].as_object().unwrap().values().all(Value::is_string));
    }
}

#[test]
fn every_line_is_an_event_with_the_fields_of_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = agent(&folder);
    let friend = node(7, &agent);
    let joined = agent.until_event("joined");
    assert_eq!(joined["member"]["id"], "07070707-0707-0707-0707-070707070707");
    assert_eq!(joined["member"]["name"], "friend");
    assert_eq!(joined["member"]["address"], friend.local_addr().to_string());
    assert_eq!((&joined["member"]["state"], &joined["members"]), (&"alive".into(), &2.into()));
    assert_eq!(joined["member"]["metadata"], serde_json::json!({}));

    block_on(friend.set_metadata("az=eu\nrole=web")).unwrap();
    let updated = agent.until_event("updated");
    assert_eq!(updated["member"]["metadata"], serde_json::json!({"az": "eu", "role": "web"}));

    let payload = b"\0hello\xff\n";
    block_on(friend.broadcast(payload)).unwrap();
    let message = agent.until_event("message");
    assert_eq!(STANDARD.decode(message["payload"].as_str().unwrap()).unwrap(), payload);

    block_on(friend.leave()).unwrap();
    let left = agent.until_event("left");
    assert_eq!((&left["member"]["state"], &left["members"]), (&"left".into(), &1.into()));
    block_on(friend.join([agent.address()])).unwrap();
    until("its new life", || {
        (agent.events().iter().filter(|event| event["event"] == "joined").count() == 2)
            .then_some(())
    });

    block_on(friend.shutdown());
    let suspected = agent.until_event("suspected");
    assert_eq!(
        (&suspected["member"]["state"], &suspected["members"]),
        (&"suspect".into(), &2.into())
    );
    let down = agent.until_event("down");
    assert_eq!((&down["member"]["state"], &down["members"]), (&"dead".into(), &1.into()));
    let own_id = agent.says("id");
    let reason = &down["reason"];
    let all = ["accusers", "path", "at", "suspected_ms", "health"];
    assert_eq!(keys(reason), all.into());
    assert_eq!(
        (&reason["accusers"], &reason["path"]),
        (&serde_json::json!([own_id]), &"suspicion".into())
    );
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let told_after = time(&down["time"]).duration_since(time(&reason["at"]));
    assert!(told_after.as_secs() < 60, "{down}");
    // One accuser alone waits for twice the minimum.
    let suspected = reason["suspected_ms"].as_u64().unwrap();
    assert!((2_000..12_000).contains(&suspected), "{down}");
    assert!(reason["health"].is_u64());

    let _again = node(7, &agent);
    let up = agent.until_event("up");
    assert_eq!((&up["member"]["state"], &up["members"]), (&"alive".into(), &2.into()));
    agent.leave();
    let events = agent.events();
    check(&events);
    let order: Vec<&str> =
        of_members(&events).map(|event| event["event"].as_str().unwrap()).collect();
    let kinds = ["joined", "updated", "message", "left", "joined", "suspected", "down", "up"];
    // A new address may be news of its own, before or after the member is up.
    let order: Vec<&str> = order
        .iter()
        .enumerate()
        .filter(|&(at, &kind)| at < 2 || kind != "updated")
        .map(|(_, k)| *k)
        .collect();
    assert_eq!(order, kinds);
}

#[test]
fn the_agent_says_what_it_does_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut agent = agent(&folder);
    let ready = agent.until_event("ready");
    assert_eq!((&ready["members"], &ready["member"]["id"]), (&1.into(), &agent.says("id").into()));
    let started = &agent.events()[0];
    let address = agent.address();
    assert_eq!(started["event"], "started");
    let says = |key: &str| started[key].as_str().unwrap().to_owned();
    assert_eq!([says("id"), says("address")], [agent.says("id"), address.clone()]);
    assert_eq!([says("preset"), says("cluster")], ["local", "test"]);
    assert!(address.ends_with(&format!(":{}", started["port"])), "{started}");

    let mut command = swimmer();
    command.args(["--format", "json", "--profile", "local", "--join-timeout", "2"]);
    command.arg(folder.path().join("other")).args(["other", "127.0.0.1:0", &address]);
    let mut other = Agent::run(command);
    assert_eq!(other.wait().code(), Some(1));
    let refused = other.until_event("refused");
    let expected = serde_json::json!([address, "test", "other_cluster"]);
    assert_eq!(serde_json::json!([refused["by"], refused["cluster"], refused["why"]]), expected);
    let stopping = other.until_event("stopping");
    assert_eq!((&stopping["why"], &stopping["exit_code"]), (&"not_joined".into(), &1.into()));
    check(&other.events());
    other.until_err("left; there was nobody to tell");

    agent.leave();
    let events = agent.events();
    check(&events);
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["why"]), (&"stopping".into(), &"signal".into()));
}

#[test]
fn those_met_on_joining_are_joined_too() {
    let folder = tempfile::tempdir().unwrap();
    let first = Agent::start(&folder.path().join("1"), &[], &[]);
    let second = Agent::start(&folder.path().join("2"), &[&first.address()], &[]);
    second.until_out("joined");
    let options = ["--format", "json"];
    let third = Agent::start(&folder.path().join("3"), &[&second.address()], &options);
    let events = until("both", || {
        let events = third.events();
        (of_members(&events).count() >= 2).then_some(events)
    });
    check(&events);
    assert_eq!(events[0]["event"], "started", "before the first event");
    let events: Vec<Value> = of_members(&events).cloned().collect();
    assert!(events.iter().all(|event| event["event"] == "joined"));
    let met: BTreeSet<&str> = events.iter().map(|e| e["member"]["id"].as_str().unwrap()).collect();
    assert_eq!(met, BTreeSet::from([&*first.says("id"), &*second.says("id")]));
    assert_eq!(events[1]["members"], 3);
}

#[test]
fn two_with_one_host_key_are_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["--format", "json"];
    let third = Agent::start(&folder.path().join("3"), &[], &options);
    let first = Agent::start(&folder.path().join("1"), &[&third.address()], &options);
    first.until_event("joined");
    std::fs::create_dir(folder.path().join("2")).unwrap();
    std::fs::copy(folder.path().join("1/host_key"), folder.path().join("2/host_key")).unwrap();
    let second = Agent::start(&folder.path().join("2"), &[&third.address()], &options);
    let conflict = until("a conflict", || {
        let both = first.events().into_iter().chain(second.events());
        both.into_iter().find(|event| event["event"] == "conflict")
    });
    assert_eq!(conflict["member"]["id"], first.says("id"));
    let told = [&conflict["member"]["address"], &conflict["other"]].map(|told| told.as_str());
    let addresses = [first.address(), second.address()];
    assert_eq!(BTreeSet::from(told), addresses.iter().map(|a| Some(a.as_str())).collect());
    check(&first.events());
    check(&second.events());
}

/// While all others stand still a node hears from nobody (S5).
#[test]
fn while_an_agent_is_isolated_it_says_how_many_it_has_not_heard() {
    let folder = tempfile::tempdir().unwrap();
    let first = agent(&folder);
    let seed = first.address();
    let second = Agent::start(&folder.path().join("2"), &[&seed], &[]);
    let third = Agent::start(&folder.path().join("3"), &[&seed], &[]);
    until("all three", || first.events().iter().any(|event| event["members"] == 3).then_some(()));
    let stopped = [&second, &third];
    stopped.iter().for_each(|agent| agent.signal("STOP"));
    let isolated = first.until_event("isolated");
    assert_eq!((&isolated["unheard"], &isolated["members"]), (&2.into(), &3.into()));
    assert_eq!(
        (&isolated["member"]["id"], &isolated["member"]["unheard"]),
        (&first.says("id").into(), &false.into())
    );
    stopped.iter().for_each(|agent| agent.signal("CONT"));
    let healed = first.until_event("healed");
    assert!(healed.get("unheard").is_none() && healed["member"].get("unheard").is_none());
    let ended = first.events().into_iter().skip_while(|event| event["event"] != "healed");
    assert!(ended.into_iter().all(|event| event.get("unheard").is_none()));
}

/// A pipe that is full blocks whoever writes into it; the node must not be the one.
#[test]
fn a_reader_that_rests_does_not_hold_the_node_up_and_gets_a_resync() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = swimmer();
    command.args(["--profile", "local", "--format", "json"]).arg(folder.path());
    command.args(["test", "127.0.0.1:0"]);
    let mut agent = Agent::run_unread(command);
    let friend = node(7, &agent);
    let id = agent.says("id").parse().unwrap();
    // More events than the pipe and the queue of events hold together.
    for number in 0..4_000_u32 {
        block_on(friend.broadcast(format!("message {number:0100}"))).unwrap();
        // As fast as gossip carries them to one member.
        std::thread::sleep(Duration::from_millis(2));
    }
    // Messages to it alone wait, up to a bound, and who sends one more is told.
    let taken = std::iter::from_fn(|| {
        let sent = block_on(friend.send_reliable(id, "still there?"));
        assert!(matches!(sent, Ok(()) | Err(CommandError::NoRoom)), "{sent:?}");
        sent.ok()
    });
    assert!(taken.count() >= 1_024);
    let members = friend.members();
    assert_eq!(members.get(id).unwrap().state, State::Alive);

    agent.read();
    agent.until_event("resync");
    block_on(friend.broadcast("the end")).unwrap();
    let end = STANDARD.encode("the end");
    until("the end", || {
        let events = agent.events();
        events.iter().any(|event| event["payload"] == end.as_str()).then_some(())
    });
    let events = agent.events();
    check(&events);
    assert!(events.len() < 4_000, "it lost some, and said so");
}

#[test]
fn a_full_pipe_does_not_keep_it_from_leaving() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = swimmer();
    command.args(["--profile", "local", "--format", "json"]).arg(folder.path());
    command.args(["test", "127.0.0.1:0"]);
    let mut agent = Agent::run_unread(command);
    let friend = node(7, &agent);
    let id = agent.says("id").parse().unwrap();
    for number in 0..1_000_u32 {
        block_on(friend.send(id, format!("message {number:0100}"))).unwrap();
    }
    agent.signal("TERM");
    assert_eq!(agent.wait().code(), Some(0));
    agent.until_err("left; 1 of 1 peers know");
    until("it has left", || {
        friend.members().get(id).is_some_and(|m| m.state == State::Left).then_some(())
    });
}
