//! Running a plan: faults by their time, then calm, then agreement.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use swimmer::Config;

use super::Plan;
use crate::check::Violation;
use crate::cluster::{Cluster, HostIx, Options, Seen, Traffic};
use crate::fault::Fault;
use crate::host::Skew;
use crate::transcript::Detail;

/// What came of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many inputs nodes were given.
    pub steps: u64,
    /// How long it took in the simulation's time.
    pub simulated: Duration,
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
    /// Records that changed.
    pub updated: u64,
    /// Nodes that found another process with their id.
    pub conflicts: u64,
    /// Broadcasts that arrived.
    pub messages: u64,
    /// Processes that crashed or were killed.
    pub crashes: u64,
    /// Environments.
    pub environments: u64,
}

impl Plan {
    /// Runs the plan, and returns the last lines of the transcript with what came of it.
    ///
    /// # Errors
    /// When an invariant is broken, a node panics, or not all agree in time after calm began.
    pub fn run(&self, detail: Detail) -> (Result<Outcome, Violation>, Vec<String>) {
        self.run_keeping(detail, crate::transcript::LINES_KEPT)
    }

    /// The same, with so many lines of the transcript.
    ///
    /// # Errors
    /// When an invariant is broken, a node panics, or not all agree in time after calm began.
    pub fn run_keeping(
        &self,
        detail: Detail,
        lines: usize,
    ) -> (Result<Outcome, Violation>, Vec<String>) {
        let mut options = Options::new(self.seed, Config::preset(self.profile));
        (options.detail, options.lines) = (detail, lines);
        (options.network, options.bug) = (self.network, self.bug);
        options.failing_writes = self.failing_writes;
        let mut cluster = Cluster::new(options);
        // What a panic leaves behind is only read: the lines so far.
        let played = catch_unwind(AssertUnwindSafe(|| self.play(&mut cluster)));
        let result = played.unwrap_or_else(|cause| {
            let what = format!("panicked: {}", crate::panics::words(&*cause));
            Err(Violation { seed: self.seed, at: cluster.now(), what })
        });
        (result, cluster.take_lines())
    }

    fn play(&self, cluster: &mut Cluster) -> Result<Outcome, Violation> {
        self.start(cluster)?;
        let began = cluster.now();
        for (at, fault) in &self.faults {
            cluster.run_until(began + *at)?;
            cluster.note(format_args!("-- {fault}"));
            fault.apply(cluster);
        }
        cluster.run_until(began + self.calm_at)?;
        cluster.calm();
        let limit = self.calm_max();
        let agreed =
            cluster.run_until_seen(Duration::from_millis(500), limit, Cluster::all_agree)?;
        let Some(agreed_after) = agreed else {
            let why = cluster.disagreement().unwrap_or_default();
            let what = format!("{} s after calm began, {why}", limit.as_secs());
            return Err(Violation { seed: self.seed, at: cluster.now(), what });
        };
        Ok(Outcome {
            steps: cluster.steps(),
            simulated: Duration::from_micros(cluster.now().as_micros()),
            agreed_after,
            traffic: cluster.traffic(),
            seen: self.count(cluster),
            hash: cluster.transcript().hash(),
        })
    }

    fn start(&self, cluster: &mut Cluster) -> Result<(), Violation> {
        if self.warm {
            cluster.warm(self.hosts);
        } else {
            for number in 0..self.hosts {
                let host = cluster.add_skewed(self.skew(number));
                let seeds = if number == 0 { vec![] } else { vec![HostIx(0)] };
                cluster.start(host, &seeds);
                cluster.run_for(Duration::from_millis(20))?;
            }
        }
        if self.liar {
            cluster.trust_nobody(HostIx(self.hosts - 1));
        }
        Ok(())
    }

    /// Fast and slow by turns, up to 5 %.
    fn skew(&self, number: u32) -> Skew {
        if !self.skewed {
            return Skew::default();
        }
        let offset = Duration::from_secs(u64::from(number) * 3);
        Skew { offset, rate_ppm: [0, 50_000, -50_000][number as usize % 3] }
    }

    fn count(&self, cluster: &mut Cluster) -> Sightings {
        let count = |is: fn(&Fault) -> bool| {
            self.faults.iter().filter(|(_, fault)| is(fault)).count() as u64
        };
        let mut seen = Sightings {
            crashes: count(|fault| matches!(fault, Fault::Crash(_) | Fault::Kill(_))),
            environments: count(
                |fault| matches!(fault, Fault::Under(environment) if !environment.is_clean()),
            ),
            ..Sightings::default()
        };
        for observation in cluster.take_observations() {
            *match observation.change {
                Seen::Joined => &mut seen.joined,
                Seen::Suspected => &mut seen.suspected,
                Seen::Up => &mut seen.refuted,
                Seen::Down { .. } => &mut seen.down,
                Seen::Left => &mut seen.left,
                Seen::Updated => &mut seen.updated,
                Seen::Conflict => &mut seen.conflicts,
                Seen::Message => &mut seen.messages,
                Seen::SlowNetwork | Seen::StartedLater => continue,
            } += 1;
        }
        seen
    }
}
