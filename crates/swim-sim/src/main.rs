//! The simulator's program: experiments that measure what a setting does before it is shipped, and
//! random plans of faults that are checked at every step.

#![forbid(unsafe_code)]

mod experiments;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use swim_sim::SoakArgs;

use experiments::{
    Common, Report, churn, conditions, detect, interval, loss, partition, pause, scale, threshold,
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
    /// Run random plans of faults by seeds, and check every step.
    Soak(SoakArgs),
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let (report, common) = match &cli.command {
        Command::Detect(args) => (detect::run(args)?, &args.common),
        Command::Interval(args) => (interval::run(args)?, &args.common),
        Command::Threshold(args) => (threshold::run(args)?, &args.common),
        Command::Pause(args) => (pause::run(args)?, &args.common),
        Command::Loss(args) => (loss::run(args)?, &args.common),
        Command::Churn(args) => (churn::run(args)?, &args.common),
        Command::Partition(args) => (partition::run(args)?, &args.common),
        Command::Scale(args) => (scale::run(args)?, &args.common),
        Command::Conditions(args) => (conditions::run(args)?, &args.common),
        Command::Soak(args) => return Ok(swim_sim::run_soak(args)),
    };
    print(&report, common)?;
    Ok(ExitCode::SUCCESS)
}

fn print(report: &Report, common: &Common) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match report.tables.iter().try_for_each(|table| writeln!(out, "{table}")) {
        // Whoever reads only the beginning, as `head` does, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    report.write_files(common)
}
