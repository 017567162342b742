//! The protocols that are compared, as configurations of one engine.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use swimmer::{Buddy, Config, ConfigBuilder, HealthRule, Nacks, Profile, SuspicionRule};

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Variant {
    /// SWIM with suspicion, α 5, on memberlist's gossip and TCP ping: the base of Lifeguard's
    /// measurements.
    Swim,
    /// All of Lifeguard as in its paper, α 5, β 6.
    Lifeguard,
    /// memberlist with its LAN defaults, α 4, β 6, where it departs from the paper.
    Memberlist,
    /// Ours, with the preset that was asked for.
    Swimmer,
}

impl Variant {
    pub(crate) const ALL: [Self; 4] =
        [Self::Swim, Self::Lifeguard, Self::Memberlist, Self::Swimmer];

    /// Its settings.
    pub(crate) fn config(self, profile: Profile) -> Config {
        self.builder(profile).build().expect("constants that work together")
    }

    /// Its settings, to change further. Those of others name all that we do otherwise.
    pub(crate) fn builder(self, profile: Profile) -> ConfigBuilder {
        let second = Duration::from_secs(1);
        let base = || {
            Config::builder(Profile::Lan)
                .plain()
                .digest(false)
                .suspicion_rule(SuspicionRule::Scaled)
                .corrections(false)
                .gossip_at_once(false)
                .gossip_datagrams(1)
        };
        match self {
            Self::Swim => base()
                .suspicion_rule(SuspicionRule::Fixed)
                .suspicion_alpha(5)
                .health_max(0)
                .nacks(Nacks::Never)
                .buddy(Buddy::Nothing),
            Self::Lifeguard => base()
                .suspicion_min(5 * second)
                .suspicion_alpha(5)
                .suspicion_beta(6)
                .confirmations(3)
                .health_max(8)
                .health_rule(HealthRule::Paper)
                .nacks(Nacks::Early)
                .buddy(Buddy::Suspicion),
            Self::Memberlist => base()
                .suspicion_min(4 * second)
                .suspicion_alpha(4)
                .suspicion_beta(6)
                // α − 2, and its limit of 8 is one above the highest score.
                .confirmations(2)
                .health_max(7)
                .health_rule(HealthRule::Memberlist)
                .nacks(Nacks::Late)
                .buddy(Buddy::Suspicion),
            Self::Swimmer => Config::builder(profile),
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Swim => "swim",
            Self::Lifeguard => "lifeguard",
            Self::Memberlist => "memberlist",
            Self::Swimmer => "swimmer",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
