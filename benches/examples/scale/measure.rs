//! The measurements, one after the other, and the table of their results.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use swimmer::{Change, Cluster, Event, NodeId, Profile};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the agents are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Bytes of the headers of IPv4 and UDP.
const IP_HEADERS: u64 = 28;
/// Descriptors of an agent: two sockets, and a connection now and then; and of the process.
const FILES_EACH: u64 = 3;
const FILES_REST: u64 = 256;

#[derive(Parser)]
#[command(name = "scale", about = "Many agents in one process: meeting, rest, and deaths")]
struct Args {
    /// How many agents; may be given more than once.
    #[arg(long, default_values_t = [128])]
    nodes: Vec<usize>,
    /// The preset of timing: lan, fast, local or wan.
    #[arg(long, default_value = "lan")]
    profile: Profile,
    /// How often the meeting is measured.
    #[arg(long, default_value_t = 1)]
    meetings: usize,
    /// For how many seconds the rest is measured; 0 leaves it out.
    #[arg(long, default_value_t = 60)]
    rest: u64,
    /// How many deaths are measured; 0 leaves them out.
    #[arg(long, default_value_t = 5)]
    deaths: usize,
}

/// Reads the arguments and measures.
pub(crate) fn main() -> Result<()> {
    let args = Args::parse();
    let most = args.nodes.iter().copied().max().unwrap_or(0) as u64;
    allow_files(most * FILES_EACH + FILES_REST)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    // On a worker, so that no third thread takes part.
    runtime.block_on(async { tokio::spawn(measure(args)).await })?
}

/// Raises the soft limit on open files, as far as the hard one allows.
fn allow_files(wanted: u64) -> Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    if maximum.is_some_and(|maximum| maximum < wanted) {
        return Err(format!(
            "so many agents take {wanted} open files, and the limit is {maximum:?}"
        )
        .into());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })?)
}

async fn measure(args: Args) -> Result<()> {
    for &count in &args.nodes {
        say(&format!("{count} agents, profile {}", args.profile));
        let mut agents = meet(count, args.profile).await?;
        for _ in 1..args.meetings {
            stop(agents).await;
            agents = meet(count, args.profile).await?;
        }
        if args.rest > 0 {
            settle(&agents).await?;
            rest(&agents, Duration::from_secs(args.rest)).await;
        }
        if args.deaths > 0 {
            die(&mut agents, args.deaths, args.profile).await?;
        }
        stop(agents).await;
    }
    Ok(())
}

async fn start(seed: Option<&Cluster>, profile: Profile) -> Result<Cluster> {
    let seeds = seed.map(|seed| seed.local_addr().to_string());
    let listen = "127.0.0.1:0".parse()?;
    Ok(Cluster::builder("scale").listen(listen).profile(profile).seeds(seeds).start().await?)
}

async fn stop(agents: Vec<Cluster>) {
    for agent in agents {
        agent.shutdown().await;
    }
}

/// Starts agents one after the other, all joining by the first, and measures the time from the last
/// start until all see all.
async fn meet(count: usize, profile: Profile) -> Result<Vec<Cluster>> {
    let began = Instant::now();
    let mut agents = vec![start(None, profile).await?];
    while agents.len() < count {
        agents.push(start(agents.first(), profile).await?);
    }
    let (starting, started, cpu) = (began.elapsed(), Instant::now(), cpu_time());
    let all = |agents: &[Cluster]| {
        agents.iter().all(|agent| agent.stats().members_present == count as u64)
    };
    until("all see all", || all(&agents)).await?;
    let (meeting, cpu) = (started.elapsed(), cpu_time() - cpu);
    let false_alarms: u64 =
        agents.iter().map(|agent| agent.stats().membership.suspicions_raised).sum();
    let failed: u64 = agents.iter().map(|agent| agent.stats().wire.exchanges_failed).sum();
    say(&format!(
        "  all see all    {:>8.2} s after the last start ({:.2} s of starting before it, {:.2} s of \
         CPU after it; {failed} exchanges failed, {false_alarms} suspicions)",
        meeting.as_secs_f64(),
        starting.as_secs_f64(),
        cpu.as_secs_f64(),
    ));
    Ok(agents)
}

/// Waits until nothing is left to be told.
async fn settle(agents: &[Cluster]) -> Result<()> {
    let quiet = || agents.iter().all(|agent| agent.stats().updates_queued == 0);
    until("the news is told", quiet).await?;
    sleep(Duration::from_secs(3)).await;
    Ok(())
}

/// Sums over all agents.
struct Sums {
    datagrams: u64,
    bytes: u64,
    exchanges: u64,
    suspicions: u64,
}

fn sums(agents: &[Cluster]) -> Sums {
    let mut sums = Sums { datagrams: 0, bytes: 0, exchanges: 0, suspicions: 0 };
    for stats in agents.iter().map(Cluster::stats) {
        sums.datagrams += stats.wire.datagrams_out;
        sums.bytes += stats.wire.bytes_out;
        sums.exchanges += stats.wire.exchanges;
        sums.suspicions += stats.membership.suspicions_raised;
    }
    sums
}

/// Measures what agents with nothing to say cost.
async fn rest(agents: &[Cluster], time: Duration) {
    let (before, cpu, began) = (sums(agents), cpu_time(), Instant::now());
    sleep(time).await;
    let (after, cpu, time) = (sums(agents), cpu_time() - cpu, began.elapsed().as_secs_f64());
    let each = agents.len() as f64 * time;
    let datagrams = after.datagrams - before.datagrams;
    let bytes = after.bytes - before.bytes + datagrams * IP_HEADERS;
    let exchanges = after.exchanges - before.exchanges;
    say(&format!(
        "  CPU at rest    {:>8.5} s per agent and minute",
        cpu.as_secs_f64() * 60.0 / each
    ));
    say(&format!(
        "  datagrams      {:>8.2} per agent and second, {:.1} IP bytes; and {:.2} exchanges a minute; \
         {} suspicions",
        datagrams as f64 / each,
        bytes as f64 / each,
        exchanges as f64 * 60.0 / each,
        after.suspicions - before.suspicions,
    ));
}

/// Drops agents one after the other, each replaced after its death, and measures when the first and
/// the last of the others hold it dead.
async fn die(agents: &mut Vec<Cluster>, deaths: usize, profile: Profile) -> Result<()> {
    let (mut firsts, mut halves, mut lasts) = (Vec::new(), Vec::new(), Vec::new());
    for death in 0..deaths {
        settle(agents).await?;
        // At different moments of the period.
        sleep(Duration::from_millis(270 * death as u64 % 1_000)).await;
        let victim = agents.remove(1 + death * 7 % (agents.len() - 1));
        let mut seen = see_dead(agents, victim).await?;
        seen.sort();
        firsts.extend(seen.first());
        halves.extend(seen.get(seen.len() / 2));
        lasts.extend(seen.last());
        agents.push(start(agents.first(), profile).await?);
        let count = agents.len() as u64;
        until("all see the new one", || {
            agents.iter().all(|agent| agent.stats().members_present == count)
        })
        .await?;
    }
    for (name, times) in [("first", firsts), ("half", halves), ("last", lasts)] {
        say(&format!("  death, {name:<8}{}", spread(times)));
    }
    Ok(())
}

/// When each of the agents held the victim dead, from the moment on at which it was dropped.
async fn see_dead(agents: &[Cluster], victim: Cluster) -> Result<Vec<Duration>> {
    let id = victim.id();
    let mut watchers = JoinSet::new();
    let dropped = Instant::now();
    for agent in agents {
        watchers.spawn(watch(agent.clone(), id, dropped));
    }
    drop(victim);
    timeout(PATIENCE, watchers.join_all()).await.map_err(|_| "a death was not seen".into())
}

async fn watch(agent: Cluster, id: NodeId, dropped: Instant) -> Duration {
    let mut events = agent.subscribe();
    while let Some(update) = events.recv().await {
        if matches!(&update.change, Change::Event(Event::Down(member, _)) if member.id == id) {
            break;
        }
    }
    dropped.elapsed()
}

/// The median, the least and the most.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |place: usize| times.get(place).map_or(f64::NAN, Duration::as_secs_f64);
    let (median, least, most) = (at(times.len() / 2), at(0), at(times.len().saturating_sub(1)));
    format!("{median:>8.2} s median, {least:.2} to {most:.2} s in {} runs", times.len())
}

async fn until(what: &str, mut done: impl FnMut() -> bool) -> Result<()> {
    let began = Instant::now();
    while !done() {
        if began.elapsed() > PATIENCE {
            return Err(format!("not in {PATIENCE:?}: {what}").into());
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// What this process has used of the processors.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Says a line of the result. A closed output leaves nobody to tell.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
