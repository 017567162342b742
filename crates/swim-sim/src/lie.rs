//! What a liar says, in values and in words.

use std::fmt;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::cluster::HostIx;
use crate::words::{TextError, Words};

/// What a liar forges. Each goes to every other host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// That a host is suspect, so far above its incarnation, accused by all.
    Suspect(HostIx, u64),
    /// That a host is dead.
    Dead(HostIx, u64),
    /// That a host has left.
    Left(HostIx, u64),
    /// That a host is alive with a record that is not its own.
    Alive(HostIx, u64),
    /// That there are so many more members.
    Phantoms(u32),
    /// Acks, nacks and leaves with random numbers.
    Noise(u32),
    /// Random bytes where parts and records should be, behind a good check.
    Garbage(u32),
    /// From now on it acks at once whatever it is asked to ping for others.
    AckForOthers,
    /// From now on it does nothing for others.
    Refuse,
}

impl Lie {
    pub(crate) fn random(rng: &mut Xoshiro256PlusPlus, hosts: u32) -> Self {
        let victim = HostIx(rng.random_range(0..hosts - 1));
        let above = match rng.random_range(0..5) {
            0 => 0,
            1 => 1,
            2 => 1 << 16,
            3 => (1 << 16) + 1,
            _ => u64::MAX,
        };
        // What all take for a member's own word moves the bound of the next. Whoever forges that
        // again and again can burn an identity; one datagram cannot.
        let above_alive = if above == 1 << 16 { 1 << 12 } else { above };
        match rng.random_range(0..9) {
            0 => Self::Suspect(victim, above),
            1 => Self::Dead(victim, above),
            2 => Self::Left(victim, above),
            3 => Self::Alive(victim, above_alive),
            4 => Self::Phantoms(rng.random_range(1..200)),
            5 => Self::Noise(rng.random_range(1..100)),
            6 => Self::Garbage(rng.random_range(1..100)),
            7 => Self::AckForOthers,
            _ => Self::Refuse,
        }
    }

    /// Whom it is about.
    pub(crate) fn victim(&self) -> Option<HostIx> {
        match *self {
            Self::Suspect(ix, _) | Self::Dead(ix, _) | Self::Left(ix, _) | Self::Alive(ix, _) => {
                Some(ix)
            }
            _ => None,
        }
    }

    pub(crate) fn read(words: &mut Words<'_>) -> Result<Self, TextError> {
        let above = |words: &mut Words<'_>| {
            Ok::<_, TextError>((words.host()?, words.value("how far above its incarnation")?))
        };
        Ok(match words.word("a lie")? {
            "suspect" => above(words).map(|(ix, above)| Self::Suspect(ix, above))?,
            "dead" => above(words).map(|(ix, above)| Self::Dead(ix, above))?,
            "left" => above(words).map(|(ix, above)| Self::Left(ix, above))?,
            "alive" => above(words).map(|(ix, above)| Self::Alive(ix, above))?,
            "phantoms" => Self::Phantoms(words.value("how many")?),
            "noise" => Self::Noise(words.value("how many")?),
            "garbage" => Self::Garbage(words.value("how many")?),
            "acks" => Self::AckForOthers,
            "refusal" => Self::Refuse,
            other => return Err(TextError::new(format!("`{other}` is no lie"))),
        })
    }
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Suspect(ix, above) => write!(f, "suspect {ix} {above}"),
            Self::Dead(ix, above) => write!(f, "dead {ix} {above}"),
            Self::Left(ix, above) => write!(f, "left {ix} {above}"),
            Self::Alive(ix, above) => write!(f, "alive {ix} {above}"),
            Self::Phantoms(count) => write!(f, "phantoms {count}"),
            Self::Noise(count) => write!(f, "noise {count}"),
            Self::Garbage(count) => write!(f, "garbage {count}"),
            Self::AckForOthers => f.write_str("acks"),
            Self::Refuse => f.write_str("refusal"),
        }
    }
}
