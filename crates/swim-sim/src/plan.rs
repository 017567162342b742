//! Random runs: a seed makes a cluster and a plan of faults over time, then calm, in which all must
//! agree again.

use std::fmt;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use swim_membership::KnownBug;
use swimmer::{Config, Profile};

use crate::check::Violation;
use crate::cluster::{Cluster, Data, HostIx, Options, Place, Seen, Traffic};
use crate::host::{Condition, Skew};
use crate::liar::Lie;
use crate::link::Conditions;
use crate::transcript::Detail;

/// One thing that is done to a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process ends without a word.
    Crash(HostIx),
    /// It starts, after a crash or while it runs.
    Restart(HostIx, Data, Place),
    /// It stands still.
    Pause(HostIx),
    /// Nothing goes in or out of it.
    Block(HostIx),
    /// It goes on.
    Resume(HostIx),
    /// It leaves gently.
    Leave(HostIx),
    /// It joins, again if it had left.
    Join(HostIx),
    /// It changes its metadata.
    Metadata(HostIx, u8),
    /// It broadcasts.
    Broadcast(HostIx),
    /// Nothing goes from the first to the second.
    Cut(HostIx, HostIx),
    /// Nothing goes in or out of it, or only in, or only out.
    Isolate(HostIx, Isolation),
    /// The hosts whose bit is set do not hear the others.
    Split(u32),
    /// All links differ from what they were.
    Network(Conditions),
    /// What a host sends is limited, in bytes a second.
    Rate(HostIx, u64),
    /// All cuts, splits and limits end.
    Heal,
    /// The liar forges.
    Lie(Lie),
}

/// How a host is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// It hears nobody.
    Deaf,
    /// Nobody hears it.
    Mute,
    /// Both.
    Both,
}

/// What is done, and when.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What decides everything that is left to chance in the run itself.
    pub seed: u64,
    /// The configuration of all nodes.
    pub profile: Profile,
    /// How many hosts there are at first.
    pub hosts: u32,
    /// Whether they have known each other for long, or join one by one.
    pub warm: bool,
    /// Whether their clocks differ.
    pub skewed: bool,
    /// Whether the last of them is a liar.
    pub liar: bool,
    /// How many of 1,000 writes to a disk fail.
    pub failing_writes: u32,
    /// The network to begin with.
    pub network: Conditions,
    /// The faults, by time since the start.
    pub faults: Vec<(Duration, Fault)>,
    /// When calm begins.
    pub calm_at: Duration,
    /// A fault of the code that was put back.
    pub bug: Option<KnownBug>,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many inputs nodes were given.
    pub steps: u64,
    /// How long after the calm began all agreed.
    pub agreed_after: Duration,
    /// What the network has carried and lost.
    pub traffic: Traffic,
    /// How often something was seen.
    pub seen: Sightings,
    /// The hash of all that happened.
    pub hash: u64,
}

/// How often members were seen to come, go and change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sightings {
    /// Newly present.
    pub joined: u64,
    /// Suspected.
    pub suspected: u64,
    /// Alive again: a suspicion or death refuted.
    pub refuted: u64,
    /// Held dead.
    pub down: u64,
    /// Left.
    pub left: u64,
    /// Processes that crashed.
    pub crashes: u64,
}

impl Plan {
    /// The plan of a seed.
    pub fn random(seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x706c_616e);
        let hosts = match rng.random_range(0..8) {
            0 => rng.random_range(12..=24),
            1 | 2 => rng.random_range(6..=12),
            _ => rng.random_range(3..=6),
        };
        let profile = match rng.random_range(0..4) {
            0 => Profile::Fast,
            1 => Profile::Local,
            _ => Profile::Lan,
        };
        let calm_at = Duration::from_secs(rng.random_range(60..=75));
        let liar = rng.random_range(0..10) == 0;
        let (warm, skewed) = (rng.random_range(0..3) > 0, rng.random_range(0..4) == 0);
        let network = draw_network(&mut rng, 20);
        // Whoever a liar has raised far above what is on its disk cannot come back under its id.
        let failing_writes = match rng.random_range(0..4) {
            0 if !liar => rng.random_range(1..=1_000),
            _ => 0,
        };
        let count = rng.random_range(5..=14);
        let mut faults = Vec::new();
        for _ in 0..count {
            let at = Duration::from_millis(rng.random_range(2_000..50_000));
            draw_fault(&mut rng, hosts, liar, at, &mut faults);
        }
        faults.sort_by_key(|(at, _)| *at);
        Self {
            seed,
            profile,
            hosts,
            warm,
            skewed,
            liar,
            failing_writes,
            network,
            faults,
            calm_at,
            bug: None,
        }
    }

    /// How long after the beginning of calm all must agree: the suspicions that run then end, each
    /// dead member that is none is tried again some thirty times, and tables are compared. All that
    /// takes its turns, and phantoms take theirs too until they are found out.
    pub fn calm_max(&self) -> Duration {
        let phantoms = self.faults.iter().map(|(_, fault)| match fault {
            Fault::Lie(Lie::Phantoms(count)) => *count,
            _ => 0,
        });
        Config::preset(self.profile).healing_interval() * (40 + 4 * phantoms.sum::<u32>())
    }

    /// Runs the plan.
    ///
    /// # Errors
    /// When an invariant is broken, or not all agree in time after calm began.
    pub fn run(&self, detail: Detail) -> (Result<Outcome, Violation>, Vec<String>) {
        let mut options = Options::new(self.seed, Config::preset(self.profile));
        options.detail = detail;
        options.network = self.network;
        options.bug = self.bug;
        options.failing_writes = self.failing_writes;
        let mut cluster = Cluster::new(options);
        let result = Run { plan: self, crashes: 0 }.play(&mut cluster);
        (result, cluster.take_lines())
    }
}

struct Run<'a> {
    plan: &'a Plan,
    crashes: u64,
}

impl Run<'_> {
    fn play(mut self, cluster: &mut Cluster) -> Result<Outcome, Violation> {
        self.start(cluster)?;
        let began = cluster.now();
        for (at, fault) in &self.plan.faults {
            cluster.run_until(began + *at)?;
            self.apply(cluster, fault);
        }
        cluster.run_until(began + self.plan.calm_at)?;
        calm(cluster);
        let limit = self.plan.calm_max();
        let agreed =
            cluster.run_until_seen(Duration::from_millis(500), limit, Cluster::all_agree)?;
        let Some(agreed_after) = agreed else {
            let why = cluster.disagreement().unwrap_or_default();
            let what = format!("{} s after calm began, {why}", limit.as_secs());
            return Err(Violation { seed: self.plan.seed, at: cluster.now(), what });
        };
        Ok(Outcome {
            steps: cluster.steps(),
            agreed_after,
            traffic: cluster.traffic(),
            seen: self.count(cluster),
            hash: cluster.transcript().hash(),
        })
    }

    fn start(&self, cluster: &mut Cluster) -> Result<(), Violation> {
        let hosts = self.plan.hosts;
        if self.plan.warm {
            cluster.warm(hosts);
        } else {
            for number in 0..hosts {
                let skew = match self.plan.skewed {
                    // Fast and slow by turns, up to 5 %.
                    true => Skew {
                        offset: Duration::from_secs(u64::from(number) * 3),
                        rate_ppm: [0, 50_000, -50_000][number as usize % 3],
                    },
                    false => Skew::default(),
                };
                let host = cluster.add_skewed(skew);
                let seeds = if number == 0 { vec![] } else { vec![HostIx(0)] };
                cluster.start(host, &seeds);
                cluster.run_for(Duration::from_millis(20))?;
            }
        }
        if self.plan.liar {
            cluster.trust_nobody(HostIx(hosts - 1));
        }
        Ok(())
    }

    fn apply(&mut self, cluster: &mut Cluster, fault: &Fault) {
        cluster.note(format_args!("-- {fault}"));
        match fault {
            Fault::Crash(ix) => {
                self.crashes += 1;
                cluster.crash(*ix);
            }
            Fault::Restart(ix, data, place) => cluster.restart(*ix, *data, *place, &seeds(cluster)),
            Fault::Pause(ix) => cluster.pause(*ix),
            Fault::Block(ix) => cluster.block(*ix),
            Fault::Resume(ix) => cluster.resume(*ix),
            Fault::Leave(ix) => cluster.leave(*ix),
            Fault::Join(ix) => cluster.join(*ix, &seeds(cluster)),
            Fault::Metadata(ix, value) => cluster.set_metadata(*ix, &[*value]),
            Fault::Broadcast(ix) => cluster.broadcast(*ix, b"hello"),
            Fault::Cut(from, to) => cluster.links.cut(from.0, to.0),
            Fault::Isolate(ix, how) => isolate(cluster, *ix, *how),
            Fault::Split(sides) => split(cluster, *sides),
            Fault::Network(conditions) => cluster.links.default = *conditions,
            Fault::Rate(ix, rate) => cluster.links.limit_rate(ix.0, *rate),
            Fault::Heal => cluster.links.heal(),
            Fault::Lie(lie) => cluster.lie(HostIx(self.plan.hosts - 1), lie),
        }
    }

    fn count(&self, cluster: &mut Cluster) -> Sightings {
        let mut seen = Sightings { crashes: self.crashes, ..Sightings::default() };
        for observation in cluster.take_observations() {
            match observation.change {
                Seen::Joined => seen.joined += 1,
                Seen::Suspected => seen.suspected += 1,
                Seen::Up => seen.refuted += 1,
                Seen::Down { .. } => seen.down += 1,
                Seen::Left => seen.left += 1,
                Seen::Updated | Seen::Conflict | Seen::Message => {}
            }
        }
        seen
    }
}

/// A restarted or returning host knows where everybody was last, whether they run or not: with
/// fewer seeds two of which nobody knows the other could never meet.
fn seeds(cluster: &Cluster) -> Vec<HostIx> {
    cluster.hosts().collect()
}

fn isolate(cluster: &mut Cluster, ix: HostIx, how: Isolation) {
    for other in cluster.hosts() {
        if how != Isolation::Mute {
            cluster.links.cut(other.0, ix.0);
        }
        if how != Isolation::Deaf {
            cluster.links.cut(ix.0, other.0);
        }
    }
}

fn split(cluster: &mut Cluster, sides: u32) {
    for host in cluster.hosts() {
        cluster.links.put_on_side(host.0, sides >> (host.0 % 32) & 1);
    }
}

/// All faults end; what is down stays down.
fn calm(cluster: &mut Cluster) {
    cluster.note(format_args!("-- calm"));
    cluster.links.default = Conditions::LAN;
    cluster.links.heal();
    for host in cluster.hosts() {
        if matches!(cluster.condition(host), Condition::Paused | Condition::Blocked) {
            cluster.resume(host);
        }
    }
    // Somebody must be there for the others to find.
    if cluster.hosts().all(|host| cluster.condition(host) == Condition::Down) {
        cluster.restart(HostIx(0), Data::Kept, Place::Same, &[]);
    }
}

fn draw_network(rng: &mut Xoshiro256PlusPlus, loss_max: u32) -> Conditions {
    let delay_max = match rng.random_range(0..4) {
        0 => Duration::from_millis(rng.random_range(5..150)),
        _ => Duration::from_millis(1),
    };
    let some = |rng: &mut Xoshiro256PlusPlus, max: u32| match rng.random_range(0..3) {
        0 => rng.random_range(0..=max),
        _ => 0,
    };
    Conditions {
        delay_min: Duration::from_micros(100),
        delay_max,
        tail: some(rng, 20),
        loss: some(rng, loss_max),
        duplication: some(rng, 100),
    }
}

/// Draws a fault and, for most, its end.
fn draw_fault(
    rng: &mut Xoshiro256PlusPlus,
    hosts: u32,
    liar: bool,
    at: Duration,
    faults: &mut Vec<(Duration, Fault)>,
) {
    let host = |rng: &mut Xoshiro256PlusPlus| HostIx(rng.random_range(0..hosts));
    let later = at + Duration::from_millis(rng.random_range(100..12_000));
    let (a, b) = (host(rng), host(rng));
    if liar && rng.random_range(0..2) == 0 {
        faults.push((at, Fault::Lie(Lie::random(rng, hosts))));
        return;
    }
    match rng.random_range(0..16) {
        0 => faults.push((at, Fault::Crash(a))),
        1 | 2 => {
            let data = if rng.random_range(0..4) == 0 { Data::Lost } else { Data::Kept };
            let place = if rng.random_range(0..2) == 0 { Place::New } else { Place::Same };
            faults.push((at, Fault::Crash(a)));
            faults.push((later, Fault::Restart(a, data, place)));
        }
        3 => {
            faults.push((at, Fault::Pause(a)));
            faults.push((later, Fault::Resume(a)));
        }
        4 => {
            faults.push((at, Fault::Block(a)));
            faults.push((later, Fault::Resume(a)));
        }
        5 => faults.push((at, Fault::Leave(a))),
        6 => {
            faults.push((at, Fault::Leave(a)));
            faults.push((later, Fault::Join(a)));
        }
        7 => faults.push((at, Fault::Metadata(a, rng.random()))),
        8 => faults.push((at, Fault::Broadcast(a))),
        9 => {
            faults.push((at, Fault::Cut(a, b)));
            faults.push((later, Fault::Heal));
        }
        10 => {
            let how = match rng.random_range(0..3) {
                0 => Isolation::Deaf,
                1 => Isolation::Mute,
                _ => Isolation::Both,
            };
            faults.push((at, Fault::Isolate(a, how)));
            faults.push((later + later / 2, Fault::Heal));
        }
        11 => {
            faults.push((at, Fault::Split(rng.random())));
            faults.push((later + later / 2, Fault::Heal));
        }
        12 => faults.push((at, Fault::Network(draw_network(rng, 300)))),
        13 => {
            faults.push((at, Fault::Rate(a, rng.random_range(200..20_000))));
            faults.push((later, Fault::Heal));
        }
        14 => {
            // A crash, quick as a supervisor is.
            faults.push((at, Fault::Crash(a)));
            let again = at + Duration::from_millis(rng.random_range(1..300));
            faults.push((again, Fault::Restart(a, Data::Kept, Place::Same)));
        }
        _ => {
            // Several at once.
            for n in 0..rng.random_range(2..=hosts.max(3) / 2 + 1) {
                let victim = HostIx((a.0 + n) % hosts);
                faults.push((at, Fault::Crash(victim)));
                faults.push((later, Fault::Restart(victim, Data::Kept, Place::Same)));
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(ix) => write!(f, "crash h{}", ix.0),
            Self::Restart(ix, data, place) => {
                write!(f, "restart h{} (data {data:?}, place {place:?})", ix.0)
            }
            Self::Pause(ix) => write!(f, "pause h{}", ix.0),
            Self::Block(ix) => write!(f, "block h{}", ix.0),
            Self::Resume(ix) => write!(f, "resume h{}", ix.0),
            Self::Leave(ix) => write!(f, "leave h{}", ix.0),
            Self::Join(ix) => write!(f, "join h{}", ix.0),
            Self::Metadata(ix, value) => write!(f, "metadata h{} {value}", ix.0),
            Self::Broadcast(ix) => write!(f, "broadcast h{}", ix.0),
            Self::Cut(from, to) => write!(f, "cut h{} -> h{}", from.0, to.0),
            Self::Isolate(ix, how) => write!(f, "isolate h{} ({how:?})", ix.0),
            Self::Split(sides) => write!(f, "split {sides:#b}"),
            Self::Network(c) => write!(
                f,
                "network {:?} to {:?}, tail {}, loss {}, duplication {} of 1,000",
                c.delay_min, c.delay_max, c.tail, c.loss, c.duplication
            ),
            Self::Rate(ix, rate) => write!(f, "rate h{} {rate} B/s", ix.0),
            Self::Heal => write!(f, "heal"),
            Self::Lie(lie) => write!(f, "lie {lie:?}"),
        }
    }
}
