//! Random runs: a seed makes a cluster and a plan of faults over time, then calm, in which all must
//! agree again. A plan is also a text, to be read in a report and run again:
//!
//! ```text
//! seed 416
//! profile lan
//! hosts 5 [joining] [skewed] [liar]
//! network 200us 1ms [tail 5] [loss 20] [doubled 1]
//! [bug RestartBelow]
//! 2.1s crash h2
//! 60s calm
//! ```

mod draw;
mod menu;
mod play;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use swim_membership::KnownBug;
use swimmer::{Config, Profile};

use crate::fault::Fault;
use crate::lie::Lie;
use crate::link::Conditions;
use crate::words::{Span, TextError, Words};

pub use play::{Outcome, Sightings};

/// What is done, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// How long a random plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Up to 24 nodes, at least a minute, 5 to 14 faults and more.
    Full,
    /// Up to 6 nodes, less than half a minute: for tests that are run often.
    Short,
}

impl Plan {
    /// How long after the beginning of calm all must agree: the suspicions that run then end, each
    /// dead member that is none is tried again some thirty times, and tables are compared. All that
    /// takes its turns, and phantoms take theirs too until they are found out.
    pub fn calm_max(&self) -> Duration {
        let phantoms = self.faults.iter().map(|(_, fault)| match fault {
            Fault::Lie(Lie::Phantoms(count)) => *count,
            _ => 0,
        });
        let turns = 40 + 4 * phantoms.sum::<u32>();
        // A process in a conflict rises above the other's word seldom, until the conflict is over (R4).
        let twins = self.faults.iter().any(|(_, fault)| matches!(fault, Fault::Twin(..)));
        let config = Config::preset(self.profile);
        let unit = config.sync_interval().max(Duration::from_secs(30));
        let conflict = if twins { unit * 8 } else { Duration::ZERO };
        config.healing_interval() * turns + conflict
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        writeln!(f, "profile {}", self.profile)?;
        write!(f, "hosts {}", self.hosts)?;
        let marks = [(!self.warm, "joining"), (self.skewed, "skewed"), (self.liar, "liar")];
        for (_, mark) in marks.iter().filter(|(set, _)| *set) {
            write!(f, " {mark}")?;
        }
        writeln!(f, "\nnetwork {}", self.network)?;
        if self.failing_writes > 0 {
            writeln!(f, "failing-writes {}", self.failing_writes)?;
        }
        if let Some(bug) = self.bug {
            writeln!(f, "bug {bug:?}")?;
        }
        for (at, fault) in &self.faults {
            writeln!(f, "{} {fault}", Span(*at))?;
        }
        write!(f, "{} calm", Span(self.calm_at))
    }
}

impl FromStr for Plan {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let mut plan = Self::empty();
        let mut calm = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if calm.is_some() {
                return Err(TextError::new("a plan ends with calm"));
            }
            plan.read_line(line, &mut calm)
                .map_err(|error| TextError::new(format!("line {}: {error}", number + 1)))?;
        }
        plan.calm_at = calm.ok_or_else(|| TextError::new("a plan ends with calm"))?;
        plan.check_hosts()?;
        Ok(plan)
    }
}

impl Plan {
    fn empty() -> Self {
        Self {
            seed: 0,
            profile: Profile::Lan,
            hosts: 3,
            warm: true,
            skewed: false,
            liar: false,
            failing_writes: 0,
            network: Conditions::LAN,
            faults: Vec::new(),
            calm_at: Duration::ZERO,
            bug: None,
        }
    }

    fn read_line(&mut self, line: &str, calm: &mut Option<Duration>) -> Result<(), TextError> {
        let mut words = Words::new(line);
        match words.word("what it is")? {
            "seed" => self.seed = words.value("a seed")?,
            "profile" => self.profile = words.value("a profile")?,
            "hosts" => {
                self.hosts = words.value("how many hosts there are")?;
                self.warm = !words.take("joining");
                self.skewed = words.take("skewed");
                self.liar = words.take("liar");
            }
            "network" => self.network = Conditions::read(&mut words)?,
            "failing-writes" => self.failing_writes = words.value("how many of 1,000")?,
            "bug" => self.bug = Some(read_bug(words.word("a known bug")?)?),
            at => {
                let Span(at) = at.parse()?;
                let (_, fault) = line.split_once(char::is_whitespace).unwrap_or_default();
                match fault.trim() {
                    "calm" => *calm = Some(at),
                    fault => self.faults.push((at, fault.parse()?)),
                }
                return Ok(());
            }
        }
        words.end()
    }

    fn check_hosts(&self) -> Result<(), TextError> {
        if !(1..=1_024).contains(&self.hosts) || self.liar && self.hosts < 2 {
            return Err(TextError::new("there are 1 to 1,024 hosts, and one beside a liar"));
        }
        let mut named = self.faults.iter().flat_map(|(_, fault)| fault.hosts());
        match named.find(|host| host.0 >= self.hosts) {
            Some(host) => Err(TextError::new(format!("there is no {host}"))),
            None => Ok(()),
        }
    }
}

/// A known bug by the name that it has in the code.
pub(crate) fn read_bug(name: &str) -> Result<KnownBug, TextError> {
    let found = KnownBug::ALL.into_iter().find(|bug| format!("{bug:?}") == name);
    found.ok_or_else(|| {
        TextError::new(format!("`{name}` is no known bug; there are {:?}", KnownBug::ALL))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_as_it_is_written() {
        for seed in 0..300 {
            for size in [Size::Full, Size::Short] {
                let plan = Plan::draw(seed, size);
                assert_eq!(plan.to_string().parse(), Ok(plan));
            }
        }
        let plan = Plan { bug: Some(KnownBug::NumberWraps), ..Plan::random(1) };
        assert_eq!(plan.to_string().parse(), Ok(plan));
    }

    #[test]
    fn a_plan_of_seeds_faults_and_calm_is_long_enough() {
        for seed in 0..300 {
            let plan = Plan::random(seed);
            assert!((3..=24).contains(&plan.hosts));
            assert!(plan.calm_at >= Duration::from_secs(60));
            assert!(plan.faults.len() >= 5);
            assert!(plan.faults.iter().all(|(at, _)| *at < plan.calm_at));
        }
    }

    #[test]
    fn what_is_wrong_with_a_plan_is_said() {
        for (text, wrong) in [
            ("hosts 3", "calm"),
            ("hosts 3\n1s crash h3\n2s calm", "no h3"),
            ("hosts 0\n2s calm", "1 to 1,024"),
            ("hosts 3\n1s burn h1\n2s calm", "line 2: `burn`"),
            ("bug Mine\n2s calm", "no known bug"),
            ("2s calm\n3s crash h0", "ends with calm"),
        ] {
            let error = text.parse::<Plan>().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
