//! The command line. What is wrong with it is said in one line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, ValueEnum};
use swimmer::Profile;

use crate::report;
use crate::tags::Tag;

/// What to print for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line an event for people, and the members below it.
    Text,
    /// A JSON object a line.
    Json,
}

/// A member of a cluster that finds the others, watches them and says what it sees.
#[derive(Debug, Parser)]
#[command(
    name = "swimmer",
    version,
    after_help = "\
Examples:
  swimmer _data1 cluster1 127.0.0.1:2552                  the first node of a cluster
  swimmer _data2 cluster1 127.0.0.1:2562 127.0.0.1:2552   another, with the first as its seed
  swimmer demo                                            a whole cluster, broken before your eyes

A folder named like a command is written ./demo."
)]
pub(crate) struct AgentArgs {
    /// Folder that keeps this node's identity; made if it is not there
    #[arg(env = "SWIMMER_DATA_DIR")]
    pub(crate) data_dir: PathBuf,
    /// Name of the cluster; nodes of other names are ignored
    #[arg(env = "SWIMMER_CLUSTER")]
    pub(crate) cluster: String,
    /// Address to listen on; port 0 lets the system choose
    #[arg(env = "SWIMMER_LISTEN")]
    pub(crate) listen: SocketAddr,
    /// Nodes to join by, each HOST:PORT; retried until one answers
    #[arg(env = "SWIMMER_SEEDS", value_delimiter = ',')]
    pub(crate) seeds: Vec<String>,
    /// Tell the others KEY=VALUE about this node; may be given more than once
    #[arg(long = "tag", value_name = "KEY=VALUE", env = "SWIMMER_TAGS", value_delimiter = ',')]
    pub(crate) tags: Vec<Tag>,
    /// Name of this node, for people [default: none]
    #[arg(long, env = "SWIMMER_NAME", default_value = "", hide_default_value = true)]
    pub(crate) name: String,
    /// Address at which the others reach this node, where that is not the one listened on
    #[arg(long, value_name = "ADDRESS", env = "SWIMMER_ADVERTISE")]
    pub(crate) advertise: Option<SocketAddr>,
    /// Timing: lan, fast, local or wan
    #[arg(long, env = "SWIMMER_PROFILE", default_value = "lan")]
    pub(crate) profile: Profile,
    /// What to print
    #[arg(long, env = "SWIMMER_FORMAT", value_enum, default_value = "text")]
    pub(crate) format: Format,
}

/// Runs a whole cluster in this process on loopback, and breaks it before your eyes.
#[derive(Debug, Parser)]
#[command(name = "swimmer demo", version)]
pub(crate) struct DemoArgs {
    /// How many nodes, 4 to 16
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(4..=16))]
    pub(crate) nodes: u8,
}

/// What the command line asks for.
pub(crate) enum Invocation {
    Agent(Box<AgentArgs>),
    Demo(DemoArgs),
    /// Help, the version, or a mistake: it was said already.
    Exit(ExitCode),
}

pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Invocation {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = if arguments.get(1).is_some_and(|first| first == "demo") {
        arguments.remove(1);
        DemoArgs::try_parse_from(arguments).map(Invocation::Demo)
    } else {
        AgentArgs::try_parse_from(arguments).map(|args| Invocation::Agent(Box::new(args)))
    };
    parsed.unwrap_or_else(|error| Invocation::Exit(explain(&error)))
}

fn explain(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A closed standard output leaves nobody to tell.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    // What is wrong, without the usage that follows an empty line.
    let lines = text.lines().take_while(|line| !line.is_empty() && !line.starts_with("Usage"));
    let wrong: Vec<&str> = lines.map(str::trim).collect();
    let wrong = wrong.join(" ");
    let wrong = wrong.strip_prefix("error: ").unwrap_or(&wrong);
    report::complain(&format!("{wrong}; try 'swimmer --help'"));
    ExitCode::from(2)
}
