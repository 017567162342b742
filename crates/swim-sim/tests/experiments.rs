//! Each experiment in miniature, as its users run it: a table for them to read, JSON with the keys
//! that are promised, a plot; and the same of all that for the same seed.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

struct Files {
    folder: tempfile::TempDir,
}

/// What one run left behind.
#[derive(PartialEq, Eq, Debug)]
struct Found {
    table: String,
    json: String,
    svg: String,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &str) -> Found {
        let (json, svg) = (self.path("out.json"), self.path("out.svg"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_swim-sim"));
        command.args(arguments.split_whitespace());
        command.arg("--json").arg(&json).arg("--svg").arg(&svg);
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "swim-sim {arguments}: {errors}");
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let table = String::from_utf8(output.stdout).unwrap();
        Found { table, json: read(&json), svg: read(&svg) }
    }
}

/// Runs an experiment and returns its rows, which all have just these keys.
fn rows(arguments: &str, keys: &[&str]) -> Vec<Value> {
    let found = Files::new().run(arguments);
    assert!(found.svg.contains("</svg>"));
    let rows: Vec<Value> = serde_json::from_str(&found.json).unwrap();
    assert!(!rows.is_empty());
    let mut expected = keys.to_vec();
    expected.sort_unstable();
    for row in &rows {
        let mut held: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        held.sort_unstable();
        assert_eq!(held, expected, "swim-sim {arguments}");
        let variant = row["variant"].as_str().unwrap();
        assert!(found.table.contains(variant), "the table names each variant");
    }
    rows
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is a number"))
}

#[test]
fn detect_finds_each_crash_and_says_how_soon() {
    let keys = [
        "variant",
        "nodes",
        "runs",
        "first_p50",
        "first_p99",
        "first_max",
        "full_p50",
        "full_p99",
        "full_max",
        "datagrams_per_member_s",
        "bytes_per_member_s",
    ];
    let rows = rows("detect --nodes 5,8 --runs 3", &keys);
    assert_eq!(rows.len(), 8, "each variant at each size");
    for row in &rows {
        let (first, full) = (number(&row["first_p50"]), number(&row["full_p99"]));
        assert!(first > 1.0 && full >= first && full < 60.0, "{row}");
        assert!(number(&row["datagrams_per_member_s"]) > 1.5, "{row}");
        assert!(number(&row["bytes_per_member_s"]) > 50.0, "{row}");
    }
}

#[test]
fn an_experiment_is_run_without_each_addition_by_turns() {
    let files = Files::new();
    let found = files.run("detect --nodes 6 --runs 2 --ablations");
    let rows: Vec<Value> = serde_json::from_str(&found.json).unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["variant"].as_str().unwrap()).collect();
    let without = [
        "no-rotation",
        "no-corroboration",
        "other-timeout",
        "no-repeats",
        "no-slow-timeout",
        "no-refusals",
        "no-inquiry",
        "no-isolation-guard",
        "no-stall-guard",
        "no-patience",
        "no-corrections",
        "no-digest",
    ];
    assert_eq!(names, [&["swimmer"][..], &without].concat());
    assert!(number(&rows[0]["bytes_per_member_s"]) > number(&rows[12]["bytes_per_member_s"]));
    let named = files.run("detect --nodes 6 --runs 2 --variants no-rotation");
    let named: Vec<Value> = serde_json::from_str(&named.json).unwrap();
    assert_eq!(named, rows[1..2], "a variant is the same by its own name");
}

#[test]
fn interval_counts_the_false_positives_of_each_variant() {
    let keys = [
        "variant",
        "runs",
        "time_s",
        "blocked",
        "duration_ms",
        "interval_ms",
        "fp",
        "fp_healthy",
        "raised_fp",
        "raised_fp_healthy",
        "datagrams",
        "bytes",
    ];
    for block in ["messages", "stuck"] {
        let cells = "--blocked 4 --durations 32768 --intervals 64,1024";
        let arguments = format!("interval --nodes 16 {cells} --runs 3 --block {block}");
        let rows = rows(&format!("{arguments} --variants swim,lifeguard"), &keys);
        assert_eq!(rows.len(), 2 * 7, "all; one C, one D and two I; two cells");
        let fp = |row: &Value| number(&row["fp"]);
        assert!(fp(&rows[0]) > 0.0, "SWIM is wrong about some");
        assert!(fp(&rows[1]) < fp(&rows[0]) / 2.0, "and Lifeguard about fewer");
        for row in &rows {
            assert!(number(&row["fp_healthy"]) <= fp(row) && number(&row["raised_fp"]) <= fp(row));
            assert!(number(&row["raised_fp_healthy"]) <= number(&row["fp_healthy"]));
            assert!(number(&row["bytes"]) > 28.0 * number(&row["datagrams"]));
        }
        let swims = rows.iter().filter(|row| row["variant"] == "swim");
        let of_one_interval =
            swims.filter(|row| row["blocked"].is_null() && !row["interval_ms"].is_null());
        assert_eq!(of_one_interval.map(fp).sum::<f64>(), fp(&rows[0]), "rows by I add up to all");
    }
}

#[test]
fn interval_blocks_for_as_long_as_it_is_told() {
    let files = Files::new();
    let arguments =
        "interval --nodes 8 --blocked 2 --durations 512 --intervals 64 --variants swimmer";
    let both = files.run(&format!("{arguments} --time 20,40"));
    let rows: Vec<Value> = serde_json::from_str(&both.json).unwrap();
    let of = |time| rows.iter().find(|row| row["time_s"] == time).unwrap();
    let (short, long) = (of(20), of(40));
    let ratio = number(&long["datagrams"]) / number(&short["datagrams"]);
    assert!((1.3..2.0).contains(&ratio), "15 s of quiet and 20 or 40 s of blocks: {ratio}");
    let alone = files.run(&format!("{arguments} --time 40"));
    let alone: Vec<Value> = serde_json::from_str(&alone.json).unwrap();
    assert_eq!(&alone[0], long, "a time is measured alike alone and beside others");
}

#[test]
fn threshold_finds_whoever_is_blocked_for_long() {
    let keys = [
        "variant",
        "nodes",
        "runs",
        "blocked",
        "duration_ms",
        "detected",
        "detected_by_all",
        "first_p50",
        "first_p99",
        "full_p50",
        "full_p99",
        "fp",
        "fp_healthy",
    ];
    let arguments = "threshold --nodes 10 --runs 2 --blocked 2 --durations 512,32768";
    for row in rows(arguments, &keys) {
        let long = number(&row["duration_ms"]) > 1_000.0;
        assert_eq!(number(&row["detected"]), if long { 1.0 } else { 0.0 }, "{row}");
        assert_eq!(row["first_p50"].is_null(), !long, "{row}");
    }
}

#[test]
fn pause_tells_short_from_long() {
    let keys = [
        "variant",
        "nodes",
        "runs",
        "paused",
        "length_s",
        "paused_dead",
        "deaths_of_paused",
        "deaths_of_others",
        "refutations_per_run",
        "datagrams_per_member_min",
        "back_p50",
        "back_max",
    ];
    let rows = rows("pause --nodes 8 --runs 2 --lengths 1,20 --variants lifeguard,swimmer", &keys);
    assert_eq!(rows.len(), 10);
    let of_one = rows.iter().filter(|row| row["paused"] == "one");
    for row in of_one {
        let long = number(&row["length_s"]) > 5.0;
        assert_eq!(number(&row["paused_dead"]), if long { 1.0 } else { 0.0 }, "{row}");
        assert!(!row["back_max"].is_null(), "whoever goes on comes back");
    }
    let hiccups = rows.iter().filter(|row| row["length_s"].is_null());
    assert_eq!(hiccups.count(), 2);
}

#[test]
fn loss_is_survived_where_it_is_small_and_seen_where_it_is_total() {
    let keys = [
        "variant",
        "case",
        "nodes",
        "runs",
        "time_s",
        "false_deaths",
        "false_deaths_at_faulty",
        "false_dead",
        "suspicions",
        "returns",
        "refutations",
        "faulty",
        "faulty_removed",
        "faulty_dead_at_end",
        "removed_p50",
        "faulty_returns",
        "datagrams_per_member_s",
        "bytes_per_member_s",
    ];
    let arguments = "loss --nodes 8 --rapid-nodes 12 --losses 0,100 --time 60 --rapid-time 60 \
                     --variants swimmer";
    let rows = rows(arguments, &keys);
    assert_eq!(rows.len(), 7);
    let of = |case: &str| rows.iter().find(|row| row["case"] == case).unwrap();
    assert_eq!(number(&of("0 %")["suspicions"]), 0.0);
    assert!(number(&of("100 %, no TCP")["false_dead"]) == 8.0, "nobody hears anybody");
    assert_eq!(number(&of("flip-flop into 1 %")["faulty"]), 1.0);
    let found = Files::new().run("loss --nodes 4 --rapid-nodes 0 --losses 0 --time 10");
    assert!(!found.table.contains("1 %"), "what is left out has no table");
}

#[test]
fn churn_ends_in_agreement() {
    let keys = [
        "variant",
        "case",
        "nodes",
        "runs",
        "agreed_p50",
        "agreed_max",
        "datagrams_per_member_s",
        "bytes_per_member_s",
        "exchange_bytes_per_member_s",
        "queue_max",
        "false_deaths",
    ];
    let rows = rows("churn --nodes 10 --runs 2 --minutes 6 --variants swimmer", &keys);
    assert_eq!(rows.len(), 4, "each case");
    for row in &rows {
        assert!(!row["agreed_max"].is_null(), "{row}");
    }
}

#[test]
fn partitions_heal_and_all_survivors_know_all_the_crashed() {
    let keys = [
        "variant",
        "case",
        "nodes",
        "runs",
        "seconds",
        "done_p50",
        "done_max",
        "own_deaths_before",
        "own_deaths_after",
        "extra_bytes_per_member",
    ];
    let arguments = "partition --nodes 6 --crash-nodes 4 --durations 1,60 --runs 2 \
                     --variants lifeguard,swimmer";
    let rows = rows(arguments, &keys);
    assert_eq!(rows.len(), 18);
    for row in &rows {
        assert!(!row["done_max"].is_null(), "{row}");
    }
}

#[test]
fn scale_measures_traffic_memory_and_speed() {
    let keys = [
        "variant",
        "nodes",
        "datagrams_per_member_s",
        "bytes_per_member_s",
        "exchange_bytes_per_member_s",
        "first_s",
        "full_s",
        "crash_bytes_per_member_s",
        "memory_bytes",
        "memory_bytes_per_node",
        "memory_bytes_per_entry",
        "warm_real_s",
        "minute_real_s",
        "events_per_real_s",
    ];
    let rows = rows("scale --nodes 10", &keys);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["variant"], "swimmer");
    assert!(number(&rows[0]["events_per_real_s"]) > 0.0);
}

#[test]
fn crashes_are_found_under_each_condition() {
    let keys = [
        "condition",
        "variant",
        "nodes",
        "runs",
        "crashes",
        "first_p50",
        "first_p99",
        "first_max",
        "full_p50",
        "full_p90",
        "full_p99",
        "full_max",
        "healthy_p50",
        "healthy_p99",
        "healthy_max",
        "unknown",
        "false_deaths",
        "false_deaths_own",
        "false_deaths_healthy",
        "false_deaths_stalled",
        "false_dead",
        "false_dead_healthy",
        "suspicions",
        "refuted",
        "datagrams_per_member_s",
        "bytes_per_member_s",
        "exchange_bytes_per_member_s",
        "datagrams_most_per_s",
        "datagrams_peak",
        "pings_peak",
        "agreed_p50",
        "agreed_max",
    ];
    let arguments = "conditions --nodes 12 --time 60 --crash-every 30 --variants lifeguard";
    let all = rows(arguments, &keys);
    assert!(all.len() > 40, "each condition of the catalogue");
    for row in &all {
        // Replacing and restarting members ends processes, too.
        assert!(number(&row["crashes"]) >= 2.0, "{row}");
        assert!(number(&row["full_max"]) >= number(&row["first_p50"]), "{row}");
        assert!(number(&row["datagrams_peak"]) >= number(&row["pings_peak"]), "{row}");
        let healthy = number(&row["false_deaths_healthy"]) + number(&row["false_deaths_stalled"]);
        assert!(healthy <= number(&row["false_deaths"]), "{row}");
    }
    let of = |condition: &str| all.iter().find(|row| row["condition"] == condition).unwrap();
    let datagrams = |condition: &str| number(&of(condition)["datagrams_per_member_s"]);
    assert!(datagrams("loss:20") > 1.5 * datagrams("clean"));
    assert_eq!(number(&of("clean")["false_deaths"]), 0.0);
}

#[test]
fn deaths_of_members_that_pause_are_told_from_those_of_healthy_ones() {
    let found = Files::new().run(
        "conditions --nodes 12 --time 60 --crash-every 60 --scenes flap-die:2:30 \
         --variants lifeguard",
    );
    let rows: Vec<Value> = serde_json::from_str(&found.json).unwrap();
    let of = |key: &str| number(&rows[0][key]);
    assert!(of("false_deaths_stalled") > 0.0, "they pause for 25 s");
    assert_eq!((of("false_deaths_healthy"), of("false_dead_healthy")), (0.0, 0.0));
    assert_eq!(of("false_deaths"), of("false_deaths_stalled"));
    assert!(of("false_dead") <= 4.0);
}

#[test]
fn healthy_members_know_of_a_crash_before_those_that_no_datagram_reaches() {
    let found = Files::new().run(
        "conditions --nodes 12 --time 60 --crash-every 20 --scenes udp-in-dead:40 \
         --variants swimmer",
    );
    let rows: Vec<Value> = serde_json::from_str(&found.json).unwrap();
    assert!(number(&rows[0]["full_p50"]) > number(&rows[0]["healthy_p50"]));
}

#[test]
fn conditions_are_listed_and_what_nodes_count_is_shown() {
    let files = Files::new();
    let list = files.run("conditions --list").table;
    for name in ["loss:20", "starved:50", "far:0.6:10", "wall-half:100", "churn:10"] {
        assert!(list.contains(name), "{name}");
    }
    let scene = "conditions --nodes 5 --time 20 --variants swimmer --scenes far:0.4:40";
    let found = files.run(&format!("{scene} --kinds"));
    let rows: Vec<Value> = serde_json::from_str(&found.json).unwrap();
    assert_eq!((rows.len(), &rows[0]["condition"]), (1, &Value::from("far:0.4:40")));
    assert!(number(&rows[0]["kinds_per_member_s"]["ping"]) > 0.5);
    assert!(number(&rows[0]["counters_per_member_s"]["probes"]) > 0.5);
    assert!(found.table.contains("ping-req") && found.table.contains("probes_indirect"));
}

#[test]
fn any_experiment_runs_under_a_condition() {
    let files = Files::new();
    let lossy = files.run("detect --nodes 8 --runs 4 --variants swimmer --loss 20");
    let under = files.run("detect --nodes 8 --runs 4 --variants swimmer --under loss:20");
    let clean = files.run("detect --nodes 8 --runs 4 --variants swimmer");
    assert_eq!(lossy, under);
    assert_ne!(lossy, clean);
    for experiment in [
        "interval --nodes 16 --blocked 4 --durations 512 --intervals 64 --runs 1",
        "pause --nodes 8 --runs 1 --lengths 1",
        "churn --nodes 6 --runs 1 --minutes 0",
        "partition --nodes 6 --crash-nodes 4 --durations 1 --runs 1",
    ] {
        let arguments = format!("{experiment} --variants swimmer");
        let [under, clean] =
            ["--under rtt:0.3", ""].map(|under| files.run(&format!("{arguments} {under}")));
        assert_ne!(under.json, clean.json, "{experiment}");
    }
}

#[test]
fn a_canary_says_what_it_has_measured_and_whether_the_claim_is_true() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swim-sim"));
    let output = command.args(["canary", "detect-two"]).output().unwrap();
    let (table, errors) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&errors));
    assert!(table.contains("detect --nodes 2 ") && table.contains("kept"), "{table}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_swim-sim"));
    let list = command.args(["canary", "--list"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    assert!(list.contains("detect-two") && list.contains("interval"), "{list}");
}

#[test]
fn the_same_seed_gives_the_same_results_on_any_number_of_threads() {
    for experiment in [
        "detect --nodes 6 --runs 4",
        "churn --nodes 6 --runs 2 --minutes 2",
        "conditions --nodes 6 --time 30 --scenes loss:30,starved:50 --runs 2 --variants swimmer",
    ] {
        let files = Files::new();
        let once = files.run(&format!("{experiment} --seed 7 --threads 1"));
        let again = files.run(&format!("{experiment} --seed 7 --threads 2"));
        assert_eq!(once, again);
        let other = files.run(&format!("{experiment} --seed 8"));
        assert_ne!(once.json, other.json, "the seed matters");
    }
}

#[test]
fn whoever_does_not_read_to_the_end_gets_the_files_all_the_same() {
    let files = Files::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_swim-sim"));
    command.args(["detect", "--nodes", "6", "--runs", "1", "--json"]).arg(files.path("out.json"));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    assert!(files.path("out.json").exists());
}

#[test]
fn what_cannot_be_run_is_said() {
    for arguments in [
        "interval --nodes 4",
        "detect --variants raft",
        "detect --variants swim --ablations",
        "loss --losses 101",
        "detect --under fog",
        "detect --loss 20 --under loss:20",
        "detect --loss 120",
        "conditions --scenes loss:1000",
        "conditions --scenes clean --under loss:20",
        "interval --time 0",
        "canary no-such-canary",
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_swim-sim"));
        let output = command.args(arguments.split_whitespace()).output().unwrap();
        assert!(!output.status.success() && !output.stderr.is_empty(), "{arguments}");
    }
}
