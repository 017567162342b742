//! What is promised of `swimmer` beside `lifeguard`, and whether a run keeps it.

use super::super::table::count;
use super::super::variant::Variant;
use super::Args;
use super::sums::{Axis, Part, Sums, values};

/// One false positive for as many of lifeguard's, in all cells of a grid together.
const SHARE: u64 = 300;
/// So many may a row have in which lifeguard has fewer.
const ROW_MIN: u64 = 10;

/// A sentence that says what is promised, and that it is kept or where it is broken; `None`: it
/// needs both variants.
pub(super) fn sentence(args: &Args, sums: Sums<'_>, time: u64) -> Option<String> {
    let variants = args.common.variants();
    if ![Variant::Swimmer, Variant::Lifeguard].iter().all(|variant| variants.contains(variant)) {
        return None;
    }
    let mut broken = rows_broken(args, sums, time);
    let mut promise = format!(
        "swimmer has in no row by C, D or I more false positives than the larger of lifeguard's and \
         {ROW_MIN}"
    );
    if args.whole_grid() {
        promise += &format!(
            ", and in all at most 1/{SHARE} of lifeguard's and of lifeguard's at healthy members"
        );
        broken.splice(..0, shares_broken(sums, time));
    }
    Some(match broken.is_empty() {
        true => format!("Promised and kept: {promise}."),
        false => format!("Promised and BROKEN: {promise}. But {}.", broken.join("; ")),
    })
}

fn shares_broken(sums: Sums<'_>, time: u64) -> Vec<String> {
    let ours = sums.of(time, Variant::Swimmer, Part::All);
    let theirs = sums.of(time, Variant::Lifeguard, Part::All);
    let all = ("in all", ours.fp, theirs.fp);
    let healthy = ("in all at healthy members", ours.fp_healthy, theirs.fp_healthy);
    let broken = [all, healthy].into_iter().filter(|(_, ours, theirs)| ours * SHARE > *theirs);
    broken.map(|(what, ours, theirs)| excess(what, ours, theirs)).collect()
}

fn rows_broken(args: &Args, sums: Sums<'_>, time: u64) -> Vec<String> {
    let cells = args.cells();
    let mut broken = Vec::new();
    for axis in Axis::ALL {
        for value in values(&cells, axis) {
            let of = |variant| sums.of(time, variant, Part::Of(axis, value)).fp;
            let (ours, theirs) = (of(Variant::Swimmer), of(Variant::Lifeguard));
            if ours > theirs.max(ROW_MIN) {
                let row = format!("with {} = {}", axis.letter(), count(value));
                broken.push(excess(&row, ours, theirs));
            }
        }
    }
    broken
}

fn excess(what: &str, ours: u64, theirs: u64) -> String {
    format!("{what} it has {} and lifeguard {}", count(ours), count(theirs))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Job;
    use super::super::tally::Tally;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// The sentence for false positives of lifeguard and of swimmer in each cell.
    fn sentence_of(words: &str, fp: &[[u64; 2]]) -> Option<String> {
        let args = Line::parse_from(words.split_whitespace()).args;
        let (mut jobs, mut found) = (Vec::new(), Vec::new());
        for (cell, &[theirs, ours]) in args.cells().into_iter().zip(fp) {
            for (variant, fp) in [(Variant::Lifeguard, theirs), (Variant::Swimmer, ours)] {
                jobs.push(Job { time: 105, variant, cell, run: 0 });
                found.push(Tally { fp, fp_healthy: fp / 2, ..Tally::default() });
            }
        }
        sentence(&args, Sums::new(&jobs, &found), 105)
    }

    #[test]
    fn a_row_may_have_ten_or_as_many_as_lifeguards() {
        let words = "interval --blocked 8 --durations 2048 --intervals 4,64";
        let kept = sentence_of(words, &[[0, 10], [12, 2]]).unwrap_or_default();
        assert!(kept.starts_with("Promised and kept: "), "{kept}");
        let broken = sentence_of(words, &[[0, 11], [12, 0]]).unwrap_or_default();
        assert!(broken.starts_with("Promised and BROKEN: "), "{broken}");
        assert!(broken.ends_with(" But with I = 4 it has 11 and lifeguard 0."), "{broken}");
    }

    #[test]
    fn a_whole_grid_has_one_for_three_hundred_of_lifeguards() {
        let kept = sentence_of("interval", &[[3_000, 10]]).unwrap_or_default();
        assert!(kept.starts_with("Promised and kept: ") && kept.contains("1/300"), "{kept}");
        let broken = sentence_of("interval", &[[2_999, 10]]).unwrap_or_default();
        let all =
            "But in all it has 10 and lifeguard 2,999; in all at healthy members it has 5 and";
        assert!(broken.contains(all), "{broken}");
    }

    #[test]
    fn nothing_is_promised_without_both() {
        assert_eq!(sentence_of("interval --variants swimmer,swim", &[[0, 0]]), None);
    }
}
