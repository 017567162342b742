//! Members come and go: a tenth is replaced in an hour, all join at once through one seed, all or
//! half of them restart at once.

use std::time::Duration;

use rand::seq::SliceRandom;
use serde::{Serialize, Serializer};
use swim_sim::{Cluster, Data, HostIx, Place, Seen};

use super::lab::{Lab, Rate, quantile, round, seed_of, sort};
use super::plot::{Figure, Panel, Scale};
use super::progress::{Progress, Work};
use super::runs::run_all;
use super::table::{Table, count, seconds};
use super::variant::Variant;
use super::{Common, Report};

const QUIET: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3_600);
/// What is not agreed on after so long counts as never.
const LIMIT: Duration = Duration::from_secs(300);
/// How often it is looked at whether all agree.
const EVERY: Duration = Duration::from_millis(100);

/// Options of `churn`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Sizes of the cluster.
    #[arg(long, value_delimiter = ',', default_values_t = [128, 1_000], value_name = "N")]
    nodes: Vec<u32>,
    /// Runs for each case, size and variant; of the hour, which has many samples, one.
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Minutes of the hour in which a tenth of the members is replaced; 0 leaves it out.
    #[arg(long, default_value_t = 60, value_name = "MIN")]
    minutes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// One after the other crashes or leaves, and another comes in its place.
    Replace,
    /// All but the first join at once, through the first.
    Join,
    /// All crash and start again at once, and know three seeds.
    RestartAll,
    /// Every second one does.
    RestartHalf,
}

impl Case {
    const ALL: [Self; 4] = [Self::Replace, Self::Join, Self::RestartAll, Self::RestartHalf];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replaced one by one",
            Self::Join => "all join",
            Self::RestartAll => "all restart",
            Self::RestartHalf => "half restart",
        }
    }
}

impl Serialize for Case {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[derive(Serialize)]
struct Row {
    variant: Variant,
    case: Case,
    nodes: u32,
    runs: u32,
    /// Until all members see all members, and nobody else, from each change on.
    agreed_p50: Option<f64>,
    agreed_max: Option<f64>,
    datagrams_per_member_s: f64,
    bytes_per_member_s: f64,
    exchange_bytes_per_member_s: f64,
    /// The most news that waited at any one member.
    queue_max: u64,
    /// Changes to dead of members that ran.
    false_deaths: u64,
}

struct Job {
    variant: Variant,
    case: Case,
    nodes: u32,
    run: u32,
}

#[derive(Default)]
struct Found {
    agreed: Vec<Option<Duration>>,
    rate: Rate,
    queue_max: u64,
    false_deaths: u64,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Report> {
    let common = &args.common;
    anyhow::ensure!(args.nodes.iter().all(|&nodes| nodes >= 2), "a cluster has at least 2 members");
    let mut jobs = Vec::new();
    for case in Case::ALL {
        for &nodes in &args.nodes {
            for variant in common.variants() {
                jobs.extend((0..args.runs_of(case)).map(|run| Job { variant, case, nodes, run }));
            }
        }
    }
    let expected = |job: &Job| match job.case {
        Case::Replace => Work::of(job.nodes, QUIET + HOUR * args.minutes / 60),
        // Everybody has something to tell of everybody.
        Case::Join | Case::RestartAll | Case::RestartHalf => {
            Work::of(job.nodes, QUIET * 2).at(1_000)
        }
    };
    let found = run_all("churn", &jobs, common.threads(), expected, |job, progress| {
        measure(job, args, progress)
    });
    Ok(report(args, &jobs, found))
}

impl Args {
    fn runs_of(&self, case: Case) -> u32 {
        match case {
            Case::Replace => u32::from(self.minutes > 0),
            _ => self.runs,
        }
    }
}

fn measure(job: &Job, args: &Args, progress: &Progress) -> Found {
    let seed = seed_of(args.common.seed, job.run);
    let config = args.common.config(job.variant);
    let mut lab = match job.case {
        Case::Join => Lab::empty(config, seed, progress),
        _ => Lab::warm(config, job.nodes, args.common.under(), seed, progress),
    };
    if job.case == Case::Join {
        let first = lab.cluster.add();
        lab.cluster.start(first, &[]);
        lab.cluster.enter(args.common.under());
    }
    lab.pass(QUIET);
    lab.pass_a_random_moment();
    lab.cluster.reset_traffic();
    lab.cluster.take_observations();
    let began = lab.cluster.now();
    let mut found = Found::default();
    match job.case {
        Case::Replace => replace(&mut lab, job, args, &mut found),
        Case::Join => {
            for _ in 1..job.nodes {
                let ix = lab.cluster.add();
                lab.cluster.start(ix, &[HostIx(0)]);
            }
            found.await_agreement(&mut lab);
        }
        Case::RestartAll => restart(&mut lab, 1, &mut found),
        Case::RestartHalf => restart(&mut lab, 2, &mut found),
    }
    found.rate = Rate::of(lab.cluster.traffic(), job.nodes, lab.cluster.now() - began);
    found
}

/// A tenth of the members in an hour: by turns one crashes or leaves, and another one comes.
fn replace(lab: &mut Lab<'_>, job: &Job, args: &Args, found: &mut Found) {
    let whole = HOUR * args.minutes / 60;
    let end = lab.cluster.now() + whole;
    let count = (job.nodes / 10 * args.minutes / 60).max(1);
    for turn in 0..count {
        let members: Vec<HostIx> =
            lab.cluster.hosts().filter(|&ix| lab.cluster.is_member(ix)).collect();
        let (goes, seed) = (members[turn as usize % members.len()], members[members.len() - 1]);
        let next = lab.cluster.now() + whole / count;
        match turn % 2 {
            0 => lab.cluster.crash(goes),
            _ => lab.cluster.leave(goes),
        }
        let comes = lab.cluster.add();
        lab.cluster.start(comes, &[seed]);
        found.await_agreement(lab);
        while lab.cluster.now() < next.min(end) {
            lab.pass(EVERY.min(next.min(end) - lab.cluster.now()));
            found.look(&mut lab.cluster);
        }
    }
}

/// Every `nth` member crashes, and all of them start again within a second.
fn restart(lab: &mut Lab<'_>, nth: usize, found: &mut Found) {
    let mut hosts: Vec<HostIx> = lab.cluster.hosts().step_by(nth).collect();
    hosts.iter().for_each(|&ix| lab.cluster.crash(ix));
    let seeds: Vec<HostIx> = lab.cluster.hosts().take(3).collect();
    hosts.shuffle(&mut lab.rng);
    let apart = Duration::from_secs(1) / hosts.len() as u32;
    for ix in hosts {
        lab.cluster.restart(ix, Data::Kept, Place::Same, &seeds);
        lab.pass(apart);
    }
    found.await_agreement(lab);
}

impl Found {
    /// Lets time pass until all members see all members and nobody else.
    fn await_agreement(&mut self, lab: &mut Lab<'_>) {
        let agreed = lab.pass_until_seen(EVERY, LIMIT, |cluster| {
            self.look(cluster);
            all_see_all(cluster)
        });
        self.agreed.push(agreed);
    }

    fn look(&mut self, cluster: &mut Cluster) {
        let queued = cluster.hosts().filter_map(|ix| cluster.node(ix));
        let most = queued.map(|node| node.stats().updates_queued).max();
        self.queue_max = self.queue_max.max(most.unwrap_or(0));
        for seen in cluster.take_observations() {
            let Seen::Down { .. } = seen.change else { continue };
            let runs =
                cluster.hosts().any(|ix| cluster.is_member(ix) && cluster.id(ix) == seen.subject);
            self.false_deaths += u64::from(runs);
        }
    }
}

/// Whether each member holds as many present as there are, and they are those that there are.
fn all_see_all(cluster: &Cluster) -> bool {
    let members: Vec<HostIx> = cluster.hosts().filter(|&ix| cluster.is_member(ix)).collect();
    let as_many =
        |&ix: &HostIx| cluster.node(ix).is_some_and(|node| node.present() == members.len());
    // The number first: it is cheap, and mostly enough to see that they do not.
    members.iter().all(as_many)
        && members.iter().all(|&observer| {
            let others = members.iter().filter(|&&subject| subject != observer);
            others.copied().all(|subject| {
                cluster.sees(observer, subject).is_some_and(swimmer::State::is_present)
            })
        })
}

fn report(args: &Args, jobs: &[Job], found: Vec<Found>) -> Report {
    let title = "Members come and go: seconds from a change until all see all and nobody else; datagrams \
         and IP bytes by member and second, and apart the bytes of exchanges, from the first change \
         until then (replaced one by one: in the whole time); the most news that waited at one \
         member; members that ran and were held dead.";
    let head = [
        "variant",
        "case",
        "nodes",
        "agreed 50 %",
        "at most",
        "datagrams",
        "bytes",
        "exchange bytes",
        "queue",
        "deaths",
    ];
    let mut table = Table::new(title, head);
    let mut rows: Vec<Row> = Vec::new();
    let mut jobs = jobs.iter().zip(found).peekable();
    while let Some((first, found)) = jobs.next() {
        let mut all = vec![found];
        while let Some((_, found)) = jobs.next_if(|(job, _)| job.run > 0) {
            all.push(found);
        }
        let row = row(first, &all);
        table.push([
            row.variant.to_string(),
            row.case.as_str().to_owned(),
            count(u64::from(row.nodes)),
            seconds(row.agreed_p50),
            seconds(row.agreed_max),
            format!("{:.2}", row.datagrams_per_member_s),
            format!("{:.0}", row.bytes_per_member_s),
            format!("{:.0}", row.exchange_bytes_per_member_s),
            count(row.queue_max),
            count(row.false_deaths),
        ]);
        rows.push(row);
    }
    let figure = figure(args, &rows);
    Report::new(vec![table], &rows, figure)
}

fn row(job: &Job, found: &[Found]) -> Row {
    let mut agreed: Vec<_> = found.iter().flat_map(|found| found.agreed.clone()).collect();
    sort(&mut agreed);
    let rate = Rate::mean(&found.iter().map(|found| found.rate).collect::<Vec<_>>());
    Row {
        variant: job.variant,
        case: job.case,
        nodes: job.nodes,
        runs: found.len() as u32,
        agreed_p50: quantile(&agreed, 500),
        agreed_max: quantile(&agreed, 1_000),
        datagrams_per_member_s: round(rate.datagrams),
        bytes_per_member_s: round(rate.bytes),
        exchange_bytes_per_member_s: round(rate.exchange_bytes),
        queue_max: found.iter().map(|found| found.queue_max).max().unwrap_or(0),
        false_deaths: found.iter().map(|found| found.false_deaths).sum(),
    }
}

fn figure(args: &Args, rows: &[Row]) -> Figure {
    let cases: Vec<(Case, u32)> = Case::ALL
        .into_iter()
        .flat_map(|case| args.nodes.iter().map(move |&nodes| (case, nodes)))
        .filter(|&(case, _)| args.runs_of(case) > 0)
        .collect();
    let names = || cases.iter().map(|(case, nodes)| format!("{}, {nodes}", case.as_str()));
    let panel = |title: &str, y: (&str, Scale), value: fn(&Row) -> Option<f64>| {
        let mut panel = Panel::bars(title, names(), y);
        for variant in args.common.variants() {
            let find = |&(case, nodes): &(Case, u32)| {
                let mut rows = rows.iter().filter(|row| row.variant == variant);
                rows.find(|row| (row.case, row.nodes) == (case, nodes)).and_then(value)
            };
            panel.bar(variant, cases.iter().map(find));
        }
        panel
    };
    Figure::new(
        "Members come and go",
        vec![
            panel("Until all see all, median", ("seconds", Scale::Linear), |row| row.agreed_p50),
            panel(
                "Traffic meanwhile, exchanges too",
                ("IP bytes by member and s", Scale::Log),
                |row| Some(row.bytes_per_member_s + row.exchange_bytes_per_member_s),
            ),
        ],
    )
}
