//! Members crash, one after another, under a condition: how soon the others know, which running
//! members are held dead, and how much traffic that takes.

mod crash;
mod report;
mod watch;

use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;
use swim_sim::{Environment, HostIx};

use super::lab::{Lab, seed_of};
use super::progress::{Progress, Work};
use super::runs::run_all;
use super::variant::Variant;
use super::{Common, Report};
use watch::{Found, Watch};

/// Before the first crash.
const QUIET: Duration = Duration::from_secs(10);
/// The most time after the last crash until all know of all crashes.
const LINGER: Duration = Duration::from_secs(120);
/// The most time after the end of the condition until all agree; later counts as never.
const LIMIT: Duration = Duration::from_secs(120);
/// The time between two looks at the cluster.
const EVERY: Duration = Duration::from_millis(250);
/// Each crash is delayed by up to this, so that it falls into any phase of a period.
const LATER_MAX_MICROS: u64 = 1_000_000;

/// Options of `conditions`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The conditions, each a name with parameters, `loss:20` for example. [default: all, with the
    /// defaults of their parameters]
    #[arg(long, value_delimiter = ',', value_name = "NAME:N")]
    scenes: Vec<Environment>,
    /// The number of members.
    #[arg(long, default_value_t = 128, value_name = "N")]
    nodes: u32,
    /// Runs for each condition and variant.
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// The time in which members crash and all is counted, in seconds.
    #[arg(long, default_value_t = 400, value_name = "S")]
    time: u64,
    /// The time between two crashes, in seconds.
    #[arg(long, default_value_t = 25, value_name = "S")]
    crash_every: u64,
    /// Only list the conditions and their parameters.
    #[arg(long)]
    list: bool,
    /// Also list the datagrams by kind, and the counters of the nodes.
    #[arg(long)]
    kinds: bool,
}

struct Job {
    scene: Environment,
    variant: Variant,
    run: u32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Report> {
    if args.list {
        return Ok(report::catalogue());
    }
    anyhow::ensure!(args.nodes >= 2, "a cluster has at least 2 members");
    anyhow::ensure!(args.common.under.is_none(), "`conditions` takes `--scenes`, not `--under`");
    anyhow::ensure!(args.crash_every >= 1, "there is at least a second between two crashes");
    let common = &args.common;
    let mut jobs = Vec::new();
    for scene in args.scenes() {
        for variant in args.variants() {
            jobs.extend((0..args.runs).map(|run| Job { scene, variant, run }));
        }
    }
    let expected = |_: &Job| Work::of(args.nodes, QUIET + args.time());
    let found = run_all("conditions", &jobs, common.threads(), expected, |job, progress| {
        measure(job, args, progress)
    });
    Ok(report::report(args, &jobs, &found))
}

impl Args {
    fn scenes(&self) -> Vec<Environment> {
        if self.scenes.is_empty() { Environment::all().collect() } else { self.scenes.clone() }
    }

    fn variants(&self) -> Vec<Variant> {
        self.common.variants_or(&[Variant::Memberlist, Variant::Lifeguard, Variant::Swimmer])
    }

    fn time(&self) -> Duration {
        Duration::from_secs(self.time)
    }
}

fn measure(job: &Job, args: &Args, progress: &Progress) -> Found {
    let config = args.common.config(job.variant);
    let seed = seed_of(args.common.seed, job.run);
    let mut lab = Lab::warm(config, args.nodes, job.scene, seed, progress);
    lab.pass(QUIET);
    let mut watch = Watch::begin(&mut lab);
    let began = lab.cluster.now();
    let apart = Duration::from_secs(args.crash_every);
    let end = began + args.time();
    let mut next = began;
    while next < end {
        let later = Duration::from_micros(lab.rng.random_range(0..LATER_MAX_MICROS));
        watch.pass_until(&mut lab, (next + later).min(end));
        if let Some(victim) = choose_victim(&mut lab) {
            lab.cluster.crash(victim);
            watch.look(&mut lab);
        }
        next = next + apart;
        watch.pass_until(&mut lab, next.min(end));
    }
    watch.stop_counting(&mut lab);
    let waited_until = lab.cluster.now() + LINGER;
    while lab.cluster.now() < waited_until && !watch.all_know() {
        let end = lab.cluster.now() + EVERY;
        watch.pass_until(&mut lab, end);
    }
    watch.note_unknown(&lab);
    lab.cluster.enter(Environment::clean());
    let agreed = lab.pass_until_seen(EVERY, LIMIT, |cluster| {
        cluster.take_observations();
        cluster.all_agree()
    });
    watch.end(agreed)
}

/// A running member, if another one runs that can find it.
fn choose_victim(lab: &mut Lab<'_>) -> Option<HostIx> {
    let cluster = &lab.cluster;
    let members: Vec<HostIx> = cluster.hosts().filter(|&ix| cluster.is_member(ix)).collect();
    if members.len() < 2 {
        return None;
    }
    members.choose(&mut lab.rng).copied()
}
