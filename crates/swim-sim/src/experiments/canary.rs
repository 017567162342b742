//! Canaries: short runs that fail when a figure of the documents is true no longer.

mod bound;
mod list;

use std::time::Instant;

use anyhow::Context;
use serde_json::Value;

use super::Report;
use super::table::Table;
use bound::Bound;
use list::CANARIES;

/// Options of `canary`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these, by their names. [default: all]
    #[arg(value_name = "NAME", value_parser = known_name)]
    names: Vec<String>,
    /// Names them with their claims, and runs none.
    #[arg(long)]
    list: bool,
    /// Another seed than the documents' for all runs.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// How many runs at once; 0: as many as the machine has cores. It changes no result.
    #[arg(long, default_value_t = 0, value_name = "N")]
    threads: usize,
}

/// A claim of the documents, and how it is looked at.
struct Canary {
    name: &'static str,
    /// What is claimed, and where.
    claim: &'static str,
    /// The experiment: arguments of `swim-sim`.
    experiment: &'static str,
    bounds: &'static [Bound],
}

/// What was measured, and the names of the canaries whose claims are true no longer.
pub(crate) struct Outcome {
    pub(crate) tables: Vec<Table>,
    pub(crate) broken: Vec<&'static str>,
}

fn known_name(name: &str) -> Result<String, String> {
    let names: Vec<&str> = CANARIES.iter().map(|canary| canary.name).collect();
    match names.contains(&name) {
        true => Ok(name.to_owned()),
        false => Err(format!("there are {}", names.join(", "))),
    }
}

/// Runs the canaries, with `measure` for the experiment that arguments name.
pub(crate) fn run(
    args: &Args,
    measure: impl Fn(&str) -> anyhow::Result<Report>,
) -> anyhow::Result<Outcome> {
    let is_wanted = |canary: &&Canary| {
        args.names.is_empty() || args.names.iter().any(|name| name == canary.name)
    };
    let mut outcome = Outcome { tables: Vec::new(), broken: Vec::new() };
    for canary in CANARIES.iter().filter(is_wanted) {
        if args.list {
            outcome.tables.push(canary.table());
            continue;
        }
        let began = Instant::now();
        let experiment =
            format!("{} --seed {} --threads {}", canary.experiment, args.seed, args.threads);
        let rows = measure(&experiment).and_then(|report| report.rows());
        let (table, verdict) =
            canary.look(&rows.with_context(|| format!("canary {}", canary.name))?)?;
        eprintln!("{:.1} s, {}: {}", began.elapsed().as_secs_f64(), canary.name, verdict.word());
        outcome.tables.push(table);
        if verdict == Verdict::Broken {
            outcome.broken.push(canary.name);
        }
    }
    Ok(outcome)
}

/// The names of the canaries and their experiments.
#[cfg(test)]
pub(crate) fn experiments() -> impl Iterator<Item = (&'static str, &'static str)> {
    CANARIES.iter().map(|canary| (canary.name, canary.experiment))
}

/// Whether a figure is within its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Kept,
    Broken,
}

impl Verdict {
    const fn of(kept: bool) -> Self {
        if kept { Self::Kept } else { Self::Broken }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken => "BROKEN",
        }
    }
}

impl Canary {
    fn table(&self) -> Table {
        let Self { name, claim, experiment, .. } = self;
        let title = format!("{name}: {claim}\n\n    swim-sim {experiment}");
        Table::new(title, ["figure", "bound", "measured", "verdict"])
    }

    /// Compares the rows of the experiment with the bounds.
    fn look(&self, rows: &[Value]) -> anyhow::Result<(Table, Verdict)> {
        let mut table = self.table();
        let mut all_kept = true;
        for bound in self.bounds {
            let reading =
                bound.read(rows).with_context(|| format!("canary {}: {bound}", self.name))?;
            all_kept &= reading.kept;
            let verdict = Verdict::of(reading.kept).word().to_owned();
            table.push([bound.to_string(), reading.bound, reading.measured, verdict]);
            if !reading.kept {
                table.note(format!("BROKEN: {} in {}", bound.key, reading.row));
            }
        }
        Ok((table, Verdict::of(all_kept)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    #[test]
    fn each_canary_has_a_name_of_its_own_and_bounds() {
        let names: BTreeSet<&str> = CANARIES.iter().map(|canary| canary.name).collect();
        assert_eq!(names.len(), CANARIES.len());
        for Canary { name, claim, bounds, .. } in CANARIES {
            assert!(!name.contains(char::is_whitespace) && !bounds.is_empty(), "{name}");
            let document = ["README", "CHANGELOG", "EXPERIMENTS"].iter().any(|d| claim.contains(d));
            assert!(document, "{name} says where its claim stands");
        }
    }

    #[test]
    fn one_figure_outside_its_bound_breaks_a_canary() {
        let bounds =
            const { &[Bound::at_most("", "first_p50", 5.0), Bound::at_most("", "fp", 0.0)] };
        let canary = Canary { name: "a", claim: "b", experiment: "c", bounds };
        let look = |fp: u64| {
            let row = json!({"variant": "swimmer", "first_p50": 4.5, "fp": fp});
            canary.look(&[row]).unwrap().1
        };
        assert_eq!(look(0), Verdict::Kept);
        assert_eq!(look(1), Verdict::Broken);
        assert!(
            canary.look(&[json!({"variant": "swimmer", "fp": 0})]).is_err(),
            "a figure is gone"
        );
    }
}
