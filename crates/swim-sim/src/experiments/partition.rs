//! The network falls apart and heals; and many members crash at once.

use std::time::Duration;

use serde::{Serialize, Serializer};
use swim_sim::Seen;

use super::lab::{Lab, mean, quantile, round, seed_of, sort};
use super::plot::{Figure, Panel, Scale};
use super::progress::{Progress, Work};
use super::runs::run_all;
use super::table::{Table, count, seconds};
use super::variant::Variant;
use super::{Common, Report};

/// At rest, for what traffic costs then.
const QUIET: Duration = Duration::from_secs(60);
/// What is not one cluster again after so long, or not known to all, counts as never.
const LIMIT: Duration = Duration::from_secs(1_800);
const LIMIT_OF_CRASHES: Duration = Duration::from_secs(300);
/// Observed after all agree, for deaths that come late.
const AFTER: Duration = Duration::from_secs(60);

/// Options of `partition`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Members of the cluster that falls apart.
    #[arg(long, default_value_t = 128, value_name = "N")]
    nodes: u32,
    /// Sizes of the clusters in which many crash at once.
    #[arg(long, value_delimiter = ',', default_values_t = [4, 8, 128, 1_000], value_name = "N")]
    crash_nodes: Vec<u32>,
    /// Only the processes of those that crash end; their hosts refuse connections.
    #[arg(long)]
    hosts_up: bool,
    /// How long the network is in parts, in seconds.
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = [1, 10, 60, 600, 3_600],
        value_name = "S"
    )]
    durations: Vec<u64>,
    /// Runs for each case and variant.
    #[arg(long, default_value_t = 5)]
    runs: u32,
}

/// What happens to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// Sides of equal size.
    Split { sides: u32, seconds: u64 },
    /// One member, and all others.
    OneApart { seconds: u64 },
    /// So many quarters of so many members crash.
    Crash { quarters: u32, nodes: u32 },
}

impl Case {
    fn name(self) -> String {
        match self {
            Self::Split { sides: 2, .. } => "halves".to_owned(),
            Self::Split { .. } => "thirds".to_owned(),
            Self::OneApart { .. } => "one against all".to_owned(),
            Self::Crash { quarters, .. } => format!("{quarters}/4 crash"),
        }
    }

    fn seconds(self) -> Option<u64> {
        match self {
            Self::Split { seconds, .. } | Self::OneApart { seconds } => Some(seconds),
            Self::Crash { .. } => None,
        }
    }
}

impl Serialize for Case {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

#[derive(Serialize)]
struct Row {
    variant: Variant,
    case: Case,
    nodes: u32,
    runs: u32,
    /// How long the network was in parts.
    seconds: Option<u64>,
    /// Until it was one cluster again, or until all survivors knew of all crashes.
    done_p50: Option<f64>,
    done_max: Option<f64>,
    /// Changes to dead of members of the observer's own side (or of survivors), one for each
    /// observer: while the network was in parts, and from its healing on.
    own_deaths_before: u64,
    own_deaths_after: u64,
    /// IP bytes by member from the healing on that would not have been sent at rest.
    extra_bytes_per_member: f64,
}

#[derive(Clone, Copy)]
struct Job {
    variant: Variant,
    case: Case,
    run: u32,
}

#[derive(Default)]
struct Found {
    done: Option<Duration>,
    own_deaths_before: u64,
    own_deaths_after: u64,
    extra_bytes: f64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Report> {
    let common = &args.common;
    anyhow::ensure!(args.nodes >= 3, "three sides need three members");
    anyhow::ensure!(
        args.crash_nodes.iter().all(|&nodes| nodes >= 4),
        "a quarter of 4 at least crashes"
    );
    let mut cases = Vec::new();
    for &seconds in &args.durations {
        cases.extend([2, 3].map(|sides| Case::Split { sides, seconds }));
        cases.push(Case::OneApart { seconds });
    }
    for &nodes in &args.crash_nodes {
        cases.extend([1, 2, 3].map(|quarters| Case::Crash { quarters, nodes }));
    }
    let mut jobs = Vec::new();
    for case in cases {
        for variant in common.variants() {
            jobs.extend((0..args.runs).map(|run| Job { variant, case, run }));
        }
    }
    let expected = |job: &Job| match job.case {
        Case::Split { seconds, .. } | Case::OneApart { seconds } => {
            Work::of(args.nodes, QUIET + Duration::from_secs(seconds) + AFTER)
        }
        // Everybody has something to tell of many.
        Case::Crash { nodes, .. } => Work::of(nodes, QUIET * 3 / 2).at(400),
    };
    let found =
        run_all("partition", &jobs, common.threads(), expected, |job, progress| match job.case {
            Case::Crash { quarters, nodes } => crash(job, args, nodes, quarters, progress),
            _ => part(job, args, progress),
        });
    Ok(report(args, &jobs, &found))
}

fn part(job: &Job, args: &Args, progress: &Progress) -> Found {
    let common = &args.common;
    let config = common.config(job.variant);
    let mut lab =
        Lab::warm(config, args.nodes, common.under(), seed_of(common.seed, job.run), progress);
    lab.cluster.reset_traffic();
    lab.pass(QUIET);
    let at_rest = bytes(&lab) / QUIET.as_secs_f64();
    lab.pass_a_random_moment();
    let side = |ix: u32| match job.case {
        Case::Split { sides, .. } => ix % sides,
        _ => u32::from(ix == 0),
    };
    let sides: Vec<_> = lab.cluster.hosts().map(|ix| (lab.cluster.id(ix), side(ix.0))).collect();
    for ix in 0..args.nodes {
        lab.cluster.links.put_on_side(ix, side(ix));
    }
    lab.cluster.take_observations();
    let of_own_side = |lab: &mut Lab<'_>| {
        let own = |seen: &swim_sim::Observation| {
            let of = sides.iter().find(|(id, _)| *id == seen.subject).map(|(_, side)| *side);
            matches!(seen.change, Seen::Down { .. }) && of == Some(side(seen.observer.0))
        };
        lab.cluster.take_observations().iter().filter(|seen| own(seen)).count() as u64
    };
    lab.pass(Duration::from_secs(job.case.seconds().unwrap_or(0)));
    let own_deaths_before = of_own_side(&mut lab);
    lab.cluster.links.heal();
    lab.cluster.reset_traffic();
    let healed = lab.cluster.now();
    let done =
        lab.pass_until_seen(Duration::from_millis(500), LIMIT, |cluster| cluster.all_agree());
    lab.pass(AFTER);
    let took = lab.cluster.now() - healed;
    let extra_bytes = (bytes(&lab) - at_rest * took.as_secs_f64()) / f64::from(args.nodes);
    Found { done, own_deaths_before, own_deaths_after: of_own_side(&mut lab), extra_bytes }
}

/// All that was sent, exchanges too.
fn bytes(lab: &Lab<'_>) -> f64 {
    let traffic = lab.cluster.traffic();
    (traffic.datagram_bytes + traffic.exchange_bytes) as f64
}

fn crash(job: &Job, args: &Args, nodes: u32, quarters: u32, progress: &Progress) -> Found {
    let common = &args.common;
    let config = common.config(job.variant);
    let mut lab = Lab::warm(config, nodes, common.under(), seed_of(common.seed, job.run), progress);
    let victims = lab.choose(nodes * quarters / 4);
    let survivors = u64::from(nodes) - victims.len() as u64;
    lab.cluster.reset_traffic();
    lab.pass(QUIET);
    let at_rest = bytes(&lab) / QUIET.as_secs_f64() / f64::from(nodes);
    lab.pass_a_random_moment();
    lab.cluster.take_observations();
    lab.cluster.reset_traffic();
    for &ix in &victims {
        match args.hosts_up {
            true => lab.cluster.kill(ix),
            false => lab.cluster.crash(ix),
        }
    }
    let ids: Vec<_> = victims.iter().map(|&ix| lab.cluster.id(ix)).collect();
    let began = lab.cluster.now();
    let (mut known, mut last, mut false_deaths) = (0, began, 0);
    let all = survivors * ids.len() as u64;
    let every = Duration::from_millis(500);
    let done = lab.pass_until_seen(every, LIMIT_OF_CRASHES, |cluster| {
        for seen in cluster.take_observations() {
            let Seen::Down { .. } = seen.change else { continue };
            if ids.contains(&seen.subject) {
                (known, last) = (known + 1, seen.at);
            } else {
                false_deaths += 1;
            }
        }
        known == all
    });
    let took = lab.cluster.now() - began;
    let extra = bytes(&lab) / survivors as f64 - at_rest * took.as_secs_f64();
    Found {
        done: done.map(|_| last - began),
        own_deaths_before: 0,
        own_deaths_after: false_deaths,
        extra_bytes: extra,
    }
}

fn report(args: &Args, jobs: &[Job], found: &[Found]) -> Report {
    let mut parts = Table::new(
        format!(
            "The network between {} members falls apart and heals: seconds from the healing until all \
             agree; members held dead by others of their own side, before the healing and from it on; \
             IP bytes by member that the healing has cost until a minute after the agreement, \
             exchanges too.",
            args.nodes
        ),
        [
            "variant",
            "parts",
            "for s",
            "one again 50 %",
            "at most",
            "own before",
            "own after",
            "extra bytes",
        ],
    );
    let mut crashes = Table::new(
        "Many crash at once: seconds until all survivors hold all the crashed dead; survivors held \
         dead; IP bytes by survivor that it has cost.",
        ["variant", "crashed", "of", "known 50 %", "at most", "survivors", "extra bytes"],
    );
    let mut rows = Vec::new();
    for (jobs, found) in jobs.chunks(args.runs as usize).zip(found.chunks(args.runs as usize)) {
        let Some(job) = jobs.first() else { continue };
        let row = row(job, args, found);
        let name = row.case.name();
        let variant = row.variant.to_string();
        let bytes = format!("{:.0}", row.extra_bytes_per_member);
        let (done, most) = (seconds(row.done_p50), seconds(row.done_max));
        match row.seconds {
            Some(length) => parts.push([
                variant,
                name,
                count(length),
                done,
                most,
                count(row.own_deaths_before),
                count(row.own_deaths_after),
                bytes,
            ]),
            None => crashes.push([
                variant,
                name,
                count(u64::from(row.nodes)),
                done,
                most,
                count(row.own_deaths_after),
                bytes,
            ]),
        }
        rows.push(row);
    }
    let figure = figure(args, &rows);
    Report::new(vec![parts, crashes], &rows, figure)
}

fn row(job: &Job, args: &Args, found: &[Found]) -> Row {
    let mut done: Vec<_> = found.iter().map(|found| found.done).collect();
    sort(&mut done);
    let nodes = match job.case {
        Case::Crash { nodes, .. } => nodes,
        _ => args.nodes,
    };
    Row {
        variant: job.variant,
        case: job.case,
        nodes,
        runs: args.runs,
        seconds: job.case.seconds(),
        done_p50: quantile(&done, 500),
        done_max: quantile(&done, 1_000),
        own_deaths_before: found.iter().map(|found| found.own_deaths_before).sum(),
        own_deaths_after: found.iter().map(|found| found.own_deaths_after).sum(),
        extra_bytes_per_member: round(mean(found.iter().map(|found| found.extra_bytes))),
    }
}

fn figure(args: &Args, rows: &[Row]) -> Figure {
    let parts = |title: &str, y: &str, value: fn(&Row) -> Option<f64>| {
        let x = ("seconds in parts", Scale::Log);
        let mut panel = Panel::lines(title, x, (y, Scale::Linear));
        for variant in args.common.variants() {
            for case in ["halves", "one against all"] {
                let of =
                    rows.iter().filter(|row| row.variant == variant && row.case.name() == case);
                let points = of.map(|row| (row.seconds.unwrap_or(1) as f64, value(row)));
                match case {
                    "halves" => panel.line(variant, points),
                    _ => panel.dashed(format!("{variant}, one apart"), points),
                }
            }
        }
        panel
    };
    let sizes = || args.crash_nodes.iter().flat_map(|&nodes| [1, 2, 3].map(|q| (q, nodes)));
    let names = sizes().map(|(quarters, nodes)| format!("{quarters}/4 of {nodes}"));
    let mut crashes = Panel::bars(
        "Many crash at once: until all survivors know all",
        names,
        ("seconds, median", Scale::Linear),
    );
    for variant in args.common.variants() {
        let find = |(quarters, nodes)| {
            let case = Case::Crash { quarters, nodes };
            let mut rows = rows.iter().filter(|row| row.variant == variant);
            rows.find(|row| row.case == case).and_then(|row| row.done_p50)
        };
        crashes.bar(variant, sizes().map(find));
    }
    Figure::new(
        "Partitions and mass failure",
        vec![
            parts("From the healing until all agree", "seconds, median", |row| row.done_p50),
            parts("What the healing cost", "IP bytes by member", |row| {
                Some(row.extra_bytes_per_member.max(0.0))
            }),
            crashes,
        ],
    )
}
