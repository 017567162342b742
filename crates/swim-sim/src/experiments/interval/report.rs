//! What is shown of all runs.

use serde::Serialize;

use super::super::Report;
use super::super::plot::{Figure, Panel, Scale};
use super::super::table::{Table, count};
use super::super::variant::Variant;
use super::grid::Cell;
use super::tally::Tally;
use super::{Args, Job};

#[derive(Serialize)]
struct Row {
    variant: Variant,
    runs: u32,
    #[serde(flatten)]
    tally: Tally,
}

pub(super) fn report(args: &Args, jobs: &[Job], found: &[Tally]) -> Report {
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
