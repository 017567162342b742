//! What is shown of all runs.

use serde::Serialize;

use super::super::Report;
use super::super::plot::{Figure, Panel, Scale};
use super::super::table::{Table, count};
use super::super::variant::Variant;
use super::sums::{Axis, Part, Sums, values};
use super::tally::Tally;
use super::{Args, Job, promise};

/// How many of the worst cells of each variant are shown.
const WORST: usize = 3;

/// A sum over cells: a value is null if the cells differ in it.
#[derive(Serialize)]
struct Row {
    variant: Variant,
    runs: u32,
    time_s: u64,
    blocked: Option<u64>,
    duration_ms: Option<u64>,
    interval_ms: Option<u64>,
    #[serde(flatten)]
    tally: Tally,
}

pub(super) fn report(args: &Args, jobs: &[Job], found: &[Tally]) -> Report {
    let sums = Sums::new(jobs, found);
    let (mut tables, mut rows, mut panels) = (Vec::new(), Vec::new(), Vec::new());
    for &time in &args.time {
        tables.push(total(args, sums, time));
        for axis in Axis::ALL {
            tables.push(by(args, sums, time, axis));
            panels.push(panel(args, sums, time, axis));
        }
        tables.push(worst(args, sums, time));
        rows.extend(rows_of(args, sums, time));
    }
    let title = format!("Lifeguard's Interval experiment, {} members", args.nodes);
    Report::new(tables, &rows, Figure::new(title, panels))
}

fn total(args: &Args, sums: Sums<'_>, time: u64) -> Table {
    let title = format!(
        "Healthy members of {} held dead while others are blocked again and again for {time} s, in {} \
         cells with {} runs each. FP: one for each observer; raised: by its own suspicion; at \
         healthy: at observers that were never blocked.",
        args.nodes,
        args.cells().len(),
        args.runs
    );
    let head = ["variant", "FP", "at healthy", "raised", "at healthy", "datagrams", "bytes"];
    let mut table = Table::new(title, head);
    let variants = args.common.variants();
    for &variant in &variants {
        let tally = sums.of(time, variant, Part::All);
        table.push([
            variant.to_string(),
            count(tally.fp),
            count(tally.fp_healthy),
            count(tally.raised_fp),
            count(tally.raised_fp_healthy),
            count(tally.datagrams),
            count(tally.bytes),
        ]);
    }
    for (variant, than) in
        [(Variant::Lifeguard, Variant::Swim), (Variant::Swimmer, Variant::Lifeguard)]
    {
        if variants.contains(&variant) && variants.contains(&than) {
            let of = |variant| sums.of(time, variant, Part::All);
            table.note(compare(variant, of(variant), than, of(than)));
        }
    }
    if let Some(sentence) = promise::sentence(args, sums, time) {
        table.note(sentence);
    }
    table
}

fn by(args: &Args, sums: Sums<'_>, time: u64, axis: Axis) -> Table {
    let name = axis.name();
    let head = [name, "variant", "FP", "at healthy", "datagrams"];
    let mut table = Table::new(format!("The same by {name}, {time} s"), head);
    for value in values(&args.cells(), axis) {
        for variant in args.common.variants() {
            let tally = sums.of(time, variant, Part::Of(axis, value));
            table.push([
                count(value),
                variant.to_string(),
                count(tally.fp),
                count(tally.fp_healthy),
                count(tally.datagrams),
            ]);
        }
    }
    table
}

fn panel(args: &Args, sums: Sums<'_>, time: u64, axis: Axis) -> Panel {
    let mut panel = Panel::lines(
        format!("False positives by {}, {time} s", axis.name()),
        (axis.name(), Scale::Log),
        ("false positives", Scale::Log),
    );
    let values = values(&args.cells(), axis);
    for variant in args.common.variants() {
        let at = |value| sums.of(time, variant, Part::Of(axis, value));
        let points = values.iter().map(|&value| (value as f64, at(value)));
        let all = points.clone().map(|(x, tally)| (x, Some(tally.fp as f64)));
        panel.line(variant, all);
        let healthy = points.map(|(x, tally)| (x, Some(tally.fp_healthy as f64)));
        panel.dashed(format!("{variant} at healthy"), healthy);
    }
    panel
}

/// The cells in which each variant has the most false positives.
fn worst(args: &Args, sums: Sums<'_>, time: u64) -> Table {
    let head = ["variant", "C", "D", "I", "FP", "at healthy"];
    let mut table = Table::new(format!("The worst cells of each, {time} s"), head);
    for variant in args.common.variants() {
        let with_tally = |cell| (cell, sums.of(time, variant, Part::One(cell)));
        let mut cells: Vec<_> = args.cells().into_iter().map(with_tally).collect();
        cells.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.fp));
        for (cell, tally) in cells.into_iter().take(WORST) {
            table.push([
                variant.to_string(),
                count(u64::from(cell.blocked)),
                count(cell.duration_ms),
                count(cell.interval_ms),
                count(tally.fp),
                count(tally.fp_healthy),
            ]);
        }
    }
    table
}

/// All cells together, then those of one C, D or I, then each; of each variant.
fn rows_of(args: &Args, sums: Sums<'_>, time: u64) -> Vec<Row> {
    let cells = args.cells();
    let of_axis = |axis| values(&cells, axis).into_iter().map(move |value| Part::Of(axis, value));
    let mut parts = vec![Part::All];
    parts.extend(Axis::ALL.into_iter().flat_map(of_axis));
    parts.extend(cells.iter().map(|&cell| Part::One(cell)));
    let row = |part: Part, variant| Row {
        variant,
        runs: args.runs,
        time_s: time,
        blocked: part.value(Axis::Blocked),
        duration_ms: part.value(Axis::Duration),
        interval_ms: part.value(Axis::Interval),
        tally: sums.of(time, variant, part),
    };
    let variants = args.common.variants();
    parts
        .into_iter()
        .flat_map(|part| variants.iter().map(move |&variant| (part, variant)))
        .map(|(part, variant)| row(part, variant))
        .collect()
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

/// A part of a whole, rounded up, so that it never promises too much.
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
