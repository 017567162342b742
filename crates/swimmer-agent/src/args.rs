//! The command line. What is wrong with it is said in one line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use swimmer::Profile;

use crate::report;
use crate::tags::Tag;

/// The longest time that can be given: a day.
const SECONDS_MAX: u64 = 24 * 3_600;

/// How long a datagram may be allowed to be.
const DATAGRAM_BYTES: RangeInclusive<usize> = 800..=65_507;

/// What to print for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A line an event for people, and the members below it.
    Text,
    /// A JSON object a line.
    Json,
}

/// What to do where another process uses this node's host key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnConflict {
    /// Say so.
    Report,
    /// Say so; and end, with exit code 5, if the other has started earlier and answers.
    Exit,
}

/// A member of a cluster that finds the others, watches them and says what it sees.
#[derive(Debug, Parser)]
#[command(
    name = "swimmer",
    bin_name = "swimmer",
    version,
    after_help = "\
Examples:
  swimmer _data1 cluster1 127.0.0.1:2552                  the first node of a cluster
  swimmer _data2 cluster1 127.0.0.1:2562 127.0.0.1:2552   another, with the first as its seed
  swimmer demo                                            a whole cluster, broken before your eyes

A folder named like a command is written ./demo.

Events go to standard output; what the node says of itself, to standard error.
Ctrl-C, SIGTERM or SIGHUP (unless it was ignored at the start, as by nohup) leaves
gently; once more stops at once. SIGUSR1 prints the statistics to standard error.
The exit code is 0 after a leave, 2 for a command line that is wrong in itself (and
nothing was written), 5 where --on-conflict exit has ended it, and 1 where something
else is wrong: the address, the data folder, no seed in time."
)]
pub(crate) struct AgentArgs {
    /// Folder that keeps who this node is, and where the others were; made if it is not there
    #[arg(env = "SWIMMER_DATA_DIR")]
    pub(crate) data_dir: PathBuf,
    /// Name of the cluster, 1 to 64 bytes; nodes of other names are ignored
    #[arg(env = "SWIMMER_CLUSTER")]
    pub(crate) cluster: String,
    /// Address to listen on, IP:PORT; port 0 lets the system choose, 0.0.0.0 takes all interfaces
    #[arg(env = "SWIMMER_LISTEN", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// Nodes to join by, each HOST:PORT; retried until one answers (the variable: comma between)
    #[arg(value_name = "SEED", env = "SWIMMER_SEEDS")]
    pub(crate) seeds: Vec<String>,
    /// Tell the others KEY=VALUE about this node; may be given more than once, 512 bytes in all
    /// (the variable: comma between)
    #[arg(long = "tag", value_name = "KEY=VALUE", env = "SWIMMER_TAGS")]
    tag_texts: Vec<String>,
    #[arg(skip)]
    pub(crate) tags: Vec<Tag>,
    /// Name of this node, for people, up to 128 bytes [default: none]
    #[arg(long, env = "SWIMMER_NAME", default_value = "", hide_default_value = true)]
    pub(crate) name: String,
    /// Address at which the others reach this node, where that is not the one listened on [default, for
    /// a wildcard: this machine's on the route to a seed, else a private one, else a public one; followed
    /// when it changes]
    #[arg(long, value_name = "ADDRESS", env = "SWIMMER_ADVERTISE", value_parser = address)]
    pub(crate) advertise: Option<SocketAddr>,
    /// Timing, the same for all members: lan, fast, local or wan. A member that dies is found after the
    /// time that it has to refute and 1 s or less (wan: 5 s): lan 4 s, fast 2 s, local 1 s, wan 15 s; or
    /// after twice that in a cluster of two
    #[arg(long, env = "SWIMMER_PROFILE", default_value = "lan")]
    pub(crate) profile: Profile,
    /// The longest datagram that this node sends, without the headers of UDP and IP, 800 to 65507; where
    /// a path loses packets of more than 1280 bytes (a VPN), 1232 [default: 1400]
    #[arg(long, value_name = "BYTES", env = "SWIMMER_DATAGRAM_BYTES", value_parser = datagram_bytes)]
    pub(crate) datagram_bytes: Option<usize>,
    /// Pauses of this node of up to so long are no reason to declare it dead: garbage collection, a
    /// machine that is moved; the others wait for up to 12 s, 19 s in large clusters [default: the
    /// pauses that it measures]
    #[arg(long, value_name = "SECONDS", env = "SWIMMER_EXPECTS_PAUSES",
        value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    expects_pauses: Option<u64>,
    /// Give up, with exit code 1, when no seed has taken this node in by then; else it goes on alone
    /// and keeps trying
    #[arg(long, value_name = "SECONDS", env = "SWIMMER_JOIN_TIMEOUT",
        value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    join_timeout: Option<u64>,
    /// How long a leave may take while no member that stays has acknowledged it
    #[arg(long, value_name = "SECONDS", env = "SWIMMER_LEAVE_TIMEOUT", default_value_t = 3,
        value_parser = clap::value_parser!(u64).range(1..=60))]
    leave_timeout: u64,
    /// Say when the node has joined and so many members are present, itself included
    #[arg(long, value_name = "N", env = "SWIMMER_MIN_MEMBERS",
        value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) min_members: Option<u32>,
    /// What to do where another process uses this node's host key, as after a copied data folder: report
    /// says so, exit also ends the one of both that has started later, with exit code 5
    #[arg(
        long,
        value_name = "ACTION",
        env = "SWIMMER_ON_CONFLICT",
        value_enum,
        default_value = "report"
    )]
    pub(crate) on_conflict: OnConflict,
    /// What to print; docs/JSON.md has the lines of json
    #[arg(long, env = "SWIMMER_FORMAT", value_enum, default_value = "text")]
    pub(crate) format: Format,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    if text.contains('%') {
        return Err(
            "a zone ('%') means something on this machine only, so that the others cannot be told \
                    the address; give one that needs no zone"
                .into(),
        );
    }
    text.parse().map_err(|_| "an address is IP:PORT, as in 127.0.0.1:2552 or [::1]:2552".into())
}

fn datagram_bytes(text: &str) -> Result<usize, String> {
    let bytes = text.parse().ok().filter(|bytes| DATAGRAM_BYTES.contains(bytes));
    bytes.ok_or_else(|| {
        let (min, max) = DATAGRAM_BYTES.into_inner();
        format!("a datagram has {min} to {max} bytes: the longest record has to fit one, and UDP carries no more")
    })
}

impl AgentArgs {
    fn try_parse(arguments: Vec<OsString>) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(arguments)?;
        let mut args = Self::from_arg_matches(&matches)?;
        // A variable holds a list in one text; a value on the command line is one, commas included.
        let of_variable = |id| matches.value_source(id) == Some(ValueSource::EnvVariable);
        if of_variable("seeds") {
            args.seeds = list(&args.seeds.concat());
        }
        if of_variable("tag_texts") {
            args.tag_texts = list(&args.tag_texts.concat());
        }
        let tags = args.tag_texts.iter().map(|text| text.parse().map_err(|wrong| (text, wrong)));
        args.tags = tags.collect::<Result<_, (&String, String)>>().map_err(|(text, wrong)| {
            command.error(ErrorKind::ValueValidation, format!("invalid tag '{text}': {wrong}"))
        })?;
        Ok(args)
    }

    /// How long this node may be silent, where that was said.
    pub(crate) fn expects_pauses(&self) -> Option<Duration> {
        self.expects_pauses.map(Duration::from_secs)
    }

    /// How long the leave may take.
    pub(crate) fn leave_timeout(&self) -> Duration {
        Duration::from_secs(self.leave_timeout)
    }

    /// How long the join may take, if there is a limit.
    pub(crate) fn join_timeout(&self) -> Option<Duration> {
        self.join_timeout.map(Duration::from_secs)
    }
}

/// The parts of a list with commas, without empty ones.
fn list(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// Runs a whole cluster in this process on loopback, and breaks it before your eyes.
#[derive(Debug, Parser)]
#[command(name = "swimmer demo", bin_name = "swimmer demo", version)]
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
    // As of a program with subcommands: `help`, `help demo`.
    if arguments.get(1).is_some_and(|first| first == "help") {
        arguments.remove(1);
        arguments.truncate(2);
        arguments.push("--help".into());
    }
    let parsed = if arguments.get(1).is_some_and(|first| first == "demo") {
        arguments.remove(1);
        DemoArgs::try_parse_from(arguments).map(Invocation::Demo)
    } else {
        AgentArgs::try_parse(arguments).map(|args| Invocation::Agent(Box::new(args)))
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
    report::complain_of_usage(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use swimmer::Config;

    #[test]
    fn the_help_says_what_the_profiles_are_in_seconds() {
        let help = AgentArgs::command().render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for profile in Profile::ALL {
            let config = Config::preset(profile);
            let said = format!("{profile} {} s", config.suspicion_min().as_secs());
            assert!(help.contains(&said), "{said}: {help}");
            let period = if profile == Profile::Wan { 5 } else { 1 };
            assert!(config.period() <= Duration::from_secs(period), "{profile}");
        }
    }
}
