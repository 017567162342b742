//! The protocols that are compared, as configurations of one engine.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;
use swimmer::{
    Buddy, Config, ConfigBuilder, HealthRule, Nacks, ProbeOrder, Profile, SuspicionRule,
};

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Ours, but each probes the others in a round of its own, shuffled anew each time.
    NoRotation,
    /// Ours, but nobody looks for itself because of what it hears; the minimum of a suspicion grows
    /// with log10 n.
    NoCorroboration,
    /// Ours, but with the time-out that follows round trips where the preset has the fixed one, and the
    /// other way round.
    OtherTimeout,
    /// Ours, but a ping is sent once a probe.
    NoRepeats,
    /// Ours, but no time-out is longer for members that are slow.
    NoSlowTimeout,
    /// Ours, but a refused connection is no sign that the network works.
    NoRefusals,
    /// Ours, but nobody is asked before a death.
    NoInquiry,
    /// Ours, but an isolated node accuses and declares dead, too.
    NoIsolationGuard,
    /// Ours, but a node that is late does what is due before what has waited.
    NoStallGuard,
    /// Ours, but nobody says for how long it may be silent, and all are given the same time.
    NoPatience,
    /// Ours, but nobody who says what is older is answered.
    NoCorrections,
    /// Ours, but tables are compared at intervals only.
    NoDigest,
}

impl Variant {
    /// Different protocols.
    pub(crate) const PROTOCOLS: [Self; 4] =
        [Self::Swim, Self::Lifeguard, Self::Memberlist, Self::Swimmer];

    /// Ours, and what it is without each of its additions.
    pub(crate) const ABLATIONS: [Self; 13] = [
        Self::Swimmer,
        Self::NoRotation,
        Self::NoCorroboration,
        Self::OtherTimeout,
        Self::NoRepeats,
        Self::NoSlowTimeout,
        Self::NoRefusals,
        Self::NoInquiry,
        Self::NoIsolationGuard,
        Self::NoStallGuard,
        Self::NoPatience,
        Self::NoCorrections,
        Self::NoDigest,
    ];

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
        let ours = || Config::builder(profile);
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
            Self::Swimmer => ours(),
            Self::NoRotation => ours().probe_order(ProbeOrder::RoundRobin),
            Self::NoCorroboration => ours().corroboration(false),
            Self::OtherTimeout => {
                ours().adaptive_timeout(!Config::preset(profile).adaptive_timeout())
            }
            Self::NoRepeats => ours().repeat_pings(false),
            Self::NoSlowTimeout => ours().timeout_max(Duration::from_millis(1)),
            Self::NoRefusals => ours().refusals(false),
            Self::NoInquiry => ours().inquiry(false),
            Self::NoIsolationGuard => ours().isolation_guard(false),
            Self::NoStallGuard => ours().stall_guard(false),
            Self::NoPatience => ours().patience(false),
            Self::NoCorrections => ours().corrections(false),
            Self::NoDigest => ours().digest(false),
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Swim => "swim",
            Self::Lifeguard => "lifeguard",
            Self::Memberlist => "memberlist",
            Self::Swimmer => "swimmer",
            Self::NoRotation => "no-rotation",
            Self::NoCorroboration => "no-corroboration",
            Self::OtherTimeout => "other-timeout",
            Self::NoRepeats => "no-repeats",
            Self::NoSlowTimeout => "no-slow-timeout",
            Self::NoRefusals => "no-refusals",
            Self::NoInquiry => "no-inquiry",
            Self::NoIsolationGuard => "no-isolation-guard",
            Self::NoStallGuard => "no-stall-guard",
            Self::NoPatience => "no-patience",
            Self::NoCorrections => "no-corrections",
            Self::NoDigest => "no-digest",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_has_one_name_for_whoever_types_it_and_whoever_reads_it() {
        for &variant in Variant::value_variants() {
            let typed = variant.to_possible_value().expect("none is hidden");
            assert_eq!(typed.get_name(), variant.as_str());
            let written = serde_json::to_string(&variant).expect("a name");
            assert_eq!(written, format!("\"{variant}\""));
        }
    }

    #[test]
    fn each_addition_that_is_taken_away_leaves_another_protocol() {
        for profile in Profile::ALL {
            let configs =
                Variant::ABLATIONS.map(|variant| variant.builder(profile).build().unwrap());
            for (at, config) in configs.iter().enumerate() {
                assert!(!configs[..at].contains(config), "{}", Variant::ABLATIONS[at]);
            }
        }
    }
}
