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
    for (variant, than) in
        [(Variant::Lifeguard, Variant::Swim), (Variant::Swimmer, Variant::Lifeguard)]
    {
        let of = |variant| rows.iter().find(|row| row.variant == variant).map(|row| row.tally);
        if let (Some(tally), Some(other)) = (of(variant), of(than)) {
            total.note(compare(variant, tally, than, other));
        }
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

/// How much rarer false positives are with one variant than with another.
fn compare(variant: Variant, tally: Tally, than: Variant, other: Tally) -> String {
    format!(
        "{variant} has {} of {than}'s {} false positives, and {} of its {} at healthy members.",
        share(tally.fp, other.fp),
        count(other.fp),
        share(tally.fp_healthy, other.fp_healthy),
        count(other.fp_healthy)
    )
}

/// So many as a part of so many; rounded against whoever promises that there are few.
fn share(part: u64, whole: u64) -> String {
    match (part, whole) {
        (0, _) => "0".to_owned(),
        (_, 0) => count(part),
        _ if part * 2 <= whole => format!("1/{}", count(whole / part)),
        _ => format!("{:.2}", (part * 100).div_ceil(whole) as f64 / 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_never_smaller_than_it_is() {
        assert_eq!(share(0, 12_951), "0");
        assert_eq!(share(12_951, 1_424_608), "1/109", "a hundred and ten would be too good");
        assert_eq!(share(100, 100), "1.00");
        assert_eq!(share(601, 1_000), "0.61");
        assert_eq!(share(386, 289), "1.34");
        assert_eq!(share(0, 0), "0");
        assert_eq!(share(5, 0), "5");
    }

    #[test]
    fn false_positives_in_all_and_at_healthy_members_are_compared() {
        let tally = Tally { fp: 2, fp_healthy: 0, ..Tally::default() };
        let other = Tally { fp: 3_000, fp_healthy: 1_000, ..Tally::default() };
        assert_eq!(
            compare(Variant::Lifeguard, tally, Variant::Swim, other),
            "lifeguard has 1/1,500 of swim's 3,000 false positives, and 0 of its 1,000 at healthy \
             members."
        );
    }
}
