//! The agent's main job: be a member, and say what it sees until it is asked to leave.

use std::future::pending;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use swimmer::{Cluster, Config, Notice, Notices, RecordError, StartError};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::args::{AgentArgs, OnConflict};
use crate::feed::{Deed, Feed, deeds};
use crate::narrator::{Narrator, start_line};
use crate::printer::Printer;
use crate::reader;
use crate::report::{complain, complain_of_usage, tell, tell_lines};
use crate::signals::{INTERRUPTED, Signals, StatisticsSignal};
use crate::tags;

/// How long stopping may take, beside the leave.
const STOP_MAX: Duration = Duration::from_millis(500);
/// How long the last words may take on each output.
const LAST_WORDS_MAX: Duration = Duration::from_millis(200);
/// The exit code where the other process with this node's host key is to go on.
const CONFLICT: u8 = 5;

/// How this program ends.
struct Ending {
    /// The word for why.
    why: &'static str,
    exit_code: u8,
    /// To say goodbye would say it of the process that stays, too.
    leaves: bool,
}

impl Ending {
    fn leaving(why: &'static str, exit_code: u8) -> Self {
        Self { why, exit_code, leaves: true }
    }
}

/// Runs the agent. The node has one thread, which waits nearly all the time; what it says is
/// written by others, so that a terminal that is held up does not hold up the node.
pub(crate) fn main(args: AgentArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    let code = runtime.block_on(run(args));
    // Threads may still wait for a name server, or for somebody to read a full pipe.
    runtime.shutdown_background();
    code
}

async fn run(args: AgentArgs) -> ExitCode {
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => return fail(&error.to_string()),
    };
    let started = tokio::select! {
        // Nobody knows this node yet: there is nothing to leave.
        _ = signals.next() => return ExitCode::SUCCESS,
        started = start(&args) => started,
    };
    let cluster = match started {
        Ok(cluster) => cluster,
        Err(error) => return refuse(&error),
    };
    // Before the first event, but not for longer than anybody takes who reads.
    let _ = timeout(LAST_WORDS_MAX, tell(start_line(&cluster, &args))).await;
    let (done, deeds) = deeds();
    let started = Deed::Started {
        listen: cluster.local_addr(),
        cluster: args.cluster.clone(),
        preset: args.profile,
    };
    say_deed(&done, started);
    let feed = Feed {
        events: cluster.subscribe(),
        messages: cluster.messages(),
        notices: cluster.notices(),
        deeds,
    };
    let printer = Printer::new(args.format);
    tokio::spawn(Narrator::new(&cluster, &args).run());
    tokio::spawn(say_statistics(cluster.clone(), signals.take_statistics()));
    tokio::spawn(say_when_ready(cluster.clone(), args.min_members.is_some(), done.clone()));
    let mut printing = spawn_blocking(move || printer.print_all(feed));

    let (ending, printing) = tokio::select! {
        signal = signals.next() => {
            end_echo(signal).await;
            (Ending::leaving("signal", 0), Some(printing))
        }
        ended = &mut printing => (Ending::leaving("output", code_of(ended).await), None),
        () = reader::gone() => (Ending::leaving("output", 0), Some(printing)),
        wrong = join_failed(&cluster, args.join_timeout()) => {
            let _ = timeout(LAST_WORDS_MAX, tell(format!("swimmer: {wrong}"))).await;
            (Ending::leaving("not_joined", 1), Some(printing))
        }
        other = is_the_later(cluster.notices(), args.on_conflict) => {
            let wrong = format!("swimmer: another process uses this node's host key, at {other}; it \
                has started earlier and answers, so this one ends");
            let _ = timeout(LAST_WORDS_MAX, tell(wrong)).await;
            (Ending { why: "conflict", exit_code: CONFLICT, leaves: false }, Some(printing))
        }
    };
    signals.ignore_hang_up();
    say_deed(&done, Deed::Stopping { why: ending.why, exit_code: ending.exit_code });
    tokio::select! {
        code = signals.next() => ExitCode::from(code),
        () = end(&cluster, &args, printing, ending.leaves) => ExitCode::from(ending.exit_code),
    }
}

/// There is room for all that this program does in its life; once nobody prints any more it is not said.
fn say_deed(done: &mpsc::Sender<Deed>, deed: Deed) {
    let _ = done.try_send(deed);
}

/// Waits until another process with this node's id has answered that has started earlier, and returns
/// its address; for ever where that is no reason to end.
async fn is_the_later(mut notices: Notices, on_conflict: OnConflict) -> SocketAddr {
    if on_conflict == OnConflict::Exit {
        while let Some(notice) = notices.recv().await {
            if let Notice::StartedLater { other } = notice {
                return other;
            }
        }
    }
    pending().await
}

/// Waits until the time for the join is over, and says so.
async fn join_failed(cluster: &Cluster, limit: Option<Duration>) -> String {
    let Some(limit) = limit else { return pending().await };
    match timeout(limit, cluster.joined()).await {
        Ok(_) => pending().await,
        Err(_) => format!("no seed has taken this node in within {} s", limit.as_secs()),
    }
}

/// People are told only where they have asked for a number of members.
async fn say_when_ready(cluster: Cluster, tells: bool, done: mpsc::Sender<Deed>) {
    if cluster.ready().await.is_ok() {
        say_deed(&done, Deed::Ready);
        let present = cluster.members().present_count();
        if tells {
            tell(format!("ready; {present} members are present")).await;
        }
    }
}

/// Prints all that is counted, each time that somebody asks for it.
async fn say_statistics(cluster: Cluster, mut asked: StatisticsSignal) {
    loop {
        asked.next().await;
        let stats = cluster.stats();
        tell_lines(stats.named().map(|(name, value)| format!("{name} {value}")).collect()).await;
    }
}

/// The preset, and what is set beside it.
fn config(args: &AgentArgs) -> Result<Config, StartError> {
    let config = Config::builder(args.profile).leave_timeout(args.leave_timeout());
    let config = match args.datagram_bytes {
        Some(bytes) => config.datagram_bytes_max(bytes),
        None => config,
    };
    // The command line takes no values that make none.
    config.build().map_err(|error| StartError::System(io::Error::other(error.to_string())))
}

async fn start(args: &AgentArgs) -> Result<Cluster, StartError> {
    let mut builder = Cluster::builder(&args.cluster)
        .data_dir(&args.data_dir)
        .listen(args.listen)
        .seeds(&args.seeds)
        .name(&args.name)
        .metadata(tags::to_metadata(&args.tags))
        .config(config(args)?);
    if let Some(longest) = args.expects_pauses() {
        builder = builder.expects_pauses(longest);
    }
    if let Some(members) = args.min_members {
        builder = builder.min_members(members as usize);
    }
    if let Some(address) = args.advertise {
        builder = builder.advertise(address);
    }
    builder.start().await
}

/// Why there is no node: 2 for what the command line alone shows to be wrong, 1 for the rest.
fn refuse(error: &StartError) -> ExitCode {
    match error {
        StartError::Record(RecordError::MetadataTooLong(length)) => {
            complain_of_usage(&format!("the tags take {length} bytes; 512 bytes is the most"))
        }
        StartError::ClusterName(_)
        | StartError::Record(_)
        | StartError::Seed(_)
        | StartError::Zone(_)
        | StartError::Family { .. } => complain_of_usage(&error.to_string()),
        _ => fail(&error.to_string()),
    }
}

fn fail(wrong: &str) -> ExitCode {
    complain(wrong);
    ExitCode::FAILURE
}

/// The printing has ended before anybody asked. That nobody reads any more is a reason to leave,
/// no failure.
async fn code_of(printed: Result<io::Result<()>, JoinError>) -> u8 {
    let wrong = match printed {
        Ok(Ok(())) => "the node has stopped".to_owned(),
        Ok(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => return 0,
        Ok(Err(error)) => format!("cannot write to standard output: {error}"),
        Err(error) => error.to_string(),
    };
    let _ = timeout(LAST_WORDS_MAX, spawn_blocking(move || complain(&wrong))).await;
    1
}

/// A terminal shows a Ctrl-C as `^C` and stays in that line.
async fn end_echo(signal: u8) {
    if signal == INTERRUPTED && io::stderr().is_terminal() {
        let _ = timeout(LAST_WORDS_MAX, tell(String::new())).await;
    }
}

/// Leaves if that is wanted, stops the node, and lets the printer finish what it has begun.
async fn end(
    cluster: &Cluster,
    args: &AgentArgs,
    printing: Option<JoinHandle<io::Result<()>>>,
    leaves: bool,
) {
    let ending = timeout(args.leave_timeout() + STOP_MAX, async {
        let left = if leaves { Some(cluster.leave().await) } else { None };
        cluster.shutdown().await;
        left
    });
    let words = match ending.await {
        Ok(None) => "stopped without a leave".to_owned(),
        Ok(Some(Ok(report))) if report.told == 0 => "left; there was nobody to tell".to_owned(),
        Ok(Some(Ok(report))) if report.acknowledged == 0 => format!(
            "left; 0 of {} peers know: no member that stays has acknowledged it, and those that stay may \
             hold this node down",
            report.told
        ),
        Ok(Some(Ok(report))) => {
            format!("left; {} of {} peers know", report.acknowledged, report.told)
        }
        Ok(Some(Err(error))) => format!("swimmer: cannot leave: {error}"),
        Err(_) => "swimmer: stopped before the leave was done".to_owned(),
    };
    if let Some(printing) = printing {
        let _ = timeout(LAST_WORDS_MAX, printing).await;
    }
    let _ = timeout(LAST_WORDS_MAX, tell(words)).await;
}
