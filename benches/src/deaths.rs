//! The times of deaths: when each of the others held a killed member dead.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use swimmer::NodeId;

/// Collects, for members that are killed one after the other, when each of the others held them
/// dead; and counts the deaths of members that nobody killed.
#[derive(Debug, Default)]
pub struct Deaths {
    /// The last one that was killed, and when.
    victim: Option<(NodeId, Instant)>,
    killed: BTreeSet<NodeId>,
    /// After how long each observer held the victim dead.
    known: BTreeMap<NodeId, Duration>,
    past: Vec<Death>,
    /// Times that an observer held a member dead that nobody had killed.
    false_deaths: u64,
}

/// After how long the first, half, and the last of the observers held one victim dead.
#[derive(Clone, Copy, Debug)]
struct Death {
    first: Duration,
    half: Duration,
    last: Duration,
}

impl Deaths {
    /// This member is killed at this moment.
    pub fn kill(&mut self, victim: NodeId, at: Instant) {
        self.victim = Some((victim, at));
        self.killed.insert(victim);
        self.known.clear();
    }

    /// An observer holds a member dead. Returns whether it is a member that nobody killed.
    pub fn saw(&mut self, observer: NodeId, dead: NodeId, at: Instant) -> bool {
        if !self.killed.contains(&dead) {
            self.false_deaths += 1;
            return true;
        }
        if let Some((victim, killed)) = self.victim
            && victim == dead
        {
            self.known.entry(observer).or_insert(at.saturating_duration_since(killed));
        }
        false
    }

    /// How many observers hold the last victim dead.
    pub fn known_to(&self) -> usize {
        self.known.len()
    }

    /// All know of the last victim: keeps its times, and returns them as a line.
    pub fn end(&mut self) -> String {
        let mut known: Vec<Duration> = std::mem::take(&mut self.known).into_values().collect();
        known.sort();
        let at = |place: usize| known.get(place).copied().unwrap_or(Duration::MAX);
        let last = known.len().saturating_sub(1);
        let death = Death { first: at(0), half: at(known.len() / 2), last: at(last) };
        self.past.push(death);
        let [first, half, last] = [death.first, death.half, death.last].map(|d| d.as_secs_f64());
        format!("first {first:>5.2} s, half {half:>5.2} s, all {last:>5.2} s")
    }

    /// Checks that all knew of each death within this many seconds.
    ///
    /// # Errors
    /// When a death took longer.
    pub fn check(&self, within: f64) -> Result<(), String> {
        let worst = self.past.iter().map(|death| death.last.as_secs_f64()).fold(0.0, f64::max);
        if worst > within {
            return Err(format!("a death was known to all after {worst:.2} s, not {within} s"));
        }
        Ok(())
    }

    /// A line for the first, half, and the last of the observers, and one for the false deaths.
    pub fn summary(&self) -> Vec<String> {
        let line = |name, time: fn(&Death) -> Duration| {
            format!("death, {name:<8}{}", spread(self.past.iter().map(time)))
        };
        vec![
            line("first", |death| death.first),
            line("half", |death| death.half),
            line("all", |death| death.last),
            format!("false deaths   {:>8}, each observer counted", self.false_deaths),
        ]
    }
}

/// The median, the least and the most.
fn spread(times: impl Iterator<Item = Duration>) -> String {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    let at = |place: usize| times.get(place).map_or(f64::NAN, Duration::as_secs_f64);
    let (median, least, most) = (at(times.len() / 2), at(0), at(times.len().saturating_sub(1)));
    format!("{median:>8.2} s median, {least:.2} to {most:.2} s in {} runs", times.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn each_observer_counts_once_and_others_than_the_last_victim_do_not() {
        let (mut deaths, start) = (Deaths::default(), Instant::now());
        deaths.kill(id(0), start);
        assert!(!deaths.saw(id(1), id(0), start + S));
        assert!(!deaths.saw(id(1), id(0), start + 9 * S), "it is known to that one already");
        assert!(!deaths.saw(id(2), id(0), start + 4 * S));
        assert_eq!(deaths.known_to(), 2);
        assert_eq!(deaths.end(), "first  1.00 s, half  4.00 s, all  4.00 s");

        deaths.kill(id(3), start + 20 * S);
        assert!(!deaths.saw(id(4), id(0), start + 21 * S), "an earlier victim");
        assert!(deaths.saw(id(4), id(1), start + 21 * S), "nobody killed it");
        assert_eq!(deaths.known_to(), 0);
        assert!(!deaths.saw(id(4), id(3), start + 22 * S));
        assert_eq!(deaths.end(), "first  2.00 s, half  2.00 s, all  2.00 s");
        assert_eq!(deaths.check(4.0), Ok(()));
        assert!(deaths.check(3.9).is_err());
        let summary = deaths.summary();
        assert!(summary[2].contains("4.00 s median, 2.00 to 4.00 s in 2 runs"), "{summary:?}");
        assert!(summary[3].contains(" 1, each"), "{summary:?}");
    }
}
