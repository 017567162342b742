//! The tables, rows and plot of all conditions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Serialize, Serializer};
use swim_sim::Environment;

use super::watch::Found;
use super::{Args, Job};
use crate::experiments::Report;
use crate::experiments::lab::{quantile, round, sort};
use crate::experiments::plot::{Figure, Panel, Scale};
use crate::experiments::table::{Table, count, seconds};
use crate::experiments::variant::Variant;

const TITLE: &str = "Members crash under a condition. Seconds until the first member holds the crashed \
                     one dead, until all do, and until all healthy ones do (all, if the condition \
                     leaves none healthy); crashes that some member did not know of at the end; \
                     deaths of running members, one for each observer: all, by the observer's own \
                     suspicion, of healthy members, of members that the condition pauses, blocks or \
                     slows; running members that some member held dead, and the healthy ones among \
                     them; suspicions, and refutations; datagrams and IP bytes per member and \
                     second, and the bytes of exchanges; datagrams per second of the member that \
                     sent most; the most datagrams, and pings, that reached one member within a \
                     second; seconds from the end of the condition until all agree.";

const HEAD: [&str; 32] = [
    "condition",
    "variant",
    "crashes",
    "first 50 %",
    "99 %",
    "at most",
    "all 50 %",
    "90 %",
    "99 %",
    "at most",
    "healthy 50 %",
    "99 %",
    "at most",
    "unknown",
    "deaths",
    "own",
    "of healthy",
    "of stalled",
    "dead members",
    "healthy ones",
    "suspicions",
    "refuted",
    "datagrams",
    "bytes",
    "exchange bytes",
    "sent most",
    "peak",
    "peak of pings",
    "agreed 50 %",
    "at most",
    "nodes",
    "runs",
];

#[derive(Serialize)]
struct Row {
    #[serde(serialize_with = "as_text")]
    condition: Environment,
    variant: Variant,
    nodes: u32,
    runs: u32,
    crashes: usize,
    first_p50: Option<f64>,
    first_p99: Option<f64>,
    first_max: Option<f64>,
    full_p50: Option<f64>,
    full_p90: Option<f64>,
    full_p99: Option<f64>,
    full_max: Option<f64>,
    /// Until all healthy members know; if the condition leaves none healthy, until all know.
    healthy_p50: Option<f64>,
    healthy_p99: Option<f64>,
    healthy_max: Option<f64>,
    /// Crashes that some member did not know of at the end.
    unknown: u64,
    /// Deaths of running members, one for each observer.
    false_deaths: u64,
    /// By the observer's own suspicion.
    false_deaths_own: u64,
    /// Of healthy members.
    false_deaths_healthy: u64,
    /// Of members that the condition pauses, blocks or slows.
    false_deaths_stalled: u64,
    /// Running members that some member held dead, and the healthy ones among them.
    false_dead: u64,
    false_dead_healthy: u64,
    suspicions: u64,
    /// By nodes that ran throughout.
    refuted: u64,
    datagrams_per_member_s: f64,
    bytes_per_member_s: f64,
    exchange_bytes_per_member_s: f64,
    /// Of the member that sent most.
    datagrams_most_per_s: f64,
    /// The most that reached one member within any second.
    datagrams_peak: u64,
    pings_peak: u64,
    agreed_p50: Option<f64>,
    agreed_max: Option<f64>,
    /// Datagrams of each kind, per member and second.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    kinds_per_member_s: BTreeMap<&'static str, f64>,
    /// The counters of nodes that ran throughout, per member and second.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    counters_per_member_s: BTreeMap<&'static str, f64>,
}

fn as_text<S: Serializer>(value: &Environment, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// A list of all conditions.
pub(super) fn catalogue() -> Report {
    let head = ["condition, with defaults", "what it does, and what its parameters mean"];
    let mut table = Table::new("Conditions for `--scenes` and `--under`.", head).with_names(2);
    for condition in Environment::all() {
        let mut about = condition.about().to_owned();
        let parameters: Vec<&str> = condition.parameters().collect();
        if !parameters.is_empty() {
            about = format!("{about} ({})", parameters.join("; "));
        }
        table.push([condition.in_full(), about]);
    }
    Report::new(vec![table], &[] as &[Row], Figure::new("", Vec::new()))
}

pub(super) fn report(args: &Args, jobs: &[Job], found: &[Found]) -> Report {
    let runs = args.runs.max(1) as usize;
    let rows = jobs.chunks(runs).zip(found.chunks(runs));
    let rows: Vec<Row> = rows.map(|(jobs, found)| row(args, &jobs[0], found)).collect();
    let mut table = Table::new(TITLE, HEAD).with_names(2);
    rows.iter().for_each(|row| table.push(cells(row)));
    let mut tables = vec![table];
    if args.kinds {
        tables.push(detail("Datagrams of each kind, per member and second.", &rows, |row| {
            &row.kinds_per_member_s
        }));
        tables.push(detail(
            "The counters of nodes that ran throughout, per member and second.",
            &rows,
            |row| &row.counters_per_member_s,
        ));
    }
    let figure = figure(args, &rows);
    Report::new(tables, &rows, figure)
}

fn row(args: &Args, job: &Job, found: &[Found]) -> Row {
    let samples = || found.iter().flat_map(|found| &found.samples);
    let sorted = |mut times: Vec<Option<Duration>>| {
        sort(&mut times);
        times
    };
    let first = sorted(samples().map(|sample| sample.first).collect());
    let full = sorted(samples().filter_map(|sample| sample.all).collect());
    let others = sorted(samples().filter_map(|sample| sample.others).collect());
    let mut agreed: Vec<_> = found.iter().map(|found| found.agreed).collect();
    sort(&mut agreed);
    let sum = |of: fn(&Found) -> u64| found.iter().map(of).sum::<u64>();
    let most = |of: fn(&Found) -> u64| found.iter().map(of).max().unwrap_or(0);
    let member_seconds: f64 = found.iter().map(|found| found.member_seconds).sum();
    let rate = |of: fn(&Found) -> u64| round(sum(of) as f64 / member_seconds);
    let sent_most = found.iter().map(|found| found.meter.sent_most() as f64 / found.seconds);
    Row {
        condition: job.scene,
        variant: job.variant,
        nodes: args.nodes,
        runs: args.runs,
        crashes: full.len(),
        first_p50: quantile(&first, 500),
        first_p99: quantile(&first, 990),
        first_max: quantile(&first, 1_000),
        full_p50: quantile(&full, 500),
        full_p90: quantile(&full, 900),
        full_p99: quantile(&full, 990),
        full_max: quantile(&full, 1_000),
        healthy_p50: quantile(&others, 500),
        healthy_p99: quantile(&others, 990),
        healthy_max: quantile(&others, 1_000),
        unknown: sum(|found| found.unknown),
        false_deaths: sum(|found| found.deaths.all),
        false_deaths_own: sum(|found| found.deaths.own),
        false_deaths_healthy: sum(|found| found.deaths.healthy),
        false_deaths_stalled: sum(|found| found.deaths.stalled),
        false_dead: sum(|found| found.deaths.members),
        false_dead_healthy: sum(|found| found.deaths.healthy_members),
        suspicions: sum(|found| found.suspicions),
        refuted: sum(|found| found.refuted),
        datagrams_per_member_s: rate(|found| found.datagrams),
        bytes_per_member_s: rate(|found| found.bytes),
        exchange_bytes_per_member_s: rate(|found| found.exchange_bytes),
        datagrams_most_per_s: round(sent_most.fold(0.0, f64::max)),
        datagrams_peak: most(|found| found.meter.peak()),
        pings_peak: most(|found| found.meter.peak_of_pings()),
        agreed_p50: quantile(&agreed, 500),
        agreed_max: quantile(&agreed, 1_000),
        kinds_per_member_s: if args.kinds { kinds(found, member_seconds) } else { BTreeMap::new() },
        counters_per_member_s: if args.kinds { counters(found) } else { BTreeMap::new() },
    }
}

fn kinds(found: &[Found], member_seconds: f64) -> BTreeMap<&'static str, f64> {
    let mut sums: BTreeMap<&'static str, u64> = BTreeMap::new();
    for (name, count, _) in found.iter().flat_map(|found| found.meter.kinds()) {
        *sums.entry(name).or_default() += count;
    }
    sums.into_iter().map(|(name, count)| (name, round(count as f64 / member_seconds))).collect()
}

/// The mean of all runs.
fn counters(found: &[Found]) -> BTreeMap<&'static str, f64> {
    let mut sums: BTreeMap<&'static str, f64> = BTreeMap::new();
    for (&name, rate) in found.iter().flat_map(|found| &found.counters) {
        *sums.entry(name).or_default() += rate;
    }
    let runs = found.len().max(1) as f64;
    sums.into_iter().map(|(name, sum)| (name, (sum / runs * 1e5).round() / 1e5)).collect()
}

fn cells(row: &Row) -> [String; HEAD.len()] {
    [
        row.condition.to_string(),
        row.variant.to_string(),
        row.crashes.to_string(),
        seconds(row.first_p50),
        seconds(row.first_p99),
        seconds(row.first_max),
        seconds(row.full_p50),
        seconds(row.full_p90),
        seconds(row.full_p99),
        seconds(row.full_max),
        seconds(row.healthy_p50),
        seconds(row.healthy_p99),
        seconds(row.healthy_max),
        count(row.unknown),
        count(row.false_deaths),
        count(row.false_deaths_own),
        count(row.false_deaths_healthy),
        count(row.false_deaths_stalled),
        count(row.false_dead),
        count(row.false_dead_healthy),
        count(row.suspicions),
        count(row.refuted),
        format!("{:.2}", row.datagrams_per_member_s),
        format!("{:.0}", row.bytes_per_member_s),
        format!("{:.0}", row.exchange_bytes_per_member_s),
        format!("{:.1}", row.datagrams_most_per_s),
        count(row.datagrams_peak),
        count(row.pings_peak),
        seconds(row.agreed_p50),
        seconds(row.agreed_max),
        count(u64::from(row.nodes)),
        count(u64::from(row.runs)),
    ]
}

/// A line for each row and each name of a rate.
fn detail(title: &str, rows: &[Row], of: fn(&Row) -> &BTreeMap<&'static str, f64>) -> Table {
    let names: BTreeSet<&'static str> =
        rows.iter().flat_map(|row| of(row).keys().copied()).collect();
    let mut table = Table::new(title, ["condition", "variant", "what", "rate"]).with_names(3);
    for row in rows {
        for &name in &names {
            let rate = of(row).get(name).copied().unwrap_or(0.0);
            let cell = if rate >= 0.1 { format!("{rate:.2}") } else { format!("{rate:.5}") };
            table.push([row.condition.to_string(), row.variant.to_string(), name.into(), cell]);
        }
    }
    table
}

fn figure(args: &Args, rows: &[Row]) -> Figure {
    let scenes = args.scenes();
    let panel = |title: &str, y: (&str, Scale), value: fn(&Row) -> Option<f64>| {
        let mut panel = Panel::bars(title, scenes.iter().map(ToString::to_string), y);
        for variant in args.variants() {
            let find = |scene: &Environment| {
                let mut rows = rows.iter().filter(|row| row.variant == variant);
                rows.find(|row| row.condition == *scene).and_then(value)
            };
            panel.bar(variant, scenes.iter().map(find));
        }
        panel
    };
    Figure::new(
        "Crashes under conditions",
        vec![
            panel("Until all know, median", ("seconds", Scale::Linear), |row| row.full_p50),
            panel("Until all know, 99 %", ("seconds", Scale::Linear), |row| row.full_p99),
            panel("Datagrams", ("by member and s", Scale::Linear), |row| {
                Some(row.datagrams_per_member_s)
            }),
        ],
    )
}
