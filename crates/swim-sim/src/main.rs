//! The simulator's program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use swim_sim::SoakArgs;

/// Clusters of real nodes under one virtual clock
#[derive(Parser)]
#[command(version)]
enum Command {
    /// Run random plans of faults by seeds, and check every step
    Soak(SoakArgs),
}

fn main() -> ExitCode {
    match Command::parse() {
        Command::Soak(args) => swim_sim::run_soak(&args),
    }
}
