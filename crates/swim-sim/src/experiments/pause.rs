//! Members stand still for a while, timers too: as a garbage collector, a suspended machine or one
//! without a free core lets them. They live, so each death is a mistake; but one that comes in time
//! is what whoever waits for them wants.

use std::time::Duration;

use rand::RngExt;
use serde::{Serialize, Serializer};
use swim_sim::{Cluster, Condition, HostIx, Seen};
use swimmer::State;

use super::lab::{Lab, Rate, mean, quantile, round, seed_of, sort};
use super::plot::{Figure, Panel, Scale};
use super::progress::{Progress, Work};
use super::runs::run_all;
use super::table::{Table, count, seconds};
use super::variant::Variant;
use super::{Common, Report};

const QUIET: Duration = Duration::from_secs(10);
/// Observed after the pause.
const AFTER: Duration = Duration::from_secs(60);
/// How long members hiccup.
const HICCUPS: u32 = 60;
/// Each member once in such a time, in milliseconds.
const HICCUP_EVERY: u64 = 10_000;
/// For how long, in milliseconds.
const HICCUP: std::ops::RangeInclusive<u64> = 200..=500;

/// Options of `pause`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Members in all.
    #[arg(long, default_value_t = 128, value_name = "N")]
    nodes: u32,
    /// Runs for each length and variant.
    #[arg(long, default_value_t = 20)]
    runs: u32,
    /// How long members stand still, in seconds.
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20],
        value_name = "S"
    )]
    lengths: Vec<u64>,
}

/// Who stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    One,
    /// Three tenths of all, at the same time.
    Many,
    /// Each, for 0.2 to 0.5 s, once in 10 s.
    All,
}

impl Who {
    const fn as_str(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Many => "30 %",
            Self::All => "all, 0.2 to 0.5 s in 10 s",
        }
    }
}

impl Serialize for Who {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[derive(Serialize)]
struct Row {
    variant: Variant,
    nodes: u32,
    runs: u32,
    paused: Who,
    length_s: Option<u64>,
    /// The share of the paused that anybody held dead.
    paused_dead: f64,
    /// Changes to dead of the paused, and of the others, one for each observer.
    deaths_of_paused: u64,
    deaths_of_others: u64,
    refutations_per_run: f64,
    datagrams_per_member_min: f64,
    /// Until all the paused are alive in all views, from the end of their pause.
    back_p50: Option<f64>,
    back_max: Option<f64>,
}

#[derive(Clone, Copy)]
struct Job {
    variant: Variant,
    who: Who,
    /// In seconds; of no meaning for hiccups.
    length: u64,
    run: u32,
}

#[derive(Default)]
struct Found {
    paused: u32,
    paused_dead: u32,
    deaths_of_paused: u64,
    deaths_of_others: u64,
    refutations: u64,
    datagrams_per_min: f64,
    back: Option<Duration>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Report> {
    let common = &args.common;
    anyhow::ensure!(args.nodes >= 4, "a pause needs somebody to notice: at least 4 members");
    let lengths = |who: Who| match who {
        Who::One | Who::Many => args.lengths.clone(),
        Who::All => vec![0],
    };
    let mut jobs = Vec::new();
    for who in [Who::One, Who::Many, Who::All] {
        for length in lengths(who) {
            for variant in common.variants() {
                jobs.extend((0..args.runs).map(|run| Job { variant, who, length, run }));
            }
        }
    }
    let expected =
        |job: &Job| Work::of(args.nodes, QUIET + Duration::from_secs(job.length) + AFTER);
    let found = run_all("pause", &jobs, common.threads(), expected, |job, progress| {
        measure(job, args, progress)
    });
    Ok(report(args, &jobs, &found))
}

fn measure(job: &Job, args: &Args, progress: &Progress) -> Found {
    let common = &args.common;
    let config = common.config(job.variant);
    let mut lab =
        Lab::warm(config, args.nodes, common.under(), seed_of(common.seed, job.run), progress);
    let paused = match job.who {
        Who::One => lab.choose(1),
        Who::Many => lab.choose((args.nodes * 3 / 10).max(1)),
        Who::All => lab.choose(args.nodes),
    };
    lab.pass(QUIET);
    lab.pass_a_random_moment();
    lab.cluster.reset_traffic();
    lab.cluster.take_observations();
    let refutations = |lab: &Lab<'_>| lab.sum(|stats| stats.membership.refutations);
    let (began, before) = (lab.cluster.now(), refutations(&lab));
    let back = match job.who {
        Who::All => {
            hiccup(&mut lab);
            None
        }
        Who::One | Who::Many => {
            paused.iter().for_each(|&ix| lab.cluster.pause(ix));
            lab.pass(Duration::from_secs(job.length));
            paused.iter().for_each(|&ix| lab.cluster.resume(ix));
            let resumed = lab.cluster.now();
            let every = Duration::from_millis(100);
            let back = lab.pass_until_seen(every, AFTER, |c| all_see_alive(c, &paused));
            lab.pass_until(resumed + AFTER);
            back
        }
    };
    let took = lab.cluster.now() - began;
    let rate = Rate::of(lab.cluster.traffic(), args.nodes, took);
    let mut found = Found {
        paused: paused.len() as u32,
        refutations: refutations(&lab) - before,
        datagrams_per_min: rate.datagrams * 60.0,
        back,
        ..Found::default()
    };
    let ids: Vec<_> = paused.iter().map(|&ix| lab.cluster.id(ix)).collect();
    let mut dead = vec![false; ids.len()];
    for seen in lab.cluster.take_observations() {
        let Seen::Down { .. } = seen.change else { continue };
        match ids.iter().position(|&id| id == seen.subject) {
            Some(at) => {
                dead[at] = true;
                found.deaths_of_paused += 1;
            }
            None => found.deaths_of_others += 1,
        }
    }
    found.paused_dead = dead.into_iter().map(u32::from).sum();
    found
}

/// Each member stands still for a moment once in every ten seconds.
fn hiccup(lab: &mut Lab<'_>) {
    let hosts: Vec<HostIx> = lab.cluster.hosts().collect();
    let began = lab.cluster.now();
    let mut moments = Vec::new();
    for round in 0..u64::from(HICCUPS) * 1_000 / HICCUP_EVERY {
        for &ix in &hosts {
            let length = lab.rng.random_range(HICCUP);
            let at = round * HICCUP_EVERY + lab.rng.random_range(0..HICCUP_EVERY - length);
            moments.extend([(at, ix, true), (at + length, ix, false)]);
        }
    }
    moments.sort_by_key(|&(at, ix, pauses)| (at, ix, pauses));
    for (at, ix, pauses) in moments {
        lab.pass_until(began + Duration::from_millis(at));
        match pauses {
            true => lab.cluster.pause(ix),
            false => lab.cluster.resume(ix),
        }
    }
}

/// Whether every running member holds all these alive.
fn all_see_alive(cluster: &Cluster, these: &[HostIx]) -> bool {
    let running = |ix: &HostIx| cluster.condition(*ix) == Condition::Running;
    cluster.hosts().filter(running).all(|observer| {
        let alive = |ix: HostIx| cluster.sees(observer, ix) == Some(State::Alive);
        these.iter().all(|&ix| ix == observer || alive(ix))
    })
}

fn report(args: &Args, jobs: &[Job], found: &[Found]) -> Report {
    let title = format!(
        "Members of {} stand still: the share of them that anybody holds dead, deaths of them and of \
         the others (one for each observer, of all runs), refutations a run, datagrams by member and \
         minute from the pause until 60 s after it, and seconds from its end until all are alive in \
         all views.",
        args.nodes
    );
    let head = [
        "variant",
        "paused",
        "for s",
        "found dead",
        "deaths",
        "of others",
        "refutations",
        "datagrams",
        "back 50 %",
        "at most",
    ];
    let mut table = Table::new(title, head);
    let mut rows = Vec::new();
    for (jobs, found) in jobs.chunks(args.runs as usize).zip(found.chunks(args.runs as usize)) {
        let Some(job) = jobs.first() else { continue };
        let row = row(job, args, found);
        table.push([
            row.variant.to_string(),
            row.paused.as_str().to_owned(),
            row.length_s.map_or_else(|| "–".to_owned(), |length| length.to_string()),
            format!("{:.1} %", row.paused_dead * 100.0),
            count(row.deaths_of_paused),
            count(row.deaths_of_others),
            format!("{:.1}", row.refutations_per_run),
            format!("{:.0}", row.datagrams_per_member_min),
            seconds(row.back_p50),
            seconds(row.back_max),
        ]);
        rows.push(row);
    }
    let figure = figure(args, &rows);
    Report::new(vec![table], &rows, figure)
}

fn row(job: &Job, args: &Args, found: &[Found]) -> Row {
    let mut back: Vec<_> = found.iter().map(|found| found.back).collect();
    sort(&mut back);
    let paused: u32 = found.iter().map(|found| found.paused).sum();
    let dead: u32 = found.iter().map(|found| found.paused_dead).sum();
    Row {
        variant: job.variant,
        nodes: args.nodes,
        runs: args.runs,
        paused: job.who,
        length_s: (job.who != Who::All).then_some(job.length),
        paused_dead: round(f64::from(dead) / f64::from(paused.max(1))),
        deaths_of_paused: found.iter().map(|found| found.deaths_of_paused).sum(),
        deaths_of_others: found.iter().map(|found| found.deaths_of_others).sum(),
        refutations_per_run: round(mean(found.iter().map(|found| found.refutations as f64))),
        datagrams_per_member_min: round(mean(found.iter().map(|found| found.datagrams_per_min))),
        back_p50: quantile(&back, 500),
        back_max: quantile(&back, 1_000),
    }
}

fn figure(args: &Args, rows: &[Row]) -> Figure {
    let panel = |title: &str, y: &str, who: Who, value: fn(&Row) -> Option<f64>| {
        let x = ("seconds that it stood still", Scale::Linear);
        let mut panel = Panel::lines(title, x, (y, Scale::Linear));
        for variant in args.common.variants() {
            let of = rows.iter().filter(|row| row.variant == variant && row.paused == who);
            let points = of.map(|row| (row.length_s.unwrap_or(0) as f64, value(row)));
            panel.line(variant, points);
        }
        panel
    };
    let dead = |row: &Row| Some(row.paused_dead * 100.0);
    Figure::new(
        format!("Members of {} stand still once", args.nodes),
        vec![
            panel("One: how often anybody held it dead", "held dead, %", Who::One, dead),
            panel(
                "30 % at once: how many of them anybody held dead",
                "held dead, %",
                Who::Many,
                dead,
            ),
            panel(
                "30 % at once: until all are alive in all views",
                "seconds, median",
                Who::Many,
                |row| row.back_p50,
            ),
        ],
    )
}
