//! Agents in a process each over loopback, which lose datagrams as they arrive: how long a killed
//! process takes to be held dead by all.
//!
//! ```sh
//! cargo run --release -p benches --example processes -- --nodes 96 --loss 20 --deaths 10 --within 10
//! ```
//!
//! The program starts itself again as each agent. An agent ends with its standard input, so none outlives
//! the program. It measures time, so it wants a machine that does nothing else.

mod agent;
mod crashes;
mod fleet;
mod line;

use std::error::Error;
use std::io::Write;

use clap::Parser;
use swimmer::Profile;

use crashes::Plan;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Parser)]
#[command(name = "processes", about = "Agents in a process each, with loss: meeting and deaths")]
struct Args {
    /// How many processes.
    #[arg(long, default_value_t = 96)]
    nodes: usize,
    /// The preset of timing: lan, fast, local or wan.
    #[arg(long, default_value = "lan")]
    profile: Profile,
    /// How many percent of the datagrams each agent loses as they arrive.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(..=90))]
    loss: u32,
    /// How many processes are killed, one after the other; each is replaced.
    #[arg(long, default_value_t = 10)]
    deaths: usize,
    /// Fails if a death is known to all only after more than this many seconds.
    #[arg(long)]
    within: Option<f64>,
    /// The first seed of the losses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Be an agent, joining by this address or, if it is `first`, by none.
    #[arg(long, hide = true)]
    join: Option<String>,
}

fn main() -> Result<()> {
    let Args { nodes, profile, loss, deaths, within, seed, join } = Args::parse();
    match join {
        Some(join) => agent::run(&join, profile, loss, seed),
        None if nodes < 2 => Err("it takes two processes".into()),
        None => crashes::measure(&Plan { nodes, profile, loss, deaths, within, seed }),
    }
}

/// Says a line. A closed output leaves nobody to tell.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
