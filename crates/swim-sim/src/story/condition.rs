//! What a story waits for, and what it expects.

use swim_membership::Counters;
use swim_proto::State;

use super::Stage;
use crate::cluster::{HostIx, Seen};
use crate::words::{TextError, Words};

/// Something that is so or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Sees(HostIx, HostIx, Option<State>),
    AllSee(HostIx, Option<State>),
    AllAgree,
    Saw(HostIx, HostIx, Seen),
    SomebodySaw(HostIx, Seen),
    NobodySaw(HostIx, Seen),
    Counted(HostIx, String),
}

impl Condition {
    pub(super) fn read(words: &mut Words<'_>) -> Result<Self, TextError> {
        if words.take("all") {
            if words.take("agree") {
                return Ok(Self::AllAgree);
            }
            words.expect("see")?;
            return Ok(Self::AllSee(words.host()?, read_state(words)?));
        }
        if words.take("somebody") {
            words.expect("saw")?;
            return Ok(Self::SomebodySaw(words.host()?, read_seen(words)?));
        }
        if words.take("nobody") {
            words.expect("saw")?;
            return Ok(Self::NobodySaw(words.host()?, read_seen(words)?));
        }
        let host = words.host()?;
        match words.word("`sees`, `saw` or `counted`")? {
            "sees" => Ok(Self::Sees(host, words.host()?, read_state(words)?)),
            "saw" => Ok(Self::Saw(host, words.host()?, read_seen(words)?)),
            "counted" => {
                let name = words.word("a counter")?.to_owned();
                counter(&Counters::default(), &name)?;
                Ok(Self::Counted(host, name))
            }
            other => Err(TextError::new(format!("`{other}` is nothing that a host does"))),
        }
    }

    pub(super) fn holds(&self, stage: &Stage) -> Result<bool, TextError> {
        let Some(cluster) = &stage.cluster else {
            return Err(TextError::new("there are no hosts yet"));
        };
        let saw = |by: Option<HostIx>, whom: HostIx, what: Seen| {
            let mut seen = stage.seen.iter();
            seen.any(|seen| {
                by.is_none_or(|by| by == seen.observer)
                    && seen.subject == cluster.id(whom)
                    && is_alike(seen.change, what)
            })
        };
        Ok(match self {
            Self::Sees(observer, subject, state) => cluster.sees(*observer, *subject) == *state,
            Self::AllSee(subject, state) => {
                let mut others = cluster.hosts().filter(|ix| ix != subject);
                others.all(|ix| !cluster.is_member(ix) || cluster.sees(ix, *subject) == *state)
            }
            Self::AllAgree => cluster.all_agree(),
            Self::Saw(observer, subject, what) => saw(Some(*observer), *subject, *what),
            Self::SomebodySaw(subject, what) => saw(None, *subject, *what),
            Self::NobodySaw(subject, what) => !saw(None, *subject, *what),
            Self::Counted(host, name) => {
                let before = stage.counted.get(host.0 as usize).copied().unwrap_or_default();
                let Some(node) = cluster.node(*host) else { return Ok(false) };
                counter(&node.stats().membership, name)? > counter(&before, name)?
            }
        })
    }
}

fn is_alike(a: Seen, b: Seen) -> bool {
    a == b || matches!((a, b), (Seen::Down { .. }, Seen::Down { .. }))
}

fn read_state(words: &mut Words<'_>) -> Result<Option<State>, TextError> {
    match words.word("a state")? {
        "alive" => Ok(Some(State::Alive)),
        "suspect" => Ok(Some(State::Suspect)),
        "dead" => Ok(Some(State::Dead)),
        "left" => Ok(Some(State::Left)),
        "nothing" => Ok(None),
        other => Err(TextError::new(format!("`{other}` is no state"))),
    }
}

fn read_seen(words: &mut Words<'_>) -> Result<Seen, TextError> {
    match words.word("what was seen")? {
        "joined" => Ok(Seen::Joined),
        "up" => Ok(Seen::Up),
        "suspected" => Ok(Seen::Suspected),
        "down" => Ok(Seen::Down { own: true }),
        "left" => Ok(Seen::Left),
        "updated" => Ok(Seen::Updated),
        "conflict" => Ok(Seen::Conflict),
        other => Err(TextError::new(format!("`{other}` cannot be seen"))),
    }
}

fn counter(counters: &Counters, name: &str) -> Result<u64, TextError> {
    Ok(match name {
        "probes_failed" => counters.probes_failed,
        "probes_indirect" => counters.probes_indirect,
        "connections_refused" => counters.connections_refused,
        "relayed" => counters.relayed,
        "suspicions_raised" => counters.suspicions_raised,
        "deaths_declared" => counters.deaths_declared,
        "refutations" => counters.refutations,
        "corrections" => counters.corrections,
        "conflicts" => counters.conflicts,
        other => return Err(TextError::new(format!("`{other}` is no counter that is known here"))),
    })
}
