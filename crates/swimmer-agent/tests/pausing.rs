//! Agents that are stopped for a while, as by a debugger, a hypervisor or a busy machine (S8, S6).

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use support::{Agent, swimmer, until};

/// How long one is stopped.
const PAUSE: Duration = Duration::from_secs(5);
/// How soon after it goes on all hold it alive, and it them.
const BACK_WITHIN: Duration = Duration::from_secs(3);

fn start(profile: &str, folder: &Path, seeds: &[&str], options: &[&str]) -> Agent {
    let mut command = swimmer();
    command.args(["--profile", profile, "--format", "json"]).args(options).arg(folder);
    command.args(["test", "127.0.0.1:0"]).args(seeds);
    Agent::run(command)
}

/// What this agent holds of a member, as its events have told.
fn held(agent: &Agent, id: &str) -> Option<String> {
    let of = |event: &serde_json::Value| event["member"]["id"] == id;
    let last = agent.events().into_iter().rfind(of)?;
    Some(last["member"]["state"].as_str().unwrap().to_owned())
}

/// Whom this agent has doubted, be it by its own probes or because others have said so.
fn doubted(agent: &Agent) -> Vec<String> {
    let doubts =
        |event: &serde_json::Value| event["event"] == "suspected" || event["event"] == "down";
    let events = agent.events().into_iter().filter(doubts);
    events.map(|event| event["member"]["id"].as_str().unwrap().to_owned()).collect()
}

fn all_see_all(agents: &[Agent]) -> bool {
    let ids: Vec<String> = agents.iter().map(|agent| agent.says("id")).collect();
    agents.iter().zip(&ids).all(|(agent, own)| {
        let mut others = ids.iter().filter(|id| *id != own);
        others.all(|id| held(agent, id).as_deref() == Some("alive"))
    })
}

/// Four that know each other; the last one has these options, too.
fn start_all(profile: &str, folder: &Path, options: &[&str]) -> Vec<Agent> {
    let mut agents: Vec<Agent> = Vec::new();
    for number in 0..4 {
        let seed = agents.first().map(Agent::address);
        let seeds: Vec<&str> = seed.iter().map(String::as_str).collect();
        let folder = folder.join(number.to_string());
        let options = if number == 3 { options } else { &[] };
        agents.push(start(profile, &folder, &seeds, options));
    }
    until("all see all", || all_see_all(&agents).then_some(()));
    agents
}

/// How often this one was held dead, by all together.
fn buried(agents: &[Agent], id: &str) -> usize {
    let is_down =
        |event: &serde_json::Value| event["event"] == "down" && event["member"]["id"] == id;
    agents.iter().map(|agent| agent.events().into_iter().filter(is_down).count()).sum()
}

/// The last agent is stopped for a while, until all see all again.
fn stop_last(agents: &[Agent], pause: Duration) {
    let stopped = &agents[3];
    stopped.signal("STOP");
    std::thread::sleep(pause);
    assert!(agents[..3].iter().all(|agent| doubted(agent).contains(&stopped.says("id"))));
    stopped.signal("CONT");
    until("all see all again", || all_see_all(agents).then_some(()));
    // What would be believed of it still would be known by then.
    std::thread::sleep(Duration::from_secs(1));
}

#[test]
fn s6_one_who_was_buried_while_it_was_stopped_is_given_the_time_to_be_stopped_again() {
    let folder = tempfile::tempdir().unwrap();
    let agents = start_all("local", folder.path(), &[]);
    let id = agents[3].says("id");
    stop_last(&agents, PAUSE - Duration::from_secs(1));
    let before = buried(&agents, &id);
    assert!(before > 0, "with a minimum of 1 s");
    stop_last(&agents, PAUSE - Duration::from_secs(2));
    assert_eq!(buried(&agents, &id), before);
}

#[test]
fn s6_one_who_expects_pauses_is_given_the_time_for_the_first_one() {
    let folder = tempfile::tempdir().unwrap();
    let agents = start_all("local", folder.path(), &["--expects-pauses", "4"]);
    stop_last(&agents, PAUSE - Duration::from_secs(2));
    assert_eq!(buried(&agents, &agents[3].says("id")), 0);
}

fn one_is_stopped_and_goes_on(profile: &str) {
    let folder = tempfile::tempdir().unwrap();
    let agents = start_all(profile, folder.path(), &[]);
    let (stopped, id) = (&agents[3], agents[3].says("id"));
    stopped.signal("STOP");
    std::thread::sleep(PAUSE);
    assert!(agents[..3].iter().all(|agent| doubted(agent).contains(&id)), "it was missed");
    stopped.signal("CONT");
    let went_on = Instant::now();
    until("all see all again", || all_see_all(&agents).then_some(()));
    let took = went_on.elapsed();
    assert!(took <= BACK_WITHIN, "back after {took:?} only");

    // Whatever it might have believed would be known by now.
    std::thread::sleep(BACK_WITHIN);
    for agent in &agents {
        let doubted = doubted(agent);
        let (seen_by, others) = (agent.says("id"), doubted.iter().filter(|&of| *of != id));
        assert_eq!(others.count(), 0, "{seen_by} doubts {doubted:?}; {id} was stopped");
    }
    assert_eq!(doubted(&agents[3]), Vec::<String>::new(), "it accuses nobody");
    assert!(all_see_all(&agents));
}

#[test]
fn one_who_is_stopped_for_5_s_accuses_nobody_and_is_alive_for_all_3_s_later() {
    one_is_stopped_and_goes_on("lan");
}

/// With these times it is held dead when it goes on.
#[test]
fn one_who_was_buried_while_it_was_stopped_accuses_nobody_and_is_alive_for_all_3_s_later() {
    one_is_stopped_and_goes_on("local");
}
