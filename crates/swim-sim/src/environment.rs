//! Environments: conditions under which a cluster runs. Each is a small value with a name and up to
//! two parameters.
//!
//! ```text
//! loss:20          20 % of all packets are lost
//! starved:50       half of the members get no CPU for 0.2 to 3 s, again and again
//! far:0.6          the round trip between 10 % of the members and all others is 0.6 s
//! ```
//!
//! [`Cluster::enter`](crate::Cluster::enter) begins one. It acts on packets and hosts, beside all
//! that an experiment or a plan does, until the next one begins; `clean` only ends it. It has its own
//! random generator, so that a cluster without an environment draws the numbers that it always drew.
//!
//! A member is *healthy* if it runs, its environment neither pauses nor blocks nor slows its process,
//! and none of its links is worse than uniform loss. If an environment makes the links of some
//! members worse, a link between one of them and another member counts as a link of the former only.
//! `docs/experiments/conditions.md` describes all environments.

mod active;
mod burst;
mod clock;
mod delay;
mod gray;
mod loss;
mod packet;
mod setup;
mod stall;
#[cfg(test)]
mod tests;
mod turnover;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

use crate::words::TextError;

pub(crate) use active::Active;
pub use active::Health;
pub(crate) use packet::{Carried, Judges, Kind, Packet, Verdict};
pub(crate) use setup::{Prepared, Setup};

/// The most parameters that an environment has.
const PARAMETERS_MAX: usize = 2;

/// Conditions under which a cluster runs.
#[derive(Clone, Copy, Debug)]
pub struct Environment {
    entry: &'static Entry,
    /// In thousandths, one for each parameter of the entry.
    values: [u32; PARAMETERS_MAX],
}

/// One line of the catalogue.
#[derive(Debug)]
pub(crate) struct Entry {
    name: &'static str,
    parameters: &'static [Parameter],
    about: &'static str,
    begin: fn(&mut Setup<'_>),
}

/// What a number after the name means.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    /// What it is, with its unit.
    what: &'static str,
    /// In thousandths.
    default: u32,
    /// In thousandths.
    max: u32,
}

impl Parameter {
    /// A percentage.
    const fn percent(what: &'static str, default: u32) -> Self {
        Self { what, default: default * 1_000, max: 100_000 }
    }

    /// A whole number.
    const fn count(what: &'static str, default: u32, max: u32) -> Self {
        Self { what, default: default * 1_000, max: max * 1_000 }
    }

    /// A time in milliseconds.
    const fn millis(what: &'static str, default: u32) -> Self {
        Self { what, default: default * 1_000, max: 3_600_000 }
    }

    /// A time in seconds.
    const fn seconds(what: &'static str, default_millis: u32) -> Self {
        Self { what, default: default_millis, max: 3_600_000 }
    }
}

/// The families of environments, in the order in which they are listed.
const FAMILIES: [&[Entry]; 6] = [
    loss::ENTRIES,
    delay::ENTRIES,
    stall::ENTRIES,
    gray::ENTRIES,
    clock::ENTRIES,
    turnover::ENTRIES,
];

impl Environment {
    /// Nothing is wrong.
    pub fn clean() -> Self {
        Self::of("clean").expect("the catalogue begins with it")
    }

    /// All environments, with the defaults of their parameters.
    pub fn all() -> impl Iterator<Item = Self> {
        FAMILIES.into_iter().flatten().map(Self::with_defaults)
    }

    /// Draws an environment, and its first parameter, up to twice the default.
    pub(crate) fn draw(rng: &mut Xoshiro256PlusPlus) -> Self {
        let all: Vec<Self> = Self::all().filter(|known| !known.is_clean()).collect();
        let mut drawn = all[rng.random_range(0..all.len())];
        if let Some(parameter) = drawn.entry.parameters.first() {
            // In tenths of the default; whole numbers stay whole.
            let tenths = rng.random_range(1..=20);
            let step = if parameter.default < 10_000 { 100 } else { 1_000 };
            let value = (parameter.default * tenths / 10).next_multiple_of(step);
            drawn.values[0] = value.min(parameter.max);
        }
        drawn
    }

    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        *self == Self::clean()
    }

    /// What it does, in a line.
    pub fn about(&self) -> &'static str {
        self.entry.about
    }

    /// What its parameters mean, in their order.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.entry.parameters.iter().map(|parameter| parameter.what)
    }

    /// Its name and all parameters.
    pub fn in_full(&self) -> String {
        self.text(self.entry.parameters.len())
    }

    /// Its name and its first parameters.
    fn text(&self, parameters: usize) -> String {
        let mut text = self.entry.name.to_owned();
        for value in &self.values[..parameters] {
            text.push(':');
            text.push_str(&decimal(*value));
        }
        text
    }

    pub(crate) fn begin(&self, setup: &mut Setup<'_>) {
        (self.entry.begin)(setup);
    }

    /// The value of a percentage, per mille.
    pub(crate) fn per_mille(&self, at: usize) -> u32 {
        self.values[at] / 100
    }

    /// The value of a time in seconds.
    pub(crate) fn span(&self, at: usize) -> Duration {
        Duration::from_millis(u64::from(self.values[at]))
    }

    /// The value of a whole number.
    pub(crate) fn count(&self, at: usize) -> u32 {
        self.values[at] / 1_000
    }

    /// The value of a time in milliseconds.
    pub(crate) fn millis(&self, at: usize) -> Duration {
        Duration::from_micros(u64::from(self.values[at]))
    }

    fn of(name: &str) -> Option<Self> {
        Self::all().find(|environment| environment.entry.name == name)
    }

    fn with_defaults(entry: &'static Entry) -> Self {
        let mut values = [0; PARAMETERS_MAX];
        for (value, parameter) in values.iter_mut().zip(entry.parameters) {
            *value = parameter.default;
        }
        Self { entry, values }
    }
}

/// By name and parameters.
impl PartialEq for Environment {
    fn eq(&self, other: &Self) -> bool {
        (self.entry.name, self.values) == (other.entry.name, other.values)
    }
}

impl Eq for Environment {}

/// The name and the parameters. Parameters after the first that end the list and have their defaults
/// are left out.
impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut count = self.entry.parameters.len();
        while count > 1 && self.values[count - 1] == self.entry.parameters[count - 1].default {
            count -= 1;
        }
        f.pad(&self.text(count))
    }
}

/// Thousandths as a decimal number.
fn decimal(thousandths: u32) -> String {
    let (whole, part) = (thousandths / 1_000, thousandths % 1_000);
    if part == 0 {
        return whole.to_string();
    }
    format!("{whole}.{part:03}").trim_end_matches('0').to_owned()
}

/// A decimal number as thousandths.
fn thousandths(word: &str) -> Option<u32> {
    let (whole, part) = word.split_once('.').unwrap_or((word, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || !(1..=3).contains(&part.len()) {
        return None;
    }
    let part: u32 = format!("{part:0<3}").parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(1_000)?.checked_add(part)
}

impl FromStr for Environment {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let mut words = text.split(':');
        let name = words.next().unwrap_or_default();
        let Some(mut found) = Self::of(name) else {
            let names: Vec<&str> = Self::all().map(|known| known.entry.name).collect();
            let names = names.join(", ");
            return Err(TextError::new(format!("`{name}` is no environment; there are {names}")));
        };
        for (at, word) in words.enumerate() {
            let Some(parameter) = found.entry.parameters.get(at) else {
                return Err(TextError::new(format!("`{name}` has no parameter for `{word}`")));
            };
            let value = thousandths(word).filter(|&value| value <= parameter.max);
            found.values[at] = value.ok_or_else(|| {
                let (what, max) = (parameter.what, decimal(parameter.max));
                TextError::new(format!("`{word}` is not {what}, at most {max}"))
            })?;
        }
        Ok(found)
    }
}
