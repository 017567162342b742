//! `swim-sim soak`: bands of seeds until one fails, which is then made small and told.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use swim_membership::KnownBug;

use crate::panics;
use crate::plan::{Plan, Size, read_bug};
use crate::sweep::{Band, Failure};
use crate::transcript::Detail;
use crate::words::TextError;

/// The most plans that are tried to make one that fails smaller, and for how long.
const SHRINK_RUNS: u32 = 500;
const SHRINK_FOR: Duration = Duration::from_secs(120);
/// From so many seeds on a band must have met everything at least once.
const NON_VACUOUS_FROM: u64 = 100;

/// Random faults from seeds, checked after every step.
#[derive(Args, Clone, Debug)]
pub struct SoakArgs {
    /// Seeds, the last one excluded: `0..1000`
    #[arg(long, default_value = "0..1000", value_name = "A..B")]
    seeds: Seeds,
    /// Run the plan in this file instead, as a failure has printed it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "short"])]
    plan: Option<PathBuf>,
    /// Short plans, as in the tests
    #[arg(long)]
    short: bool,
    /// Print the whole transcript of the one run, every message
    #[arg(long)]
    trace: bool,
    /// Put a known bug back and say which seed finds it; `all` for one after the other
    #[arg(long, value_name = "NAME")]
    bug: Option<Bugs>,
    /// How many threads [default: one a core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// How many last lines of the transcript a failure shows
    #[arg(long, default_value_t = 60, value_name = "N")]
    lines: usize,
    /// Tell a failure as it is, without making its plan smaller
    #[arg(long)]
    no_shrink: bool,
}

#[derive(Clone, Debug)]
struct Seeds(Range<u64>);

impl FromStr for Seeds {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let wrong = || TextError::new("seeds are `A..B`, the last one excluded");
        let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
        let Some((first, end)) = text.split_once("..") else {
            let seed = number(text)?;
            let next = seed.checked_add(1).ok_or_else(wrong)?;
            return Err(TextError::new(format!(
                "{seed} may mean two things: say 0..{seed} for so many seeds, or {seed}..{next} for this one"
            )));
        };
        let seeds = number(first)?..number(end)?;
        if seeds.is_empty() {
            Err(TextError::new("there are no seeds in it"))
        } else {
            Ok(Self(seeds))
        }
    }
}

#[derive(Clone, Debug)]
struct Bugs(Vec<KnownBug>);

impl FromStr for Bugs {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text {
            "all" => Ok(Self(KnownBug::ALL.to_vec())),
            name => read_bug(name).map(|bug| Self(vec![bug])),
        }
    }
}

/// Runs the command. The exit code is 1 where something failed, 2 where it cannot be done.
pub fn run(args: &SoakArgs) -> ExitCode {
    panics::keep_quiet();
    match soak(args, &mut io::stdout()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // A closed standard error leaves nobody to tell.
            let _ = writeln!(io::stderr(), "swim-sim: {error}");
            ExitCode::from(2)
        }
    }
}

/// Returns whether all is well.
fn soak(args: &SoakArgs, out: &mut impl Write) -> io::Result<bool> {
    let mut band = Band::new(args.seeds.0.clone());
    band.size = if args.short { Size::Short } else { Size::Full };
    band.threads = args.threads.unwrap_or(band.threads);
    if let Some(path) = &args.plan {
        return run_one(&read_plan(path)?, args, out);
    }
    if args.trace {
        let bug = args.bug.as_ref().and_then(|bugs| bugs.0.first().copied());
        return run_one(&Plan { bug, ..band.plan(band.seeds.start) }, args, out);
    }
    match &args.bug {
        Some(bugs) => find_bugs(&band, &bugs.0, out),
        None => run_band(&band, args, out),
    }
}

fn read_plan(path: &Path) -> io::Result<Plan> {
    let at = |what: String| io::Error::other(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| at(error.to_string()))?;
    text.parse().map_err(|error: TextError| at(error.to_string()))
}

/// One run, told in full or by its end.
fn run_one(plan: &Plan, args: &SoakArgs, out: &mut impl Write) -> io::Result<bool> {
    let kept = if args.trace { usize::MAX } else { args.lines };
    let (result, lines) = plan.run_keeping(Detail::Messages, kept);
    if args.trace || result.is_err() {
        lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    }
    match result {
        Ok(outcome) => {
            let (steps, hash) = (outcome.steps, outcome.hash);
            let after = outcome.agreed_after.as_secs_f64();
            writeln!(out, "{steps} steps, agreement {after} s after calm, hash {hash:016x}")?;
            Ok(true)
        }
        Err(violation) => {
            writeln!(out, "{violation}")?;
            Ok(false)
        }
    }
}

fn run_band(band: &Band, args: &SoakArgs, out: &mut impl Write) -> io::Result<bool> {
    let began = Instant::now();
    let result = with_progress(band);
    let seconds = began.elapsed().as_secs_f64();
    match result {
        Ok(summary) => {
            writeln!(out, "{summary}\nin {seconds:.1} s on {} threads", band.threads)?;
            let missing = summary.missing();
            let vacuous = summary.seeds >= NON_VACUOUS_FROM && !missing.is_empty();
            if vacuous {
                writeln!(out, "FAILED: nothing was ever {}", missing.join(", or "))?;
            }
            Ok(!vacuous)
        }
        Err(failure) => {
            tell_failure(&failure, args, out)?;
            Ok(false)
        }
    }
}

fn with_progress(band: &Band) -> Result<crate::sweep::Summary, Box<Failure>> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} seeds, {per_sec}, {eta} left");
    let bar = ProgressBar::new(band.seeds.end - band.seeds.start);
    bar.set_style(style.expect("a constant that is a template"));
    let result = band.run(|_| bar.inc(1));
    bar.finish_and_clear();
    result
}

fn tell_failure(failure: &Failure, args: &SoakArgs, out: &mut impl Write) -> io::Result<()> {
    let Failure { plan, violation } = failure;
    let seed = plan.seed;
    writeln!(out, "FAILED: {violation}")?;
    writeln!(out, "\nits plan:\n\n{plan}\n")?;
    let (mut small, mut small_violation) = (plan.clone(), violation.clone());
    if !args.no_shrink {
        (small, small_violation) = shrink(failure);
        if small != *plan {
            writeln!(out, "a smaller plan that fails too: {small_violation}\n\n{small}\n")?;
        }
    }
    let (_, lines) = small.run_keeping(Detail::Messages, args.lines);
    writeln!(out, "its last {} lines:\n", lines.len())?;
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    let short = if args.short { " --short" } else { "" };
    writeln!(out, "\nFAILED: {small_violation}")?;
    writeln!(out, "again: swim-sim soak --seeds {seed}..{}{short}", seed + 1)?;
    writeln!(out, "or, with a smaller plan in a file: swim-sim soak --plan FILE --trace")
}

fn shrink(failure: &Failure) -> (Plan, crate::check::Violation) {
    let spinner = ProgressBar::new_spinner().with_message("making the plan smaller");
    let (began, mut runs) = (Instant::now(), 0);
    let mut found = failure.violation.clone();
    let small = failure.plan.shrink(|plan| {
        if runs == SHRINK_RUNS || began.elapsed() > SHRINK_FOR {
            return false;
        }
        runs += 1;
        spinner.tick();
        let violation = plan.run(Detail::Hash).0.err();
        let fails = violation.is_some();
        if let Some(violation) = violation {
            found = violation;
        }
        fails
    });
    spinner.finish_and_clear();
    (small, found)
}

/// Says for each bug which seed finds it. All must be found.
fn find_bugs(band: &Band, bugs: &[KnownBug], out: &mut impl Write) -> io::Result<bool> {
    let mut all = true;
    for &bug in bugs {
        let name = format!("{bug:?}");
        match with_progress(&Band { bug: Some(bug), ..band.clone() }) {
            Ok(_) => {
                all = false;
                writeln!(out, "{name}: not found")?;
            }
            Err(failure) => {
                let Failure { plan, violation } = *failure;
                let seeds = plan.seed - band.seeds.start + 1;
                writeln!(out, "{name}: found after {seeds} seeds, {violation}")?;
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_a_range_and_one_number_is_refused_with_a_hint() {
        assert_eq!("3..7".parse::<Seeds>().unwrap().0, 3..7);
        let hint = "5".parse::<Seeds>().unwrap_err().to_string();
        assert!(hint.contains("0..5") && hint.contains("5..6"), "{hint}");
        for wrong in ["", "3..", "7..3", "3..3", "a..b", "18446744073709551615"] {
            assert!(wrong.parse::<Seeds>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn bugs_go_by_their_names() {
        assert_eq!("all".parse::<Bugs>().unwrap().0, KnownBug::ALL);
        assert_eq!("NumberWraps".parse::<Bugs>().unwrap().0, [KnownBug::NumberWraps]);
        assert!("Wrap".parse::<Bugs>().is_err());
    }
}
