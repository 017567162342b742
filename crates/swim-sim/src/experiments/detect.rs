//! One of n crashes: how soon the first member knows, and how soon all do.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use swim_sim::{Environment, HostIx, Seen};
use swimmer::Instant;

use super::lab::{Lab, Rate, quantile, round, seed_of, sort};
use super::plot::{Figure, Panel, Scale};
use super::progress::{Progress, Work};
use super::runs::run_all;
use super::table::{Table, seconds};
use super::variant::Variant;
use super::{Common, Report};

/// At rest before the first crash, for what traffic costs then.
const QUIET: Duration = Duration::from_secs(10);
/// What is not known to all after so long counts as never.
const LIMIT: Duration = Duration::from_secs(120);
/// Between two crashes of one run.
const APART: Duration = Duration::from_secs(20);
/// Clusters this large are too dear to be started for one crash, and to compare whole tables in,
/// of which no detection depends.
const LARGE: u32 = 5_000;
const CRASHES_OF_LARGE: u32 = 30;

/// Options of `detect`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Sizes of the cluster.
    #[arg(long, value_delimiter = ',', default_values_t = [32, 128, 1_000], value_name = "N")]
    nodes: Vec<u32>,
    /// Runs for each size and variant. In clusters of 5,000 or more each run has 30 unrelated
    /// crashes, 20 s apart, and tables are not compared; in others each run has one crash.
    #[arg(long, default_value_t = 100)]
    runs: u32,
    /// The percentage of packets that are lost; the same as `--under loss:N`.
    #[arg(long, value_name = "%", conflicts_with = "under")]
    loss: Option<Loss>,
}

/// Uniform loss.
#[derive(Clone, Copy)]
struct Loss(Environment);

impl FromStr for Loss {
    type Err = <Environment as FromStr>::Err;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        format!("loss:{text}").parse().map(Self)
    }
}

impl Args {
    fn under(&self) -> Environment {
        self.loss.map_or_else(|| self.common.under(), |Loss(environment)| environment)
    }
}

#[derive(Serialize)]
struct Row {
    variant: Variant,
    nodes: u32,
    runs: u32,
    first_p50: Option<f64>,
    first_p99: Option<f64>,
    first_max: Option<f64>,
    full_p50: Option<f64>,
    full_p99: Option<f64>,
    full_max: Option<f64>,
    datagrams_per_member_s: f64,
    bytes_per_member_s: f64,
}

struct Job {
    variant: Variant,
    nodes: u32,
    run: u32,
}

/// When a crash was known, counted from it; `None`: not within the limit.
#[derive(Clone, Copy)]
struct Sample {
    first: Option<Duration>,
    full: Option<Duration>,
}

impl Sample {
    /// From the first that knew to the last.
    fn between(&self) -> Option<Duration> {
        Some(self.full? - self.first?)
    }
}

struct Found {
    samples: Vec<Sample>,
    before: Rate,
    after: Rate,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Report> {
    let common = &args.common;
    let sizes =
        args.nodes.iter().flat_map(|&nodes| common.variants().into_iter().map(move |v| (v, nodes)));
    let jobs: Vec<Job> = sizes
        .flat_map(|(variant, nodes)| (0..args.runs).map(move |run| Job { variant, nodes, run }))
        .collect();
    let expected = |job: &Job| Work::of(job.nodes, QUIET + APART * crashes(job.nodes));
    let found = run_all("detect", &jobs, common.threads(), expected, |job, progress| {
        measure(job, args, progress)
    });
    Ok(report(args, &found))
}

fn crashes(nodes: u32) -> u32 {
    if nodes >= LARGE { CRASHES_OF_LARGE } else { 1 }
}

/// A victim, and who has seen that it is gone.
struct Crash {
    victim: HostIx,
    at: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    /// Survivors of the whole run that hold it dead.
    known: BTreeSet<HostIx>,
}

fn measure(job: &Job, args: &Args, progress: &Progress) -> Found {
    let common = &args.common;
    let mut config = common.config(job.variant);
    if job.nodes >= LARGE {
        // To digest tables of this size for those who are dead would take most of the time.
        let longest = config.tombstone_age();
        let builder = common.builder(job.variant).sync_interval(longest).healing_interval(longest);
        config = builder.build().expect("these are the longest possible intervals");
    }
    let seed = seed_of(common.seed, job.run);
    let mut lab = Lab::warm(config, job.nodes, args.under(), seed, progress);
    let victims = lab.choose(crashes(job.nodes).min(job.nodes - 1));
    let survivors: BTreeSet<HostIx> =
        lab.cluster.hosts().filter(|ix| !victims.contains(ix)).collect();
    lab.pass(Duration::from_secs(1));
    lab.cluster.reset_traffic();
    lab.pass(QUIET);
    let before = Rate::of(lab.cluster.traffic(), job.nodes, QUIET);

    lab.pass_a_random_moment();
    lab.cluster.reset_traffic();
    lab.cluster.take_observations();
    let began = lab.cluster.now();
    let mut crashes: Vec<Crash> = Vec::new();
    for &victim in &victims {
        let at = lab.cluster.now();
        // Under bad conditions some members already hold it dead.
        let knows =
            |&ix: &HostIx| !lab.cluster.sees(ix, victim).is_some_and(swimmer::State::is_present);
        let known = survivors.iter().copied().filter(knows).collect();
        lab.cluster.crash(victim);
        crashes.push(Crash { victim, at, first: None, last: None, known });
        if crashes.len() < victims.len() {
            lab.pass(APART);
            watch(&mut lab, &survivors, &mut crashes);
        }
    }
    let every = Duration::from_millis(500);
    for _ in 0..LIMIT.as_millis() / every.as_millis() {
        lab.pass(every);
        watch(&mut lab, &survivors, &mut crashes);
        if crashes.iter().all(|crash| crash.known == survivors) {
            break;
        }
    }
    let after = Rate::of(lab.cluster.traffic(), job.nodes, lab.cluster.now() - began);
    let sample = |crash: &Crash| Sample {
        first: crash.first.map(|at| at - crash.at),
        full: crash.last.filter(|_| crash.known == survivors).map(|at| at - crash.at),
    };
    Found { samples: crashes.iter().map(sample).collect(), before, after }
}

fn watch(lab: &mut Lab<'_>, survivors: &BTreeSet<HostIx>, crashes: &mut [Crash]) {
    for seen in lab.cluster.take_observations() {
        let Seen::Down { .. } = seen.change else { continue };
        let of = |crash: &&mut Crash| lab.cluster.id(crash.victim) == seen.subject;
        let Some(crash) = crashes.iter_mut().find(of) else { continue };
        crash.first.get_or_insert(seen.at);
        if survivors.contains(&seen.observer) && crash.known.insert(seen.observer) {
            crash.last = Some(seen.at);
        }
    }
}

fn report(args: &Args, found: &[Found]) -> Report {
    let mut table = Table::new(
        "A member crashes: seconds until the first holds it dead, until all do, and from the one to \
         the other. Datagrams and IP bytes by member and second: at rest, and from the crash until \
         all know.",
        [
            "variant",
            "nodes",
            "samples",
            "first 50 %",
            "99 %",
            "99.9 %",
            "full 50 %",
            "99 %",
            "99.9 %",
            "between 50 %",
            "datagrams",
            "bytes",
            "after: datagrams",
            "bytes",
        ],
    );
    let mut rows: Vec<Row> = Vec::new();
    let sizes = args
        .nodes
        .iter()
        .flat_map(|&nodes| args.common.variants().into_iter().map(move |v| (v, nodes)));
    for ((variant, nodes), found) in sizes.zip(found.chunks(args.runs as usize)) {
        let samples: Vec<Sample> = found.iter().flat_map(|found| found.samples.clone()).collect();
        let mut first: Vec<_> = samples.iter().map(|sample| sample.first).collect();
        let mut full: Vec<_> = samples.iter().map(|sample| sample.full).collect();
        let mut between: Vec<_> = samples.iter().map(Sample::between).collect();
        sort(&mut first);
        sort(&mut full);
        sort(&mut between);
        let rates = |of: fn(&Found) -> Rate| Rate::mean(&found.iter().map(of).collect::<Vec<_>>());
        let (before, after) = (rates(|found| found.before), rates(|found| found.after));
        table.push([
            variant.to_string(),
            nodes.to_string(),
            samples.len().to_string(),
            seconds(quantile(&first, 500)),
            seconds(quantile(&first, 990)),
            seconds(quantile(&first, 999)),
            seconds(quantile(&full, 500)),
            seconds(quantile(&full, 990)),
            seconds(quantile(&full, 999)),
            seconds(quantile(&between, 500)),
            format!("{:.2}", before.datagrams),
            format!("{:.1}", before.bytes),
            format!("{:.2}", after.datagrams),
            format!("{:.1}", after.bytes),
        ]);
        rows.push(Row {
            variant,
            nodes,
            runs: args.runs,
            first_p50: quantile(&first, 500),
            first_p99: quantile(&first, 990),
            first_max: quantile(&first, 1_000),
            full_p50: quantile(&full, 500),
            full_p99: quantile(&full, 990),
            full_max: quantile(&full, 1_000),
            datagrams_per_member_s: round(before.datagrams),
            bytes_per_member_s: round(before.bytes),
        });
    }
    let figure = figure(&args.common, &rows);
    Report::new(vec![table], &rows, figure)
}

fn figure(common: &Common, rows: &[Row]) -> Figure {
    let panel = |title: &str, half: fn(&Row) -> Option<f64>, most: fn(&Row) -> Option<f64>| {
        let mut panel = Panel::lines(title, ("members", Scale::Log), ("seconds", Scale::Linear));
        for variant in common.variants() {
            let of = || rows.iter().filter(move |row| row.variant == variant);
            let nodes = |row: &Row| f64::from(row.nodes);
            panel.line(format!("{variant} 50 %"), of().map(|row| (nodes(row), half(row))));
            panel.dashed(format!("{variant} 99 %"), of().map(|row| (nodes(row), most(row))));
        }
        panel
    };
    Figure::new(
        "From a crash until it is known",
        vec![
            panel("to the first", |row| row.first_p50, |row| row.first_p99),
            panel("to all", |row| row.full_p50, |row| row.full_p99),
        ],
    )
}
