//! The simulator's program: experiments that measure what a setting does before it is shipped, and
//! random plans of faults that are checked at every step.

#![forbid(unsafe_code)]

mod experiments;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use swim_sim::SoakArgs;

use experiments::{
    Common, Report, Table, canary, churn, conditions, detect, interval, loss, partition, pause,
    scale, threshold,
};

/// Simulated clusters of swimmer's real nodes, under one virtual clock.
///
/// An experiment prints a table, and writes JSON and a plot where asked. The same seed gives the
/// same results, on any machine and any number of threads; only what is said of speed and memory
/// differs. Bytes are IP bytes: a datagram's payload and 28 for the headers of IPv4 and UDP (48 with
/// IPv6). Exchanges over TCP are counted apart: their frames, and 52 bytes for each packet, the 9
/// that carry nothing included.
#[derive(Parser)]
#[command(name = "swim-sim", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One of n crashes: how soon the first knows, and how soon all do.
    Detect(detect::Args),
    /// Lifeguard's Interval experiment: some are blocked again and again, and accuse the others.
    Interval(interval::Args),
    /// Lifeguard's Threshold experiment: some are blocked once: for how long until they are found.
    Threshold(threshold::Args),
    /// Members stand still for a while, as a garbage collector or a busy machine lets them.
    Pause(pause::Args),
    /// The network loses datagrams, everywhere or in one direction for a few.
    Loss(loss::Args),
    /// Members are replaced, all join at once, all restart at once.
    Churn(churn::Args),
    /// The network is cut and healed; many crash at once.
    Partition(partition::Args),
    /// What large clusters cost, in traffic, memory and time.
    Scale(scale::Args),
    /// Members crash, one after another, under conditions: lossy networks, slow members, wrong clocks.
    Conditions(conditions::Args),
    /// Compare figures of the documents with short runs; fail if one has left its bound.
    Canary(canary::Args),
    /// Run random plans of faults by seeds, and check every step.
    Soak(SoakArgs),
}

impl Command {
    /// What all experiments can be told.
    fn common(&self) -> Option<&Common> {
        Some(match self {
            Self::Detect(args) => &args.common,
            Self::Interval(args) => &args.common,
            Self::Threshold(args) => &args.common,
            Self::Pause(args) => &args.common,
            Self::Loss(args) => &args.common,
            Self::Churn(args) => &args.common,
            Self::Partition(args) => &args.common,
            Self::Scale(args) => &args.common,
            Self::Conditions(args) => &args.common,
            Self::Canary(_) | Self::Soak(_) => return None,
        })
    }

    /// Runs an experiment.
    fn measure(&self) -> anyhow::Result<(Report, &Common)> {
        if let Some(common) = self.common() {
            common.check()?;
        }
        Ok(match self {
            Self::Detect(args) => (detect::run(args)?, &args.common),
            Self::Interval(args) => (interval::run(args)?, &args.common),
            Self::Threshold(args) => (threshold::run(args)?, &args.common),
            Self::Pause(args) => (pause::run(args)?, &args.common),
            Self::Loss(args) => (loss::run(args)?, &args.common),
            Self::Churn(args) => (churn::run(args)?, &args.common),
            Self::Partition(args) => (partition::run(args)?, &args.common),
            Self::Scale(args) => (scale::run(args)?, &args.common),
            Self::Conditions(args) => (conditions::run(args)?, &args.common),
            Self::Canary(_) | Self::Soak(_) => anyhow::bail!("this is no experiment"),
        })
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    match &cli.command {
        Command::Soak(args) => Ok(swim_sim::run_soak(args)),
        Command::Canary(args) => look_at_canaries(args),
        experiment => {
            let (report, common) = experiment.measure()?;
            print(&report.tables)?;
            report.write_files(common)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Fails if a claim is true no longer.
fn look_at_canaries(args: &canary::Args) -> anyhow::Result<ExitCode> {
    let measure = |words: &str| {
        let words = ["swim-sim"].into_iter().chain(words.split_whitespace());
        Ok(Cli::try_parse_from(words)?.command.measure()?.0)
    };
    let outcome = canary::run(args, measure)?;
    print(&outcome.tables)?;
    if outcome.broken.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("BROKEN: {}", outcome.broken.join(", "));
    Ok(ExitCode::FAILURE)
}

fn print(tables: &[Table]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match tables.iter().try_for_each(|table| writeln!(out, "{table}")) {
        // A reader of the beginning only, as `head` is, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_takes_settings_and_refuses_those_that_do_not_exist_or_fit() {
        for experiment in [
            "detect",
            "interval",
            "threshold",
            "pause",
            "loss",
            "churn",
            "partition",
            "scale",
            "conditions",
        ] {
            let parse = |set: &str| Cli::try_parse_from(["swim-sim", experiment, "--set", set]);
            let cli =
                parse("suspicion_min=2s,relays=5").map_err(|error| error.to_string()).unwrap();
            let common = cli.command.common().unwrap();
            common.check().unwrap();
            assert_eq!(common.settings(), [("suspicion_min", "2s"), ("relays", "5")]);
            let unknown = parse("sheep=5").map(drop).unwrap_err().to_string();
            assert!(unknown.contains("suspicion_min"), "{unknown}");
            let cli = parse("base_timeout=2s").map_err(|error| error.to_string()).unwrap();
            let wrong = format!("{:#}", cli.command.common().unwrap().check().unwrap_err());
            assert!(wrong.contains("base_timeout"), "{wrong}");
        }
    }

    #[test]
    fn the_experiment_of_each_canary_can_be_run() {
        for (name, words) in canary::experiments() {
            let words = ["swim-sim"].into_iter().chain(words.split_whitespace());
            let parsed = Cli::try_parse_from(words);
            assert!(
                parsed.is_ok(),
                "{name}: {}",
                parsed.err().map(|e| e.to_string()).unwrap_or_default()
            );
        }
    }
}
