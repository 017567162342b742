//! Measures what a setting does before it is shipped: experiments on clusters of real nodes under
//! one virtual clock. Each prints a table, and writes JSON and a plot where asked.

mod experiments;

use std::io::{self, Write};

use clap::{Parser, Subcommand};

use experiments::{Report, churn, detect, interval, loss, partition, pause, scale, threshold};

/// Experiments on simulated clusters of swimmer's real nodes.
///
/// The same seed gives the same results, on any machine and any number of threads; only what is
/// said of speed and memory differs. Bytes are IP bytes: a datagram's payload and 28 for the
/// headers of IPv4 and UDP (48 with IPv6). Exchanges over TCP are counted apart: their frames, and
/// 52 bytes for each packet, the 9 that carry nothing included.
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
}

impl Command {
    fn run(&self) -> anyhow::Result<Report> {
        match self {
            Self::Detect(args) => detect::run(args),
            Self::Interval(args) => interval::run(args),
            Self::Threshold(args) => threshold::run(args),
            Self::Pause(args) => pause::run(args),
            Self::Loss(args) => loss::run(args),
            Self::Churn(args) => churn::run(args),
            Self::Partition(args) => partition::run(args),
            Self::Scale(args) => scale::run(args),
        }
    }

    fn common(&self) -> &experiments::Common {
        match self {
            Self::Detect(args) => &args.common,
            Self::Interval(args) => &args.common,
            Self::Threshold(args) => &args.common,
            Self::Pause(args) => &args.common,
            Self::Loss(args) => &args.common,
            Self::Churn(args) => &args.common,
            Self::Partition(args) => &args.common,
            Self::Scale(args) => &args.common,
        }
    }
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let report = cli.command.run()?;
    let mut out = io::stdout().lock();
    for table in &report.tables {
        writeln!(out, "{table}")?;
    }
    report.write_files(cli.command.common())
}
