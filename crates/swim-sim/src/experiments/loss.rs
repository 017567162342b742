//! The network loses packets: everywhere alike, or in one direction for a few members, as in
//! Rapid's experiments (Suresh et al., "Stable and Consistent Membership at Scale with Rapid", 2018).

mod watch;

use std::time::Duration;

use serde::{Serialize, Serializer};
use swim_sim::Conditions;

use super::lab::{Lab, Rate, mean, quantile, round, seed_of, sort};
use super::plot::{Figure, Panel, Scale};
use super::progress::{Progress, Work};
use super::runs::run_all;
use super::table::{Table, count, seconds};
use super::variant::Variant;
use super::{Common, Report};
use watch::{Found, Watch};

const QUIET: Duration = Duration::from_secs(10);
/// How long a member of the flip-flop hears nobody, then all again.
const FLIP: Duration = Duration::from_secs(20);

/// Options of `loss`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Members, where all lose alike.
    #[arg(long, default_value_t = 128, value_name = "N")]
    nodes: u32,
    /// Members, where a few lose in one direction: one of 100 is faulty. 0 leaves this out.
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    rapid_nodes: u32,
    /// Runs for each case and variant.
    #[arg(long, default_value_t = 1)]
    runs: u32,
    /// How many of 100 packets are lost where all lose alike.
    #[arg(long, value_delimiter = ',', default_values_t = [0, 5, 10, 20, 30, 40], value_name = "%")]
    losses: Vec<u32>,
    /// How long the network is bad, in seconds, where all lose alike.
    #[arg(long, default_value_t = 600, value_name = "S")]
    time: u64,
    /// How long it is bad where a few lose in one direction.
    #[arg(long, default_value_t = 300, value_name = "S")]
    rapid_time: u64,
}

/// Who loses what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// So many of 100 of all packets, with or without the reliable plane.
    All { percent: u32, reliable: bool },
    /// 80 % of what a few send.
    OutOfFew,
    /// 80 % of what is sent to a few.
    IntoFew,
    /// All that is sent to a few, every other 20 s.
    FlipFlop,
}

impl Case {
    fn name(self) -> String {
        match self {
            Self::All { percent, reliable: true } => format!("{percent} %"),
            Self::All { percent, reliable: false } => format!("{percent} %, no TCP"),
            Self::OutOfFew => "80 % out of 1 %".to_owned(),
            Self::IntoFew => "80 % into 1 %".to_owned(),
            Self::FlipFlop => "flip-flop into 1 %".to_owned(),
        }
    }

    fn is_of_all(self) -> bool {
        matches!(self, Self::All { .. })
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
    time_s: u64,
    /// Changes to dead of members without fault, one for each observer.
    false_deaths: u64,
    /// Those of them at an observer that was faulty itself.
    false_deaths_at_faulty: u64,
    /// How many members without fault anybody held dead.
    false_dead: u64,
    /// Their changes to suspect, and to alive again.
    suspicions: u64,
    returns: u64,
    refutations: u64,
    faulty: u64,
    /// The faulty that all without fault held dead at the same time once, and at the end.
    faulty_removed: u64,
    faulty_dead_at_end: u64,
    /// Until all without fault held a faulty one dead.
    removed_p50: Option<f64>,
    /// Changes of the faulty to alive again, one for each observer.
    faulty_returns: u64,
    datagrams_per_member_s: f64,
    bytes_per_member_s: f64,
}

struct Job {
    variant: Variant,
    case: Case,
    run: u32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Report> {
    let common = &args.common;
    anyhow::ensure!(args.losses.iter().all(|&percent| percent <= 100), "at most 100 % are lost");
    let of_all = |reliable| args.losses.iter().map(move |&percent| Case::All { percent, reliable });
    let few = args.cases_of_few();
    let mut jobs = Vec::new();
    for case in of_all(true).chain(of_all(false)).chain(few.iter().copied()) {
        for variant in common.variants() {
            jobs.extend((0..args.runs).map(|run| Job { variant, case, run }));
        }
    }
    let expected = |job: &Job| {
        let work = Work::of(args.nodes_of(job.case), QUIET + args.time_of(job.case));
        match job.case {
            // Most of it is rumour from 20 % on.
            Case::All { percent, .. } => work.at(100 + 2 * percent * percent),
            _ => work.at(400),
        }
    };
    let found = run_all("loss", &jobs, common.threads(), expected, |job, progress| {
        measure(job, args, progress)
    });
    Ok(report(args, &jobs, found))
}

impl Args {
    fn cases_of_few(&self) -> &'static [Case] {
        match self.rapid_nodes {
            0 => &[],
            _ => &[Case::OutOfFew, Case::IntoFew, Case::FlipFlop],
        }
    }

    fn time_of(&self, case: Case) -> Duration {
        Duration::from_secs(if case.is_of_all() { self.time } else { self.rapid_time })
    }

    fn nodes_of(&self, case: Case) -> u32 {
        if case.is_of_all() { self.nodes } else { self.rapid_nodes }
    }
}

fn measure(job: &Job, args: &Args, progress: &Progress) -> Found {
    let common = &args.common;
    let config = common.config(job.variant);
    let nodes = args.nodes_of(job.case);
    let mut lab = Lab::warm(config, nodes, common.under(), seed_of(common.seed, job.run), progress);
    let faulty = match job.case.is_of_all() {
        true => Vec::new(),
        false => lab.choose((nodes / 100).max(1)),
    };
    let mut watch = Watch::new(&lab, &faulty);
    lab.pass(QUIET);
    lab.cluster.reset_traffic();
    lab.cluster.take_observations();
    let (began, end) = (lab.cluster.now(), lab.cluster.now() + args.time_of(job.case));
    let bad = |per_mille| Conditions::LAN.with_loss(per_mille);
    match job.case {
        Case::All { percent, reliable } => {
            lab.cluster.links.default = bad(percent * 10);
            lab.cluster.links.exchanges = reliable;
        }
        Case::OutOfFew => {
            faulty.iter().for_each(|ix| lab.cluster.links.set_out_of(ix.0, bad(800)));
        }
        Case::IntoFew => faulty.iter().for_each(|ix| lab.cluster.links.set_into(ix.0, bad(800))),
        Case::FlipFlop => {}
    }
    let mut flipped = false;
    while lab.cluster.now() < end {
        if job.case == Case::FlipFlop {
            flipped = !flipped;
            let loss = if flipped { 1_000 } else { 0 };
            faulty.iter().for_each(|ix| lab.cluster.links.set_into(ix.0, bad(loss)));
        }
        let until = (lab.cluster.now() + FLIP).min(end);
        while lab.cluster.now() < until {
            lab.pass(Duration::from_secs(1).min(until - lab.cluster.now()));
            watch.look(&mut lab, began);
        }
    }
    let rate = Rate::of(lab.cluster.traffic(), nodes, args.time_of(job.case));
    let refutations = lab.sum(|stats| stats.membership.refutations);
    Found { rate, refutations, ..watch.finish() }
}

fn report(args: &Args, jobs: &[Job], found: Vec<Found>) -> Report {
    let mut of_all = Table::new(
        format!(
            "So many of 100 packets are lost between {} members for {} s: changes to dead (one for \
             each observer), members that anybody held dead, changes to suspect and back to alive, \
             refutations; datagrams and IP bytes by member and second.",
            args.nodes, args.time
        ),
        [
            "variant",
            "loss",
            "deaths",
            "members",
            "suspicions",
            "returns",
            "refutations",
            "datagrams",
            "bytes",
        ],
    );
    let mut of_few = Table::new(
        format!(
            "One of 100 members is faulty in one direction, {} members, {} s: the same of the others, \
             and how many of these deaths a faulty one saw; how many of the faulty all others held dead once and at the end, and after how many \
             seconds (median); how often they came back, one for each observer.",
            args.rapid_nodes, args.rapid_time
        ),
        [
            "variant",
            "fault",
            "deaths",
            "at faulty",
            "members",
            "suspicions",
            "removed",
            "at the end",
            "after s",
            "came back",
            "datagrams",
            "bytes",
        ],
    );
    let mut rows = Vec::new();
    let mut found = found.into_iter();
    for cell in jobs.chunks(args.runs as usize) {
        let Some(job) = cell.first() else { continue };
        let found: Vec<Found> = found.by_ref().take(cell.len()).collect();
        let row = row(job, args, &found);
        if job.case.is_of_all() {
            of_all.push([
                row.variant.to_string(),
                row.case.name(),
                count(row.false_deaths),
                count(row.false_dead),
                count(row.suspicions),
                count(row.returns),
                count(row.refutations),
                format!("{:.2}", row.datagrams_per_member_s),
                format!("{:.0}", row.bytes_per_member_s),
            ]);
        } else {
            of_few.push([
                row.variant.to_string(),
                row.case.name(),
                count(row.false_deaths),
                count(row.false_deaths_at_faulty),
                count(row.false_dead),
                count(row.suspicions),
                format!("{} of {}", row.faulty_removed, row.faulty),
                count(row.faulty_dead_at_end),
                seconds(row.removed_p50),
                count(row.faulty_returns),
                format!("{:.2}", row.datagrams_per_member_s),
                format!("{:.0}", row.bytes_per_member_s),
            ]);
        }
        rows.push(row);
    }
    let figure = figure(args, &rows);
    let mut tables = vec![of_all];
    if !args.cases_of_few().is_empty() {
        tables.push(of_few);
    }
    Report::new(tables, &rows, figure)
}

fn row(job: &Job, args: &Args, found: &[Found]) -> Row {
    let sum = |of: fn(&Found) -> u64| found.iter().map(of).sum();
    let mut removed: Vec<_> = found.iter().flat_map(|found| found.removed.clone()).collect();
    let faulty = removed.len() as u64;
    removed.retain(Option::is_some);
    sort(&mut removed);
    Row {
        variant: job.variant,
        case: job.case,
        nodes: args.nodes_of(job.case),
        runs: args.runs,
        time_s: args.time_of(job.case).as_secs(),
        false_deaths: sum(|found| found.false_deaths),
        false_deaths_at_faulty: sum(|found| found.false_deaths_at_faulty),
        false_dead: sum(|found| found.false_dead.len() as u64),
        suspicions: sum(|found| found.suspicions),
        returns: sum(|found| found.returns),
        refutations: sum(|found| found.refutations),
        faulty,
        faulty_removed: removed.len() as u64,
        faulty_dead_at_end: sum(|found| found.dead_at_end),
        removed_p50: quantile(&removed, 500),
        faulty_returns: sum(|found| found.faulty_returns),
        datagrams_per_member_s: round(mean(found.iter().map(|found| found.rate.datagrams))),
        bytes_per_member_s: round(mean(found.iter().map(|found| found.rate.bytes))),
    }
}

fn figure(args: &Args, rows: &[Row]) -> Figure {
    let of_all = |title: &str, reliable: bool| {
        let (x, y) = (("% lost", Scale::Linear), ("changes to dead", Scale::Log));
        let mut panel = Panel::lines(title, x, y);
        for variant in args.common.variants() {
            let points = args.losses.iter().map(|&percent| {
                let case = Case::All { percent, reliable };
                let row = rows.iter().find(|row| row.variant == variant && row.case == case);
                (f64::from(percent), row.map(|row| row.false_deaths as f64))
            });
            panel.line(variant, points);
        }
        panel
    };
    let cases = args.cases_of_few();
    let of_few = |title: String, y: &str, scale: Scale, value: fn(&Row) -> f64| {
        let mut panel = Panel::bars(title, cases.iter().map(|case| case.name()), (y, scale));
        for variant in args.common.variants() {
            let find = |&case: &Case| {
                rows.iter().find(|row| row.variant == variant && row.case == case).map(value)
            };
            panel.bar(variant, cases.iter().map(find));
        }
        panel
    };
    let share = |row: &Row| 100.0 * row.faulty_removed as f64 / row.faulty.max(1) as f64;
    let mut panels = vec![
        of_all("Deaths among members without fault, TCP as lossy as UDP", true),
        of_all("The same without TCP", false),
    ];
    if !cases.is_empty() {
        panels.extend([
            of_few(
                format!(
                    "One of 100 faulty, {} members: the faulty that all others removed",
                    args.rapid_nodes
                ),
                "removed once, %",
                Scale::Linear,
                share,
            ),
            of_few("Deaths among the others".to_owned(), "changes to dead", Scale::Log, |row| {
                row.false_deaths as f64
            }),
        ]);
    }
    Figure::new("Lost packets", panels)
}
