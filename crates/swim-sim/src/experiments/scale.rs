//! What large clusters cost: traffic, memory, and time to simulate. Sizes are run one after the
//! other, so that each has the machine for itself; only here do results depend on it.

use std::time::{Duration, Instant};

use serde::Serialize;
use swim_sim::{Cluster, Seen};

use super::lab::{Lab, Rate, round, seed_of};
use super::plot::{Figure, Panel, Scale};
use super::progress::{Progress, Work};
use super::runs::run_all;
use super::table::{Table, count, seconds};
use super::variant::Variant;
use super::{Common, Report};

const AT_REST: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(120);
const ENTRY_BYTES: u64 = 60;
const NODE_BYTES: u64 = 90 * 1_024;

/// Options of `scale`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Sizes of the cluster. Memory grows with their square: 10,000 take some 8 GiB.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 3_000, 10_000], value_name = "N")]
    nodes: Vec<u32>,
    /// Leaves the crash out, so that only the time at rest is measured.
    #[arg(long)]
    at_rest: bool,
    /// Lets no tables be compared, to see what that costs.
    #[arg(long)]
    no_sync: bool,
}

#[derive(Serialize)]
struct Row {
    variant: Variant,
    nodes: u32,
    datagrams_per_member_s: f64,
    bytes_per_member_s: f64,
    exchange_bytes_per_member_s: f64,
    first_s: Option<f64>,
    full_s: Option<f64>,
    /// From the crash until all know it.
    crash_bytes_per_member_s: Option<f64>,
    memory_bytes: Option<u64>,
    memory_bytes_per_node: Option<u64>,
    /// Over all tables: what one member costs in the table of another.
    memory_bytes_per_entry: Option<f64>,
    warm_real_s: f64,
    /// Real time for a simulated minute at rest.
    minute_real_s: f64,
    events_per_real_s: f64,
}

struct Job {
    variant: Variant,
    nodes: u32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Report> {
    let common = &args.common;
    anyhow::ensure!(args.nodes.iter().all(|&nodes| nodes >= 2), "a cluster has at least 2 members");
    check_memory(&args.nodes, available_bytes())?;
    let variants = common.variants_or(&[Variant::Swimmer]);
    let sizes = args.nodes.iter().flat_map(|&nodes| variants.iter().map(move |&v| (v, nodes)));
    let jobs: Vec<Job> = sizes.map(|(variant, nodes)| Job { variant, nodes }).collect();
    let expected = |job: &Job| Work::of(job.nodes, AT_REST * 4 / 3);
    let rows = run_all("scale", &jobs, 1, expected, |job, progress| measure(job, args, progress));
    Ok(report(args, rows))
}

fn measure(job: &Job, args: &Args, progress: &Progress) -> Row {
    let mut config = args.common.config(job.variant);
    if args.no_sync {
        let builder = args.common.builder(job.variant).sync_interval(config.tombstone_age());
        config = builder.build().expect("this is the longest possible interval");
    }
    let memory_before = resident_bytes();
    let began = Instant::now();
    let mut lab =
        Lab::warm(config, job.nodes, args.common.under(), seed_of(args.common.seed, 0), progress);
    let warm = began.elapsed();
    let began = Instant::now();
    let steps = lab.cluster.steps();
    lab.pass(AT_REST);
    let minute = began.elapsed();
    let events = (lab.cluster.steps() - steps) as f64;
    let rate = Rate::of(lab.cluster.traffic(), job.nodes, AT_REST);
    let memory =
        resident_bytes().zip(memory_before).map(|(after, before)| after.saturating_sub(before));
    let crash = if args.at_rest { None } else { Some(crash(&mut lab, job.nodes)) };
    let entries = f64::from(job.nodes) * f64::from(job.nodes);
    Row {
        variant: job.variant,
        nodes: job.nodes,
        datagrams_per_member_s: round(rate.datagrams),
        bytes_per_member_s: round(rate.bytes),
        exchange_bytes_per_member_s: round(rate.exchange_bytes),
        first_s: crash.as_ref().and_then(|crash| crash.first),
        full_s: crash.as_ref().and_then(|crash| crash.full),
        crash_bytes_per_member_s: crash.map(|crash| round(crash.rate.bytes)),
        memory_bytes: memory,
        memory_bytes_per_node: memory.map(|memory| memory / u64::from(job.nodes)),
        memory_bytes_per_entry: memory.map(|memory| round(memory as f64 / entries)),
        warm_real_s: round(warm.as_secs_f64()),
        minute_real_s: round(minute.as_secs_f64()),
        events_per_real_s: (events / minute.as_secs_f64()).round(),
    }
}

struct Crash {
    first: Option<f64>,
    full: Option<f64>,
    rate: Rate,
}

fn crash(lab: &mut Lab<'_>, nodes: u32) -> Crash {
    lab.pass_a_random_moment();
    let victim = lab.choose(1)[0];
    let id = lab.cluster.id(victim);
    lab.cluster.take_observations();
    lab.cluster.reset_traffic();
    let at = lab.cluster.now();
    lab.cluster.crash(victim);
    let mut known = Vec::new();
    let mut look = |cluster: &mut Cluster| {
        let seen = cluster.take_observations().into_iter();
        let down =
            seen.filter(|seen| matches!(seen.change, Seen::Down { .. }) && seen.subject == id);
        known.extend(down.map(|seen| seen.at - at));
        known.len() as u32 == nodes - 1
    };
    let all = lab.pass_until_seen(Duration::from_millis(500), LIMIT, &mut look);
    let took = lab.cluster.now() - at;
    let of = |time: Option<&Duration>| time.map(|time| round(time.as_secs_f64()));
    Crash {
        first: of(known.first()),
        full: of(known.last().filter(|_| all.is_some())),
        rate: Rate::of(lab.cluster.traffic(), nodes, took),
    }
}

/// What a cluster of so many takes, by the measurements of docs/EXPERIMENTS.md: 60 bytes for each member
/// in each table and 90 KiB a node besides; and a tenth to spare.
fn estimated_bytes(nodes: u32) -> u64 {
    let nodes = u64::from(nodes);
    (nodes * nodes * ENTRY_BYTES + nodes * NODE_BYTES) / 10 * 11
}

/// Refuses what would be killed for want of memory after minutes. One size after the other is run, so
/// that the largest decides.
fn check_memory(nodes: &[u32], available: Option<u64>) -> anyhow::Result<()> {
    let largest = nodes.iter().copied().max().unwrap_or(0);
    let estimated = estimated_bytes(largest);
    if let Some(available) = available {
        anyhow::ensure!(
            estimated <= available,
            "{} members take about {} MiB of memory, which grows with their square; {} MiB are \
             available. Choose fewer by --nodes",
            count(u64::from(largest)),
            count(estimated >> 20),
            count(available >> 20),
        );
    }
    Ok(())
}

/// The memory that a program can still get; `None` where the system does not tell.
fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

/// The memory of this process that is really there; `None` where the system does not tell.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

fn report(args: &Args, rows: Vec<Row>) -> Report {
    let mut cost = Table::new(
        "Traffic at rest for a minute and after one crash, by member and second (bytes: IP bytes of \
         datagrams; exchanges apart); seconds until the first knew of the crash, and until all did.",
        [
            "variant",
            "nodes",
            "datagrams",
            "bytes",
            "exchange bytes",
            "first",
            "all",
            "bytes after the crash",
        ],
    );
    let mut engine = Table::new(
        "The simulator on this machine, one thread: memory in all, by node, and by member in a \
         table; seconds to warm start; seconds for a simulated minute at rest; events a second.",
        ["variant", "nodes", "MiB", "KiB by node", "bytes by entry", "warm", "minute", "events/s"],
    );
    let dash = || "–".to_owned();
    for row in &rows {
        cost.push([
            row.variant.to_string(),
            count(u64::from(row.nodes)),
            format!("{:.2}", row.datagrams_per_member_s),
            format!("{:.1}", row.bytes_per_member_s),
            format!("{:.0}", row.exchange_bytes_per_member_s),
            seconds(row.first_s),
            seconds(row.full_s),
            row.crash_bytes_per_member_s.map_or_else(dash, |bytes| format!("{bytes:.1}")),
        ]);
        engine.push([
            row.variant.to_string(),
            count(u64::from(row.nodes)),
            row.memory_bytes.map_or_else(dash, |bytes| count(bytes >> 20)),
            row.memory_bytes_per_node.map_or_else(dash, |bytes| count(bytes >> 10)),
            row.memory_bytes_per_entry.map_or_else(dash, |bytes| format!("{bytes:.1}")),
            format!("{:.1}", row.warm_real_s),
            format!("{:.1}", row.minute_real_s),
            count(row.events_per_real_s as u64),
        ]);
    }
    let figure = figure(args, &rows);
    Report::new(vec![cost, engine], &rows, figure)
}

fn figure(args: &Args, rows: &[Row]) -> Figure {
    let panel = |title: &str, y: (&str, Scale), value: fn(&Row) -> Option<f64>| {
        let mut panel = Panel::lines(title, ("members", Scale::Log), y);
        for variant in args.common.variants_or(&[Variant::Swimmer]) {
            let of = rows.iter().filter(|row| row.variant == variant);
            panel.line(variant, of.map(|row| (f64::from(row.nodes), value(row))));
        }
        panel
    };
    let mut traffic = panel("At rest", ("IP bytes by member and s", Scale::Linear), |row| {
        Some(row.bytes_per_member_s)
    });
    for variant in args.common.variants_or(&[Variant::Swimmer]) {
        let of = rows.iter().filter(|row| row.variant == variant);
        let with = of.map(|row| {
            (f64::from(row.nodes), Some(row.bytes_per_member_s + row.exchange_bytes_per_member_s))
        });
        traffic.dashed(format!("{variant}, exchanges too"), with);
    }
    Figure::new(
        "Large clusters",
        vec![
            traffic,
            panel("Memory by node", ("KiB", Scale::Log), |row| {
                row.memory_bytes_per_node.map(|bytes| bytes as f64 / 1_024.0)
            }),
            panel("Real time for a simulated minute at rest", ("seconds", Scale::Log), |row| {
                Some(row.minute_real_s)
            }),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_memory_is_refused_with_the_estimate() {
        let mib = |mib: u64| Some(mib << 20);
        assert!(check_memory(&[1_000, 100], mib(1_024)).is_ok());
        assert!(check_memory(&[10_000], None).is_ok(), "the system does not tell");
        let refused = check_memory(&[1_000, 10_000], mib(1_024)).unwrap_err().to_string();
        let estimated = count(estimated_bytes(10_000) >> 20);
        assert!(
            refused.contains(&format!("10,000 members take about {estimated} MiB")),
            "{refused}"
        );
        assert!(refused.contains("1,024 MiB are available"), "{refused}");
    }
}
