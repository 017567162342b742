//! Lifeguard's Interval experiment: some members are blocked, in lock-step, again and again with
//! short gaps, and take the healthy for dead.

use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use swim_sim::{Cluster, HostIx, Seen};

use super::lab::{Lab, seed_of};
use super::plot::{Figure, Panel, Scale};
use super::progress::{Progress, Work};
use super::runs::run_all;
use super::table::{Table, count};
use super::variant::Variant;
use super::{Common, Report};

/// Before the first block.
const QUIET: Duration = Duration::from_secs(15);
/// When a run ends.
const END: Duration = Duration::from_secs(120);

/// Which cells of Lifeguard's grid are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Grid {
    /// C = 1, 4, 8 … 32; D = 128 … 32,768 ms; I = 1 … 16,384 ms.
    Full,
    /// C = 8, 20, 32; D = 2,048, 32,768 ms; I = 64, 4,096 ms.
    Short,
}

/// Options of `interval`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Members in all.
    #[arg(long, default_value_t = 128, value_name = "N")]
    nodes: u32,
    /// Runs for each cell of the grid and variant.
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// Which cells: C members are blocked for D, then open for I, from 15 s until 120 s.
    #[arg(long, value_enum, default_value_t = Grid::Short)]
    grid: Grid,
    /// Other numbers C of blocked members than the grid's.
    #[arg(long, value_delimiter = ',', value_name = "C")]
    blocked: Vec<u32>,
    /// Other lengths D of a block than the grid's, in milliseconds.
    #[arg(long, value_delimiter = ',', value_name = "D")]
    durations: Vec<u64>,
    /// Other gaps I between two blocks than the grid's, in milliseconds.
    #[arg(long, value_delimiter = ',', value_name = "I")]
    intervals: Vec<u64>,
    /// What stands still in a blocked member.
    #[arg(long, value_enum, default_value_t = Block::Messages)]
    block: Block,
}

/// What stands still in a blocked member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Block {
    /// Each sender and each receiver, with its first message, as in Lifeguard's experiments:
    /// suspicions run out, but the prober waits with its ping.
    Stuck,
    /// Only messages: the prober goes on as if it were well, and all its probes fail.
    Messages,
}

impl Block {
    pub(crate) fn begin(self, cluster: &mut Cluster, ix: HostIx) {
        match self {
            Self::Stuck => cluster.stick(ix),
            Self::Messages => cluster.block(ix),
        }
    }
}

/// One cell of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    blocked: u32,
    duration_ms: u64,
    interval_ms: u64,
}

impl Grid {
    /// All C, D and I.
    fn axes(self) -> (&'static [u32], &'static [u64], &'static [u64]) {
        match self {
            Self::Full => (
                &[1, 4, 8, 12, 16, 20, 24, 28, 32],
                &[128, 512, 2_048, 8_192, 16_384, 32_768],
                &[1, 4, 16, 64, 256, 1_024, 4_096, 16_384],
            ),
            Self::Short => (&[8, 20, 32], &[2_048, 32_768], &[64, 4_096]),
        }
    }
}

impl Args {
    fn cells(&self) -> Vec<Cell> {
        fn or<'a, T>(own: &'a [T], grid: &'a [T]) -> &'a [T] {
            if own.is_empty() { grid } else { own }
        }
        let (blocked, durations, intervals) = self.grid.axes();
        let mut cells = Vec::new();
        for &blocked in or(&self.blocked, blocked) {
            for &duration_ms in or(&self.durations, durations) {
                let of = |&interval_ms| Cell { blocked, duration_ms, interval_ms };
                cells.extend(or(&self.intervals, intervals).iter().map(of));
            }
        }
        cells
    }
}

#[derive(Serialize)]
struct Row {
    variant: Variant,
    runs: u32,
    #[serde(flatten)]
    tally: Tally,
}

/// False positives: changes to dead of a member that was never blocked, one for each observer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Tally {
    fp: u64,
    /// At observers that were never blocked either.
    fp_healthy: u64,
    /// By a suspicion of the observer's own that ran out, not by hearsay.
    raised_fp: u64,
    raised_fp_healthy: u64,
    datagrams: u64,
    bytes: u64,
}

impl Tally {
    fn add(self, other: Self) -> Self {
        Self {
            fp: self.fp + other.fp,
            fp_healthy: self.fp_healthy + other.fp_healthy,
            raised_fp: self.raised_fp + other.raised_fp,
            raised_fp_healthy: self.raised_fp_healthy + other.raised_fp_healthy,
            datagrams: self.datagrams + other.datagrams,
            bytes: self.bytes + other.bytes,
        }
    }
}

struct Job {
    variant: Variant,
    cell: Cell,
    run: u32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Report> {
    let common = &args.common;
    let cells = args.cells();
    for cell in &cells {
        anyhow::ensure!(
            cell.blocked < args.nodes,
            "{} of {} cannot be blocked",
            cell.blocked,
            args.nodes
        );
    }
    let mut jobs = Vec::new();
    for variant in common.variants() {
        for &cell in &cells {
            jobs.extend((0..args.runs).map(|run| Job { variant, cell, run }));
        }
    }
    let found = run_all(
        "interval",
        &jobs,
        common.threads(),
        |_| Work::of(args.nodes, END),
        |job, progress| measure(job, args, progress),
    );
    Ok(report(args, &jobs, &found))
}

fn measure(job: &Job, args: &Args, progress: &Progress) -> Tally {
    let common = &args.common;
    let config = job.variant.config(common.profile);
    let mut lab = Lab::warm(config, args.nodes, seed_of(common.seed, job.run), progress);
    let blocked = lab.choose(job.cell.blocked);
    lab.pass(QUIET);
    let end = swimmer::Instant::ZERO + END;
    while lab.cluster.now() < end {
        blocked.iter().for_each(|&ix| args.block.begin(&mut lab.cluster, ix));
        let until = lab.cluster.now() + Duration::from_millis(job.cell.duration_ms);
        lab.pass_until(until.min(end));
        blocked.iter().for_each(|&ix| lab.cluster.resume(ix));
        let until = lab.cluster.now() + Duration::from_millis(job.cell.interval_ms);
        lab.pass_until(until.min(end));
    }
    tally(&mut lab, &blocked)
}

fn tally(lab: &mut Lab<'_>, blocked: &[HostIx]) -> Tally {
    let traffic = lab.cluster.traffic();
    let (datagrams, bytes) = (traffic.datagrams, traffic.datagram_bytes);
    let mut tally = Tally { datagrams, bytes, ..Tally::default() };
    let ids: Vec<_> = blocked.iter().map(|&ix| lab.cluster.id(ix)).collect();
    for seen in lab.cluster.take_observations() {
        let Seen::Down { own } = seen.change else { continue };
        if ids.contains(&seen.subject) {
            continue;
        }
        let healthy = u64::from(!blocked.contains(&seen.observer));
        let raised = u64::from(own);
        tally.fp += 1;
        tally.fp_healthy += healthy;
        tally.raised_fp += raised;
        tally.raised_fp_healthy += raised * healthy;
    }
    tally
}

fn report(args: &Args, jobs: &[Job], found: &[Tally]) -> Report {
    let sum = |keep: &dyn Fn(&Job) -> bool| {
        let kept = jobs.iter().zip(found).filter(|(job, _)| keep(job));
        kept.fold(Tally::default(), |sum, (_, &tally)| sum.add(tally))
    };
    let variants = args.common.variants();
    let cells = args.cells();
    let mut total = Table::new(
        format!(
            "Healthy members of {} held dead while others are blocked, in {} cells with {} runs each. \
             FP: one for each observer; raised: by its own suspicion; at healthy: at observers that \
             were never blocked.",
            args.nodes,
            cells.len(),
            args.runs
        ),
        ["variant", "FP", "at healthy", "raised", "at healthy", "datagrams", "bytes"],
    );
    let mut rows = Vec::new();
    for &variant in &variants {
        let tally = sum(&|job| job.variant == variant);
        total.push([
            variant.to_string(),
            count(tally.fp),
            count(tally.fp_healthy),
            count(tally.raised_fp),
            count(tally.raised_fp_healthy),
            count(tally.datagrams),
            count(tally.bytes),
        ]);
        rows.push(Row { variant, runs: args.runs, tally });
    }
    let mut tables = vec![total];
    let mut panels = Vec::new();
    let part = |name: &str, of: &dyn Fn(&Cell) -> u64| {
        let mut values: Vec<u64> = cells.iter().map(of).collect();
        values.sort_unstable();
        values.dedup();
        let mut table = Table::new(
            format!("The same by {name}"),
            [name, "variant", "FP", "at healthy", "datagrams"],
        );
        let mut panel = Panel::lines(
            format!("False positives by {name}"),
            (name, Scale::Log),
            ("false positives", Scale::Log),
        );
        for &variant in &variants {
            let at = |value| sum(&|job: &Job| job.variant == variant && of(&job.cell) == value);
            let points = values.iter().map(|&value| (value as f64, at(value)));
            let all = points.clone().map(|(x, tally)| (x, Some(tally.fp as f64)));
            panel.line(variant, all);
            let healthy = points.map(|(x, tally)| (x, Some(tally.fp_healthy as f64)));
            panel.dashed(format!("{variant} at healthy"), healthy);
        }
        for &value in &values {
            for &variant in &variants {
                let tally = sum(&|job| job.variant == variant && of(&job.cell) == value);
                table.push([
                    count(value),
                    variant.to_string(),
                    count(tally.fp),
                    count(tally.fp_healthy),
                    count(tally.datagrams),
                ]);
            }
        }
        (table, panel)
    };
    for (name, of) in [
        ("C, members blocked", &(|cell: &Cell| u64::from(cell.blocked)) as &dyn Fn(&Cell) -> u64),
        ("D, ms blocked", &|cell: &Cell| cell.duration_ms),
        ("I, ms open", &|cell: &Cell| cell.interval_ms),
    ] {
        let (table, panel) = part(name, of);
        tables.push(table);
        panels.push(panel);
    }
    let title = format!("Lifeguard's Interval experiment, {} members", args.nodes);
    Report::new(tables, &rows, Figure::new(title, panels))
}
