//! Lifeguard's Threshold experiment: some members are blocked once. For how long may they be, until
//! they are found; and how soon are they?

use std::time::Duration;

use serde::Serialize;
use swim_sim::{HostIx, Seen};
use swimmer::Instant;

use super::interval::Block;
use super::lab::{Lab, quantile, seed_of, sort};
use super::plot::{Figure, Panel, Scale};
use super::progress::{Progress, Work};
use super::runs::run_all;
use super::table::{Table, count, seconds};
use super::variant::Variant;
use super::{Common, Report};

/// Before the block.
const QUIET: Duration = Duration::from_secs(15);
/// After its end, for suspicions that still run.
const AFTER: Duration = Duration::from_secs(60);

/// Options of `threshold`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Members in all.
    #[arg(long, default_value_t = 128, value_name = "N")]
    nodes: u32,
    /// Runs for each number of blocked members, length and variant.
    #[arg(long, default_value_t = 10)]
    runs: u32,
    /// How many are blocked at once.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 16, 32], value_name = "N")]
    blocked: Vec<u32>,
    /// For how long, in milliseconds.
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = [128, 512, 2_048, 8_192, 16_384, 32_768],
        value_name = "MS"
    )]
    durations: Vec<u64>,
    /// What stands still in a blocked member.
    #[arg(long, value_enum, default_value_t = Block::Messages)]
    block: Block,
}

#[derive(Serialize)]
struct Row {
    variant: Variant,
    nodes: u32,
    runs: u32,
    blocked: u32,
    duration_ms: u64,
    /// The share of the blocked that some healthy member held dead, and that all did.
    detected: f64,
    detected_by_all: f64,
    first_p50: Option<f64>,
    first_p99: Option<f64>,
    full_p50: Option<f64>,
    full_p99: Option<f64>,
    fp: u64,
    fp_healthy: u64,
}

struct Job {
    variant: Variant,
    blocked: u32,
    duration_ms: u64,
    run: u32,
}

#[derive(Default)]
struct Found {
    /// For each blocked member, from the beginning of the block.
    first: Vec<Option<Duration>>,
    full: Vec<Option<Duration>>,
    fp: u64,
    fp_healthy: u64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Report> {
    let common = &args.common;
    anyhow::ensure!(
        args.blocked.iter().all(|&blocked| blocked < args.nodes),
        "somebody must be open"
    );
    let mut jobs = Vec::new();
    for &blocked in &args.blocked {
        for &duration_ms in &args.durations {
            for variant in common.variants() {
                jobs.extend((0..args.runs).map(|run| Job { variant, blocked, duration_ms, run }));
            }
        }
    }
    let expected =
        |job: &Job| Work::of(args.nodes, QUIET + Duration::from_millis(job.duration_ms) + AFTER);
    let found = run_all("threshold", &jobs, common.threads(), expected, |job, progress| {
        measure(job, args, progress)
    });
    Ok(report(args, &jobs, found))
}

fn measure(job: &Job, args: &Args, progress: &Progress) -> Found {
    let common = &args.common;
    let config = common.config(job.variant);
    let mut lab =
        Lab::warm(config, args.nodes, common.under(), seed_of(common.seed, job.run), progress);
    let blocked = lab.choose(job.blocked);
    lab.pass(QUIET);
    lab.pass_a_random_moment();
    lab.cluster.take_observations();
    let began = lab.cluster.now();
    blocked.iter().for_each(|&ix| args.block.begin(&mut lab.cluster, ix));
    lab.pass(Duration::from_millis(job.duration_ms));
    blocked.iter().for_each(|&ix| lab.cluster.resume(ix));
    lab.pass(AFTER);
    evaluate(&mut lab, &blocked, began)
}

fn evaluate(lab: &mut Lab<'_>, blocked: &[HostIx], began: Instant) -> Found {
    let healthy = lab.cluster.len() - blocked.len() as u32;
    let ids: Vec<_> = blocked.iter().map(|&ix| lab.cluster.id(ix)).collect();
    // When each healthy member held each blocked one dead for the first time.
    let mut known = vec![Vec::<(HostIx, Instant)>::new(); blocked.len()];
    let mut found = Found::default();
    for seen in lab.cluster.take_observations() {
        let Seen::Down { .. } = seen.change else { continue };
        let at_healthy = !blocked.contains(&seen.observer);
        match ids.iter().position(|&id| id == seen.subject) {
            Some(at) if at_healthy => {
                if known[at].iter().all(|&(observer, _)| observer != seen.observer) {
                    known[at].push((seen.observer, seen.at));
                }
            }
            Some(_) => {}
            None => {
                found.fp += 1;
                found.fp_healthy += u64::from(at_healthy);
            }
        }
    }
    for known in known {
        let first = known.first().map(|&(_, at)| at - began);
        let full = known.last().filter(|_| known.len() as u32 == healthy);
        found.first.push(first);
        found.full.push(full.map(|&(_, at)| at - began));
    }
    found
}

fn report(args: &Args, jobs: &[Job], found: Vec<Found>) -> Report {
    let title = format!(
        "C of {} members are blocked once for D: the share of them that some healthy member holds \
         dead, and that all do; seconds from the beginning of the block of those that were; and \
         healthy members held dead.",
        args.nodes
    );
    let head = [
        "variant",
        "C",
        "D, ms",
        "detected",
        "by all",
        "first 50 %",
        "99 %",
        "full 50 %",
        "99 %",
        "FP",
        "at healthy",
    ];
    let mut table = Table::new(title, head);
    let mut rows = Vec::new();
    let mut found = found.into_iter();
    for cell in jobs.chunks(args.runs as usize) {
        let Some(job) = cell.first() else { continue };
        let mut sum = Found::default();
        for found in found.by_ref().take(cell.len()) {
            sum.first.extend(found.first);
            sum.full.extend(found.full);
            sum.fp += found.fp;
            sum.fp_healthy += found.fp_healthy;
        }
        let row = row(job, args, sum);
        table.push([
            row.variant.to_string(),
            row.blocked.to_string(),
            count(row.duration_ms),
            format!("{:.1} %", row.detected * 100.0),
            format!("{:.1} %", row.detected_by_all * 100.0),
            seconds(row.first_p50),
            seconds(row.first_p99),
            seconds(row.full_p50),
            seconds(row.full_p99),
            count(row.fp),
            count(row.fp_healthy),
        ]);
        rows.push(row);
    }
    let figure = figure(args, &rows);
    Report::new(vec![table], &rows, figure)
}

fn row(job: &Job, args: &Args, sum: Found) -> Row {
    let all = sum.first.len().max(1) as f64;
    // Times are of those that were found.
    let times = |values: Vec<Option<Duration>>| {
        let mut values: Vec<_> = values.into_iter().filter(Option::is_some).collect();
        sort(&mut values);
        values
    };
    let (first, full) = (times(sum.first), times(sum.full));
    Row {
        variant: job.variant,
        nodes: args.nodes,
        runs: args.runs,
        blocked: job.blocked,
        duration_ms: job.duration_ms,
        detected: super::lab::round(first.len() as f64 / all),
        detected_by_all: super::lab::round(full.len() as f64 / all),
        first_p50: quantile(&first, 500),
        first_p99: quantile(&first, 990),
        full_p50: quantile(&full, 500),
        full_p99: quantile(&full, 990),
        fp: sum.fp,
        fp_healthy: sum.fp_healthy,
    }
}

fn figure(args: &Args, rows: &[Row]) -> Figure {
    let panels = args.blocked.iter().map(|&blocked| {
        let mut panel = Panel::lines(
            format!("{blocked} of {} blocked at once", args.nodes),
            ("D, ms blocked", Scale::Log),
            ("held dead by any, %", Scale::Linear),
        );
        for variant in args.common.variants() {
            let of = rows.iter().filter(|row| row.variant == variant && row.blocked == blocked);
            let points = of.map(|row| (row.duration_ms as f64, Some(row.detected * 100.0)));
            panel.line(variant, points);
        }
        panel
    });
    Figure::new(
        "Lifeguard's Threshold experiment: how long a block must be to be found",
        panels.collect(),
    )
}
