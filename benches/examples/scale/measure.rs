//! The measurements, one after the other, and the table of their results.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use benches::load;
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};
use swim_transport::{Faulty, UdpTcp};
use swimmer::{Cluster, Profile};
use tokio::time::sleep;

use crate::crashes;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// How often the agents are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// With loss: how long the agents are left alone before a measurement.
const SETTLED: Duration = Duration::from_secs(10);
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
    /// How many deaths are measured, one after the other; 0 leaves them out.
    #[arg(long, default_value_t = 5)]
    deaths: usize,
    /// Fails if a death is known to all only after more than this many seconds.
    #[arg(long)]
    within: Option<f64>,
    /// How many percent of the datagrams each agent loses as they arrive.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=90))]
    loss: u32,
    /// The first seed of the losses.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How agents are started.
pub(crate) struct Setup {
    profile: Profile,
    /// How many percent of the datagrams an agent loses as they arrive.
    pub(crate) loss: u32,
    seed: u64,
}

impl Setup {
    /// Starts an agent, joining by the first of `agents`. No two of a run have the same number.
    pub(crate) async fn start(&self, agents: &[Cluster], number: usize) -> Result<Cluster> {
        let seeds = agents.first().map(|first| first.local_addr().to_string());
        let listen = "127.0.0.1:0".parse()?;
        let builder = Cluster::builder("scale").profile(self.profile).seeds(seeds);
        if self.loss == 0 {
            return Ok(builder.listen(listen).start().await?);
        }
        let transport = Faulty::new(UdpTcp::bind(listen).await?, self.seed + number as u64);
        transport.control().lose_on_receipt(10 * self.loss);
        Ok(builder.transport(transport).start().await?)
    }
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
    let setup = Setup { profile: args.profile, loss: args.loss, seed: args.seed };
    for &count in &args.nodes {
        let (profile, loss) = (setup.profile, setup.loss);
        say(&format!("{count} agents, profile {profile}, {loss} % loss, load {}", load()));
        let mut agents = meet(count, &setup).await?;
        for _ in 1..args.meetings {
            stop(agents).await;
            agents = meet(count, &setup).await?;
        }
        if args.rest > 0 {
            settle(&agents, &setup).await?;
            rest(&agents, Duration::from_secs(args.rest)).await;
        }
        if args.deaths > 0 {
            crashes::measure(&mut agents, args.deaths, args.within, &setup).await?;
        }
        stop(agents).await;
    }
    Ok(())
}

async fn stop(agents: Vec<Cluster>) {
    for agent in agents {
        agent.shutdown().await;
    }
}

/// Starts agents one after the other, all joining by the first, and measures the time from the last
/// start until all see all.
async fn meet(count: usize, setup: &Setup) -> Result<Vec<Cluster>> {
    let began = Instant::now();
    let mut agents = Vec::new();
    while agents.len() < count {
        agents.push(setup.start(&agents, agents.len()).await?);
    }
    let (starting, started, cpu) = (began.elapsed(), Instant::now(), cpu_time());
    until("all see all", || all_see_all(&agents)).await?;
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

pub(crate) fn all_see_all(agents: &[Cluster]) -> bool {
    let count = agents.len() as u64;
    agents.iter().all(|agent| agent.stats().members_present == count)
}

/// Waits until no update is queued. With loss a new suspicion may be queued at any moment, so it waits for
/// a fixed time.
pub(crate) async fn settle(agents: &[Cluster], setup: &Setup) -> Result<()> {
    if setup.loss > 0 {
        sleep(SETTLED).await;
        return Ok(());
    }
    let quiet = || agents.iter().all(|agent| agent.stats().updates_queued == 0);
    until("the news is told", quiet).await?;
    sleep(Duration::from_secs(3)).await;
    Ok(())
}

/// Sums over all agents.
struct Sums {
    datagrams: u64,
    received: u64,
    bytes: u64,
    exchanges: u64,
    suspicions: u64,
}

fn sums(agents: &[Cluster]) -> Sums {
    let mut sums = Sums { datagrams: 0, received: 0, bytes: 0, exchanges: 0, suspicions: 0 };
    for stats in agents.iter().map(Cluster::stats) {
        sums.datagrams += stats.wire.datagrams_out;
        sums.received += stats.wire.datagrams_in;
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
    let received = after.received - before.received;
    let bytes = after.bytes - before.bytes + datagrams * IP_HEADERS;
    let exchanges = after.exchanges - before.exchanges;
    say(&format!(
        "  CPU at rest    {:>8.5} s per agent and minute",
        cpu.as_secs_f64() * 60.0 / each
    ));
    say(&format!(
        "  datagrams      {:>8.2} per agent and second, {:.1} % of them received, {:.1} IP bytes; and \
         {:.2} exchanges a minute; {} suspicions",
        datagrams as f64 / each,
        received as f64 * 100.0 / datagrams as f64,
        bytes as f64 / each,
        exchanges as f64 * 60.0 / each,
        after.suspicions - before.suspicions,
    ));
}

pub(crate) async fn until(what: &str, mut done: impl FnMut() -> bool) -> Result<()> {
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
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
