//! Processes that are killed one after the other, and when the others hold each dead.

use std::time::{Duration, Instant};

use benches::{Deaths, load};
use swimmer::Profile;

use crate::fleet::{Fleet, Seen};
use crate::{Result, say};

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the processes are left alone before each death.
const SETTLED: Duration = Duration::from_secs(10);

/// What is measured.
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    pub(crate) profile: Profile,
    /// How many percent of the datagrams an agent loses as they arrive.
    pub(crate) loss: u32,
    pub(crate) deaths: usize,
    pub(crate) within: Option<f64>,
    pub(crate) seed: u64,
}

/// Starts the processes, kills some, and says when the others held each dead.
///
/// # Errors
/// When an agent does not run, or a death is not known to all in time.
pub(crate) fn measure(plan: &Plan) -> Result<()> {
    let Plan { nodes, profile, loss, .. } = plan;
    say(&format!("{nodes} processes, profile {profile}, {loss} % loss, load {}", load()));
    let mut crashes = Crashes { fleet: Fleet::new(plan), deaths: Deaths::default() };
    for _ in 0..plan.nodes {
        crashes.fleet.start()?;
    }
    let started = Instant::now();
    crashes.until_all_see_all()?;
    let meeting = started.elapsed().as_secs_f64();
    say(&format!("  all see all    {meeting:>8.2} s after the last start"));
    for number in 0..plan.deaths {
        // At different moments of the period.
        crashes.run(SETTLED + Duration::from_millis(270 * number as u64 % 1_000))?;
        let line = crashes.kill_one(1 + number * 7 % (plan.nodes - 1))?;
        say(&format!("  death {number:>2}: {line}; load {}", load()));
        crashes.fleet.start()?;
        crashes.until_all_see_all()?;
    }
    crashes.deaths.summary().iter().for_each(|line| say(&format!("  {line}")));
    if let Some(within) = plan.within {
        crashes.deaths.check(within)?;
    }
    Ok(())
}

/// The processes, and the deaths that they see.
struct Crashes<'a> {
    fleet: Fleet<'a>,
    deaths: Deaths,
}

impl Crashes<'_> {
    /// Reads what the processes say for this long.
    fn run(&mut self, time: Duration) -> Result<()> {
        let end = Instant::now() + time;
        while let Some(seen) =
            self.fleet.next_seen(end.saturating_duration_since(Instant::now()))?
        {
            self.on_seen(seen);
        }
        Ok(())
    }

    fn until_all_see_all(&mut self) -> Result<()> {
        let began = Instant::now();
        while !self.fleet.all_see_all() {
            if began.elapsed() > PATIENCE {
                return Err(format!("not in {PATIENCE:?}: all see all").into());
            }
            self.run(Duration::from_millis(5))?;
        }
        Ok(())
    }

    /// Kills a process and waits until all others hold it dead.
    fn kill_one(&mut self, place: usize) -> Result<String> {
        let (victim, killed) = self.fleet.kill(place).ok_or("there is no such process")?;
        self.deaths.kill(victim, killed);
        while self.deaths.known_to() < self.fleet.len() {
            let left = (killed + PATIENCE).saturating_duration_since(Instant::now());
            let seen = self.fleet.next_seen(left)?.ok_or("a death was not seen")?;
            self.on_seen(seen);
        }
        Ok(self.deaths.end())
    }

    fn on_seen(&mut self, Seen { observer, dead, at }: Seen) {
        if self.deaths.saw(observer, dead, at) {
            say(&format!("  false death: {observer} holds {dead} dead"));
        }
    }
}
