//! Lifeguard's Interval experiment: some members are blocked, in lock-step, again and again with
//! short gaps, and take the healthy for dead.

mod grid;
mod promise;
mod report;
mod sums;
mod tally;

use std::time::Duration;

use clap::ValueEnum;
use swim_sim::{Cluster, HostIx};

use super::lab::{Lab, seed_of};
use super::progress::{Progress, Work};
use super::runs::run_all;
use super::variant::Variant;
use super::{Common, Report};
use grid::{Cell, Grid};
use report::report;
use tally::Tally;

/// Before the first block.
const QUIET: Duration = Duration::from_secs(15);
/// How long blocks are repeated in Lifeguard's experiment, in seconds.
const BLOCKING: u64 = 105;

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
    /// How long C members are blocked for D and open for I by turns, from 15 s on, in seconds; each
    /// time in runs of its own.
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = [BLOCKING],
        value_name = "S",
        value_parser = clap::value_parser!(u64).range(1..=86_400)
    )]
    time: Vec<u64>,
    /// Which cells, each a C, a D and an I.
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

impl Args {
    /// Whether all cells of a grid are run: what is promised of sums holds for these.
    fn whole_grid(&self) -> bool {
        self.blocked.is_empty() && self.durations.is_empty() && self.intervals.is_empty()
    }

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

struct Job {
    /// How long blocks are repeated, in seconds.
    time: u64,
    variant: Variant,
    cell: Cell,
    run: u32,
}

impl Job {
    /// When the run ends, counted from its beginning.
    fn end(&self) -> Duration {
        QUIET + Duration::from_secs(self.time)
    }
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
    for &time in &args.time {
        for variant in common.variants() {
            for &cell in &cells {
                jobs.extend((0..args.runs).map(|run| Job { time, variant, cell, run }));
            }
        }
    }
    let found = run_all(
        "interval",
        &jobs,
        common.threads(),
        |job| Work::of(args.nodes, job.end()),
        |job, progress| measure(job, args, progress),
    );
    Ok(report(args, &jobs, &found))
}

fn measure(job: &Job, args: &Args, progress: &Progress) -> Tally {
    let common = &args.common;
    let config = common.config(job.variant);
    let mut lab =
        Lab::warm(config, args.nodes, common.under(), seed_of(common.seed, job.run), progress);
    let blocked = lab.choose(job.cell.blocked);
    lab.pass(QUIET);
    let end = swimmer::Instant::ZERO + job.end();
    while lab.cluster.now() < end {
        blocked.iter().for_each(|&ix| args.block.begin(&mut lab.cluster, ix));
        let until = lab.cluster.now() + Duration::from_millis(job.cell.duration_ms);
        lab.pass_until(until.min(end));
        blocked.iter().for_each(|&ix| lab.cluster.resume(ix));
        let until = lab.cluster.now() + Duration::from_millis(job.cell.interval_ms);
        lab.pass_until(until.min(end));
    }
    Tally::of(&mut lab, &blocked)
}
