//! Stories: a few hosts, what is done to them, what must come of it, and what was said and seen
//! meanwhile, in one text that a person can read.
//!
//! ```text
//! # What the story shows.
//! nodes 3                           three that know each other; `hosts 3`: none of them runs yet
//! show messages                     from here on; also `messages with ack, dead h2`, `events`,
//!                                   which are shown with messages too, and `nothing`
//!
//! crash h2
//!        0.000 h2 crashes
//! until all see h2 dead within 20s
//!        3.412 h0 sees h2 #1 down
//!        and so on
//! ```
//!
//! Lines at the margin are the script, indented ones the transcript that it has produced. The words
//! for what is done are those of [`Fault`]. Besides there are
//!
//! ```text
//! seed 7 | profile lan | network 200us 1ms       before the first hosts
//! start h1 h0                       h1 starts, and joins by h0
//! run 5s
//! until CONDITION within 20s        it comes true in that time
//! never CONDITION for 20s           it does not
//! expect CONDITION                  it is true now
//! forget                            what was seen and counted before does not count any more
//! ```
//!
//! and as conditions
//!
//! ```text
//! h0 sees h1 alive                  or suspect, dead, left, nothing
//! all see h1 dead                   all that run, but for h1 itself
//! all agree
//! h0 saw h1 down                    or joined, up, suspected, left, updated, conflict
//! somebody saw h1 down              nobody: the contrary
//! h1 counted refutations            and other counters of a node
//! ```

mod condition;

use std::str::FromStr;
use std::time::Duration;

use swim_membership::Counters;
use swimmer::{Config, Profile};

use crate::cluster::{Cluster, Observation, Options};
use crate::fault::Fault;
use crate::link::Conditions;
use crate::transcript::Detail;
use crate::words::{Span, TextError, Words};
use condition::Condition;

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A script, and the remarks in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    lines: Vec<String>,
}

impl FromStr for Story {
    type Err = TextError;

    /// Reads a story. The transcript in it is left out.
    fn from_str(text: &str) -> Result<Self, TextError> {
        let script = text.lines().filter(|line| !line.starts_with(' '));
        Ok(Self { lines: script.map(|line| line.trim_end().to_owned()).collect() })
    }
}

impl Story {
    /// Plays the story. Returns it with its transcript.
    ///
    /// # Errors
    /// When a line cannot be understood, something expected is not so, or an invariant is broken.
    pub fn tell(&self) -> Result<String, TextError> {
        let mut stage = Stage::new();
        let mut text = String::new();
        for (number, line) in self.lines.iter().enumerate() {
            text.push_str(line);
            text.push('\n');
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let told = stage.play(line).map_err(|error| {
                let lines = stage.last_lines().join("\n");
                TextError::new(format!("script line {}: `{line}`: {error}\n{lines}", number + 1))
            })?;
            for line in told {
                text.push_str("    ");
                text.push_str(&line);
                text.push('\n');
            }
        }
        Ok(text)
    }
}

/// What of the transcript is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Show {
    Nothing,
    Events,
    /// Events, and the messages in which one of these stands; all where there are none.
    Messages(Vec<String>),
}

struct Stage {
    options: Options,
    cluster: Option<Cluster>,
    show: Show,
    seen: Vec<Observation>,
    /// What each host had counted when the rest was forgotten.
    counted: Vec<Counters>,
}

impl Stage {
    fn new() -> Self {
        let mut options = Options::new(1, Config::preset(Profile::Lan));
        (options.detail, options.lines) = (Detail::Messages, usize::MAX);
        Self { options, cluster: None, show: Show::Events, seen: vec![], counted: vec![] }
    }

    /// Does what a line says, and returns what is to be shown of it.
    fn play(&mut self, line: &str) -> Result<Vec<String>, TextError> {
        let mut words = Words::new(line);
        let mut remark = None;
        match words.word("a command")? {
            "seed" => self.options.seed = words.value("a seed")?,
            "profile" => self.options.config = Config::preset(words.value("a profile")?),
            "network" if self.cluster.is_none() => {
                self.options.network = Conditions::read(&mut words)?;
            }
            "nodes" => {
                let count = words.value("how many")?;
                self.begin().warm(count);
            }
            "hosts" => {
                for _ in 0..words.value("how many")? {
                    self.begin().add();
                }
            }
            "show" => self.show = read_show(&mut words)?,
            "start" => {
                let (host, seeds) = (words.host()?, words.hosts()?);
                self.cluster()?.start(host, &seeds);
            }
            "run" => {
                let time = words.span()?;
                self.run(time)?;
            }
            "until" => {
                let condition = Condition::read(&mut words)?;
                words.expect("within")?;
                let after = self.until(&condition, words.span()?)?;
                remark = Some(format!("-- so it is after {}", Span(after)));
            }
            "never" => {
                let condition = Condition::read(&mut words)?;
                words.expect("for")?;
                let time = words.span()?;
                if let Ok(after) = self.until(&condition, time) {
                    return Err(TextError::new(format!("it is so after {}", Span(after))));
                }
            }
            "expect" => {
                let condition = Condition::read(&mut words)?;
                self.see()?;
                if !condition.holds(self)? {
                    return Err(TextError::new("it is not so"));
                }
            }
            "forget" => {
                self.see()?;
                self.seen.clear();
                self.counted = self.counters()?;
            }
            _ => {
                let fault: Fault = line.parse()?;
                let cluster = self.cluster()?;
                if let Some(host) = fault.hosts().into_iter().find(|host| host.0 >= cluster.len()) {
                    return Err(TextError::new(format!("there is no {host}")));
                }
                fault.apply(cluster);
                return Ok(self.shown(None));
            }
        }
        words.end()?;
        Ok(self.shown(remark))
    }

    fn begin(&mut self) -> &mut Cluster {
        self.cluster.get_or_insert_with(|| Cluster::new(self.options.clone()))
    }

    fn cluster(&mut self) -> Result<&mut Cluster, TextError> {
        self.cluster.as_mut().ok_or_else(|| TextError::new("there are no hosts yet"))
    }

    fn run(&mut self, time: Duration) -> Result<(), TextError> {
        let run = self.cluster()?.run_for(time);
        run.map_err(|violation| TextError::new(violation.to_string()))?;
        self.see()
    }

    /// Runs until a condition holds, and returns after which time that was.
    fn until(&mut self, condition: &Condition, limit: Duration) -> Result<Duration, TextError> {
        let began = self.cluster()?.now();
        self.see()?;
        while !condition.holds(self)? {
            if self.cluster()?.now() - began >= limit {
                return Err(TextError::new("it did not come true"));
            }
            self.run(LOOK_EVERY)?;
        }
        Ok(self.cluster()?.now() - began)
    }

    fn see(&mut self) -> Result<(), TextError> {
        let seen = self.cluster()?.take_observations();
        self.seen.extend(seen);
        Ok(())
    }

    fn counters(&mut self) -> Result<Vec<Counters>, TextError> {
        let cluster = self.cluster()?;
        let count = |ix| cluster.node(ix).map(|node| node.stats().membership).unwrap_or_default();
        Ok(cluster.hosts().map(count).collect())
    }

    fn shown(&mut self, remark: Option<String>) -> Vec<String> {
        let lines = self.cluster.as_mut().map(Cluster::take_lines).unwrap_or_default();
        let show = &self.show;
        let wanted = lines.into_iter().filter(|line| match show {
            Show::Nothing => false,
            Show::Events => !is_message(line),
            Show::Messages(words) => {
                let named = |word: &String| line.contains(word.as_str());
                !is_message(line) || words.is_empty() || words.iter().any(named)
            }
        });
        wanted.chain(remark).collect()
    }

    /// The end of what has happened, for the report of a failure.
    fn last_lines(&mut self) -> Vec<String> {
        let mut lines = self.cluster.as_mut().map(Cluster::take_lines).unwrap_or_default();
        lines.split_off(lines.len().saturating_sub(30))
    }
}

fn is_message(line: &str) -> bool {
    line.contains(" -> ") || line.contains(" => ") || line.contains(" nobody is at ")
}

fn read_show(words: &mut Words<'_>) -> Result<Show, TextError> {
    match words.word("`events`, `messages` or `nothing`")? {
        "events" => Ok(Show::Events),
        "nothing" => Ok(Show::Nothing),
        "messages" if words.take("with") => {
            let rest: Vec<&str> = std::iter::from_fn(|| words.next()).collect();
            Ok(Show::Messages(rest.join(" ").split(", ").map(str::to_owned).collect()))
        }
        "messages" => Ok(Show::Messages(Vec::new())),
        other => Err(TextError::new(format!("`{other}` cannot be shown"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tell(text: &str) -> Result<String, TextError> {
        text.parse::<Story>().unwrap().tell()
    }

    #[test]
    fn a_story_is_told_the_same_again_and_its_old_transcript_does_not_matter() {
        let script =
            "# Two.\nnodes 2\nshow messages\n\ncrash h1\nuntil h0 sees h1 dead within 60s\n";
        let told = tell(script).unwrap();
        assert!(told.contains("h0 -> h1: ping"), "{told}");
        assert!(told.lines().count() > script.lines().count());
        assert_eq!(tell(&told).unwrap(), told);
    }

    #[test]
    fn what_is_not_as_expected_is_said_with_its_line() {
        for (script, wrong) in [
            ("crash h0", "no hosts yet"),
            ("nodes 2\ncrash h2", "script line 2: `crash h2`: there is no h2"),
            ("nodes 2\nexpect h0 sees h1 dead", "it is not so"),
            ("nodes 2\nuntil h0 sees h1 dead within 1s", "did not come true"),
            ("nodes 2\nnever h0 sees h1 alive for 1s", "it is so after 0s"),
            ("nodes 2\nexpect h0 sees h1 well", "`well` is no state"),
            ("nodes 2\nexpect h0 counted sheep", "no counter"),
            ("nodes 2 3", "where the line should end"),
        ] {
            let error = tell(script).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
