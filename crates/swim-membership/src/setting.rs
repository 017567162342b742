//! Settings by their names, as texts: for programs that take them from a command line.

use alloc::string::String;
use core::time::Duration;

use crate::config::{Buddy, HealthRule, Nacks, ProbeOrder, SuspicionRule};

/// A text that sets nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// There is no setting of this name.
    #[error("there is no setting {name:?}; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are, with commas between.
        known: String,
    },
    /// The setting takes other values.
    #[error("{value:?} is no value of {name}, which is {kind}")]
    Value {
        /// The name of the setting.
        name: &'static str,
        /// The value.
        value: String,
        /// What it takes.
        kind: &'static str,
    },
}

/// A type of settings.
pub(crate) trait Setting: Sized {
    /// What it takes.
    const KIND: &'static str;

    fn read(text: &str) -> Option<Self>;
}

impl Setting for Duration {
    const KIND: &'static str = "a time such as 500ms, 2s, 1.5s, 3m or 1h";

    fn read(text: &str) -> Option<Self> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, unit) = text.split_at(unit_at);
        let micros = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60 * 1_000_000,
            "h" => 3_600 * 1_000_000,
            _ => return None,
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = u32::try_from(part.len()).ok().filter(|digits| (1..=6).contains(digits))?;
        let part: u64 = part.parse().ok()?;
        let whole = whole.parse::<u64>().ok()?.checked_mul(micros)?;
        Some(Self::from_micros(whole.checked_add(part * micros / 10_u64.pow(digits))?))
    }
}

impl Setting for u32 {
    const KIND: &'static str = "a number";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Setting for usize {
    const KIND: &'static str = "a number";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Setting for bool {
    const KIND: &'static str = "true or false";

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

macro_rules! words {
    ($($type:ident: $kind:literal, $($word:literal => $value:ident),*;)*) => {
        $(impl Setting for $type {
            const KIND: &'static str = $kind;

            fn read(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$value),)*
                    _ => None,
                }
            }
        })*
    };
}

words! {
    ProbeOrder: "rotation or round-robin", "rotation" => Rotation, "round-robin" => RoundRobin;
    SuspicionRule: "scaled or fixed", "scaled" => Scaled, "fixed" => Fixed;
    HealthRule: "once, paper or memberlist",
        "once" => Once, "paper" => Paper, "memberlist" => Memberlist;
    Nacks: "early, late or never", "early" => Early, "late" => Late, "never" => Never;
    Buddy: "all, suspicion or nothing",
        "all" => All, "suspicion" => Suspicion, "nothing" => Nothing;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Profile};
    use std::string::ToString;

    #[test]
    fn times_are_numbers_with_a_unit() {
        for (text, micros) in [
            ("2s", 2_000_000),
            ("1.5s", 1_500_000),
            ("500ms", 500_000),
            ("0.25ms", 250),
            ("7us", 7),
            ("3m", 180_000_000),
            ("1h", 3_600_000_000),
        ] {
            assert_eq!(Duration::read(text), Some(Duration::from_micros(micros)), "{text}");
        }
        for wrong in ["", "2", "s", "2 s", "-1s", "1.s", ".5s", "1.2.3s", "9d", "99999999999999h"] {
            assert_eq!(Duration::read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_setting_has_a_name_and_what_is_wrong_says_what_there_is() {
        let set = |name: &str, value: &str| Config::builder(Profile::Lan).set(name, value);
        let config = set("suspicion_min", "2s").unwrap().set("relays", "5").unwrap();
        let config = config.set("probe_order", "round-robin").unwrap().set("digest", "false");
        let config = config.unwrap().build().unwrap();
        let expected =
            Config::builder(Profile::Lan).suspicion_min(Duration::from_secs(2)).relays(5);
        let expected = expected.probe_order(ProbeOrder::RoundRobin).digest(false).build().unwrap();
        assert_eq!(config, expected);
        let unknown = set("suspicion", "2s").unwrap_err().to_string();
        for name in ["suspicion_min", "datagram_bytes_max", "period"] {
            assert!(unknown.contains(name), "{unknown}");
        }
        let wrong = set("nacks", "soon").unwrap_err().to_string();
        assert_eq!(wrong, "\"soon\" is no value of nacks, which is early, late or never");
    }
}
