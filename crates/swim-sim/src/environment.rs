//! Environments: conditions under which a cluster runs, as small values with a name and parameters.
//!
//! ```text
//! loss:20          20 % of all packets are lost
//! starved:50       half of the members get no CPU for 0.2 to 3 s, again and again
//! far:0.6          a tenth of the members is 0.6 s away from all others
//! ```
//!
//! [`Cluster::enter`](crate::Cluster::enter) begins one. From then on the cluster lives in it, whatever else is done to it,
//! until another one begins or `clean` ends it. An environment has chance of its own, so that a
//! cluster without one draws the same numbers as before there were any.
//!
//! A member is *healthy* if it runs, no environment stops or slows its process, and none of its own
//! links is worse than uniform loss. A link between a member with bad links and another one counts
//! as a link of the former only. `docs/experiments/conditions.md` describes all environments.

mod burst;
mod clock;
mod course;
mod delay;
mod gray;
mod loss;
mod packet;
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

pub use course::Health;
pub(crate) use course::{Course, Draft, Drafted};
pub(crate) use packet::{Air, Carried, Kind, Packet, Verdict};

/// Parameters of an environment at most.
const PARAMETERS_MAX: usize = 2;

/// Conditions under which a cluster runs.
#[derive(Clone, Copy, Debug)]
pub struct Environment {
    entry: &'static Entry,
    /// In thousandths; as many as the entry has parameters.
    values: [u32; PARAMETERS_MAX],
}

/// One line of the catalogue.
#[derive(Debug)]
pub(crate) struct Entry {
    name: &'static str,
    parameters: &'static [Parameter],
    about: &'static str,
    begin: fn(&mut Draft<'_>),
}

/// What a number behind the name means.
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
    /// So many of 100.
    const fn percent(what: &'static str, default: u32) -> Self {
        Self { what, default: default * 1_000, max: 100_000 }
    }

    /// A number, by default so many.
    const fn count(what: &'static str, default: u32, max: u32) -> Self {
        Self { what, default: default * 1_000, max: max * 1_000 }
    }

    /// A time, by default so many milliseconds, given in milliseconds.
    const fn millis(what: &'static str, default: u32) -> Self {
        Self { what, default: default * 1_000, max: 3_600_000 }
    }

    /// A time, by default so many milliseconds.
    const fn seconds(what: &'static str, default_millis: u32) -> Self {
        Self { what, default: default_millis, max: 3_600_000 }
    }
}

/// The families, in the order in which they are listed.
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

    /// All names with their parameters at their defaults.
    pub fn all() -> impl Iterator<Item = Self> {
        FAMILIES.into_iter().flatten().map(Self::with_defaults)
    }

    /// Any of them, with its first parameter up to twice its default.
    pub(crate) fn draw(rng: &mut Xoshiro256PlusPlus) -> Self {
        let all: Vec<Self> = Self::all().filter(|known| !known.is_clean()).collect();
        let mut drawn = all[rng.random_range(0..all.len())];
        if let Some(parameter) = drawn.entry.parameters.first() {
            // A tenth is as fine as a plan need be, and a whole number stays one.
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

    /// What happens in it, in a line.
    pub fn about(&self) -> &'static str {
        self.entry.about
    }

    /// What its parameters are, in the order in which they stand behind its name.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.entry.parameters.iter().map(|parameter| parameter.what)
    }

    /// Its name and all parameters.
    pub fn in_full(&self) -> String {
        self.text(self.entry.parameters.len())
    }

    /// Its name and so many parameters.
    fn text(&self, parameters: usize) -> String {
        let mut text = self.entry.name.to_owned();
        for value in &self.values[..parameters] {
            text.push(':');
            text.push_str(&decimal(*value));
        }
        text
    }

    pub(crate) fn begin(&self, draft: &mut Draft<'_>) {
        (self.entry.begin)(draft);
    }

    /// A parameter that is a share, of 1,000.
    pub(crate) fn per_mille(&self, at: usize) -> u32 {
        self.values[at] / 100
    }

    /// A parameter that is a time.
    pub(crate) fn span(&self, at: usize) -> Duration {
        Duration::from_millis(u64::from(self.values[at]))
    }

    /// A parameter that is a number.
    pub(crate) fn count(&self, at: usize) -> u32 {
        self.values[at] / 1_000
    }

    /// A parameter that is a time in milliseconds.
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

/// The name and the parameters, without those at the end that have their defaults, except the first.
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
