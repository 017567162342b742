//! What a user may tune: a preset for the situation, then single values.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;

use swim_proto::Timing;
use swim_proto::limits::{DATAGRAM_BYTES_DEFAULT, DATAGRAM_BYTES_MAX, DATAGRAM_BYTES_MIN};

use crate::conflict_times::ConflictTimes;
use crate::setting::{SetError, Setting};

/// No time that is configured is longer.
const DURATION_MAX: Duration = Duration::from_secs(24 * 3_600);

/// A preset by situation. Each sets period, base time-out, suspicion minimum, gossip tick and the
/// interval of healing and sync; everything else is the same in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// One network, members that may pause for nearly 4 s: the default.
    #[default]
    Lan,
    /// One network, machines that do not pause.
    Fast,
    /// Tests and demos on one machine.
    Local,
    /// Links with jitter and long round trips.
    Wan,
}

impl Profile {
    /// All presets.
    pub const ALL: [Self; 4] = [Self::Lan, Self::Fast, Self::Local, Self::Wan];

    /// Its name: `lan`, `fast`, `local` or `wan`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Fast => "fast",
            Self::Local => "local",
            Self::Wan => "wan",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a profile is one of lan, fast, local, wan")]
pub struct ParseProfileError;

impl FromStr for Profile {
    type Err = ParseProfileError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == text).ok_or(ParseProfileError)
    }
}

/// Whom a node probes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ProbeOrder {
    /// By turns that all members agree on without talking, so that each is probed once a period.
    #[default]
    Rotation,
    /// By a round of one's own, shuffled anew each time, as in SWIM.
    RoundRobin,
}

/// How long a suspicion lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SuspicionRule {
    /// Between a minimum and a maximum that both grow with log10 n, shortened by confirmations (S3).
    #[default]
    Scaled,
    /// SWIM's: α·max(1, log10 n) periods, whoever confirms. For experiments.
    Fixed,
}

/// What a failed probe says of one's own health, and what bad health slows down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HealthRule {
    /// A failed probe costs 1, unless every relay that is alive has said nack (H1).
    #[default]
    Once,
    /// As Lifeguard's paper has it: a failed probe costs 1, and 1 more unless every relay has said
    /// nack. For experiments.
    Paper,
    /// As memberlist has it: each relay that has not said nack costs 1, and a probe without relays
    /// does. Only the end of a probe is stretched: relays are asked as early as ever, and the next
    /// probe waits for nothing but that end. For experiments.
    Memberlist,
}

/// When a relay says that its ping was not answered (P5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Nacks {
    /// Early enough that the asker hears it before its probe ends (P5).
    #[default]
    Early,
    /// After the base time-out, as memberlist does: too late for an asker of good health whose base
    /// time-out is half a period. For experiments.
    Late,
    /// Never, as in SWIM. For experiments.
    Never,
}

/// What a member learns from a ping about what its sender holds of it (P3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Buddy {
    /// All: that it is accused, and that a newer word of it is not known.
    #[default]
    All,
    /// That it is suspected, as in Lifeguard. For experiments.
    Suspicion,
    /// Nothing, as in SWIM. For experiments.
    Nothing,
}

/// Values that cannot work together, with the names of the fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A duration that must not be zero is zero.
    #[error("{0} must be longer than zero")]
    Zero(&'static str),
    /// A duration is longer than a day, or shorter than a millisecond.
    #[error("{0} must be between 1 ms and 1 day")]
    OutOfRange(&'static str),
    /// The first field must be smaller than the second.
    #[error("{smaller} ({smaller_value:?}) must be shorter than {larger} ({larger_value:?})")]
    Order {
        /// The field that should be the shorter one.
        smaller: &'static str,
        /// Its value.
        smaller_value: Duration,
        /// The field that should be the longer one.
        larger: &'static str,
        /// Its value.
        larger_value: Duration,
    },
    /// A number is outside of its range.
    #[error("{field} is {value}; it must be between {min} and {max}")]
    Number {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
}

/// A checked configuration of one node.
///
/// ```
/// use core::time::Duration;
/// use swim_membership::{Config, Profile};
///
/// let config = Config::builder(Profile::Lan).suspicion_min(Duration::from_secs(6)).build()?;
/// assert_eq!(config.period(), Duration::from_secs(1));
///
/// let error = Config::builder(Profile::Lan).period(Duration::from_millis(100)).build();
/// assert!(error.unwrap_err().to_string().contains("base_timeout"));
/// # Ok::<(), swim_membership::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config(Builder);

fn read<T: Setting>(name: &'static str, value: &str) -> Result<T, SetError> {
    let wrong = || SetError::Value { name, value: value.into(), kind: T::KIND };
    T::read(value).ok_or_else(wrong)
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// Chained setters over a preset; [`build`](Self::build) checks the whole.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Builder {
            $($name: $type,)*
        }

        impl Builder {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $name: $type) -> Self {
                self.$name = $name;
                self
            })*

            /// Sets one of the settings by its name, which is that of its setter, from a text.
            ///
            /// # Errors
            /// When there is no such setting, with the names that there are, or it takes another value.
            pub fn set(mut self, name: &str, value: &str) -> Result<Self, SetError> {
                match name {
                    $(stringify!($name) => self.$name = read(stringify!($name), value)?,)*
                    _ => {
                        let known = [$(stringify!($name)),*].join(", ");
                        return Err(SetError::Unknown { name: name.into(), known });
                    }
                }
                Ok(self)
            }
        }

        impl Config {
            $($(#[$doc])*
            pub fn $name(&self) -> $type {
                self.0.$name
            })*
        }
    };
}

settings! {
    /// How often a member is probed by this node: one probe a period. Default 1 s (`local` 500 ms,
    /// `wan` 5 s). Shorter finds deaths sooner and costs traffic in proportion.
    period: Duration,
    /// How long a direct ping may take before relays and the reliable plane are asked. Default
    /// 500 ms (`local` 200 ms, `wan` 3 s). Must be shorter than the period.
    base_timeout: Duration,
    /// How long a silent member is given to refute once enough others confirm (S3). Default 4 s
    /// (`fast` 2 s, `local` 1 s, `wan` 15 s); without corroboration times max(1, log10 n). Longer
    /// tolerates longer pauses, and finds every death so much later.
    suspicion_min: Duration,
    /// α of the suspicion maximum: β·α·max(1, log10 n) periods (S3). Default 4, range 1 to 20.
    suspicion_alpha: u32,
    /// β of the suspicion maximum. Default 6, range 1 to 20.
    suspicion_beta: u32,
    /// How many independent confirmations bring a suspicion down to its minimum (S3). Default 4,
    /// range 0 to 4; fewer in clusters that are too small.
    confirmations: u32,
    /// Whom to probe next, and when (P1). Default: by rotation.
    probe_order: ProbeOrder,
    /// Whether a member that hears a new suspicion looks for itself, with probability 8/n (S7).
    /// Default: yes. Without it the suspicion minimum is multiplied by max(1, log10 n).
    corroboration: bool,
    /// Whether a node asks others for word of a suspect before it declares it dead (S9). Default: yes.
    /// It costs up to 10 small datagrams a death and observer.
    inquiry: bool,
    /// Whether the time-out of a direct ping follows the measured round trips (P4). Without it the
    /// base time-out is waited for, and a probe takes a whole period. Default: no (`fast` and `local`
    /// yes). It finds deaths sooner where the suspicion minimum is shorter than two probes take; where
    /// it is longer it only costs suspicions that are refuted.
    adaptive_timeout: bool,
    /// The least that an adaptive time-out falls to. Default 50 ms (`local` 20 ms, `wan` 300 ms).
    timeout_floor: Duration,
    /// What the time-out of a direct ping rises to at most where the measured round trips are longer
    /// than the base time-out, by member; and for the whole cluster if its median member is so slow
    /// (P4). Default 2.5 s (`wan` 6 s). The base time-out or less: it never rises.
    timeout_max: Duration,
    /// Whether a ping that is not answered is sent again before a failed probe accuses (P4). Default:
    /// yes. No, as in SWIM, is for experiments.
    repeat_pings: bool,
    /// Whether an isolated node accuses nobody and declares nobody dead (S5). Default: yes.
    isolation_guard: bool,
    /// How long it defers deaths at most. Default 20 s (`local` 10 s, `wan` 60 s).
    isolation_hold: Duration,
    /// Whether a connection that the host of a probed member refuses counts as hearing from others,
    /// and that member as one that confirms no suspicion (P6). Default: yes.
    refusals: bool,
    /// Whether time that this node has lost by standing still is held against nobody (S8). Default:
    /// yes.
    stall_guard: bool,
    /// Whether a member announces how long it may be silent, and others give it that time to refute
    /// (S6). Default: yes.
    patience: bool,
    /// For how long this node may be silent, as its application knows: the pauses of its garbage
    /// collector, of its machine. Others give it half as much again and a period to refute (S6), up to
    /// half of the suspicion maximum and below the isolation hold: so its own death is found so much
    /// later. Default zero: what it measures, from its first long pause on. Range 0 to 1 day.
    expected_pause: Duration,
    /// How long a suspicion lasts. Default: `Scaled`.
    suspicion_rule: SuspicionRule,
    /// How many relays are asked after the base time-out (P4). Default 3, range 0 to 16.
    relays: u32,
    /// The top of the local health score (H1). Default 8, range 0 to 64; 0 switches it off.
    health_max: u32,
    /// What raises the local health score, and what it stretches. Default: `Once`.
    health_rule: HealthRule,
    /// When relays say nack. Default: `Early`.
    nacks: Nacks,
    /// What a member learns from a ping about itself. Default: `All`.
    buddy: Buddy,
    /// Whether stale claims are answered (G6). Default: yes. No, as in SWIM, is for experiments.
    corrections: bool,
    /// How often waiting news is gossiped beside probes (G3). Default 200 ms (`local` 100 ms, `wan`
    /// 500 ms). Nothing is sent while there is no news.
    gossip_tick: Duration,
    /// Whether the first news after a silence is gossiped at once (G3). Default: yes. No, as in
    /// memberlist, where it waits for a tick that comes anyway, is for experiments.
    gossip_at_once: bool,
    /// To how many members a gossip tick goes. Default 3, range 1 to 16.
    gossip_fanout: u32,
    /// How many datagrams go to each of them in a tick at most, where one does not hold all the news
    /// that waits (G3). Default 8, range 1 to 64. More spread the joining of hundreds sooner, and
    /// load the network at once.
    gossip_datagrams: u32,
    /// λ of the transmit limit: each update is sent at most λ·⌈log10(n + 1)⌉ times (G2).
    /// Default 4, range 1 to 16.
    gossip_lambda: u32,
    /// Whether pings and acks carry a digest of the table, 8 bytes, by which tables that differ are
    /// found and repaired within a few periods (D1 to D5). Default true. Without it they are found
    /// by the sync interval alone.
    digest: bool,
    /// How often the table is compared with one random member where no equal digest was seen since
    /// the last time (E4); and the longest wait between repairs that are in vain (D4). Default 30 s
    /// (`local` 5 s, `wan` 60 s).
    sync_interval: Duration,
    /// How often one dead member or absent seed is tried again (E5). Default 30 s (`local` 5 s,
    /// `wan` 60 s).
    healing_interval: Duration,
    /// The deadline of one exchange on the reliable plane. Default 10 s.
    exchange_timeout: Duration,
    /// How long a leave goes on at most while no lasting member has acknowledged it (L2). It is over
    /// within a second where one has. Default 3 s.
    leave_timeout: Duration,
    /// How long the dead and the left are remembered (T1). Default 24 h. Long enough to outlive
    /// any rumour about them.
    tombstone_age: Duration,
    /// How many of the dead and left are remembered at most; beyond it the oldest goes (T1).
    /// Default 4,096, range 1 to 1,048,576.
    tombstones_max: u32,
    /// How many members are held at most, tombstones not counted (T2). Default 131,072, range 2 to
    /// 1,048,576.
    members_max: u32,
    /// The most bytes of a datagram that we send. Default 1,400, range 800 to 65,507.
    datagram_bytes_max: usize,
}

impl Config {
    /// The values of a preset, to change.
    pub fn builder(profile: Profile) -> Builder {
        let ms = Duration::from_millis;
        let (period, base_timeout, suspicion_min, gossip_tick, healing) = match profile {
            Profile::Lan => (1_000, 500, 4_000, 200, 30_000),
            Profile::Fast => (1_000, 500, 2_000, 200, 30_000),
            Profile::Local => (500, 200, 1_000, 100, 5_000),
            Profile::Wan => (5_000, 3_000, 15_000, 500, 60_000),
        };
        let adaptive_timeout = matches!(profile, Profile::Fast | Profile::Local);
        let (timeout_floor, timeout_max, isolation_hold) = match profile {
            Profile::Lan | Profile::Fast => (50, 2_500, 20_000),
            Profile::Local => (20, 2_500, 10_000),
            Profile::Wan => (300, 6_000, 60_000),
        };
        Builder {
            period: ms(period),
            base_timeout: ms(base_timeout),
            suspicion_min: ms(suspicion_min),
            suspicion_alpha: 4,
            suspicion_beta: 6,
            confirmations: 4,
            probe_order: ProbeOrder::default(),
            corroboration: true,
            inquiry: true,
            adaptive_timeout,
            timeout_floor: ms(timeout_floor),
            timeout_max: ms(timeout_max),
            repeat_pings: true,
            isolation_guard: true,
            isolation_hold: ms(isolation_hold),
            refusals: true,
            stall_guard: true,
            patience: true,
            expected_pause: Duration::ZERO,
            suspicion_rule: SuspicionRule::default(),
            relays: 3,
            health_max: 8,
            health_rule: HealthRule::default(),
            nacks: Nacks::default(),
            buddy: Buddy::default(),
            corrections: true,
            gossip_tick: ms(gossip_tick),
            gossip_at_once: true,
            gossip_fanout: 3,
            gossip_datagrams: 8,
            gossip_lambda: 4,
            digest: true,
            sync_interval: ms(healing),
            healing_interval: ms(healing),
            exchange_timeout: ms(10_000),
            leave_timeout: ms(3_000),
            tombstone_age: Duration::from_secs(24 * 3_600),
            tombstones_max: 4_096,
            members_max: 131_072,
            datagram_bytes_max: DATAGRAM_BYTES_DEFAULT,
        }
    }

    /// The same for a transport that carries less in a datagram.
    #[must_use]
    pub fn with_datagram_bytes_max(mut self, bytes: usize) -> Self {
        self.0.datagram_bytes_max = bytes.min(self.0.datagram_bytes_max).max(DATAGRAM_BYTES_MIN);
        self
    }

    /// The same for a node whose application pauses for so long, a day at most.
    #[must_use]
    pub fn with_expected_pause(mut self, pause: Duration) -> Self {
        self.0.expected_pause = pause.min(DURATION_MAX);
        self
    }

    /// The same for a node that may take so long to leave, a millisecond to a day.
    #[must_use]
    pub fn with_leave_timeout(mut self, timeout: Duration) -> Self {
        self.0.leave_timeout = timeout.clamp(Duration::from_millis(1), DURATION_MAX);
        self
    }

    /// Period and suspicion minimum, as this node's record says them (W7).
    pub fn timing(&self) -> Timing {
        Timing::new(self.period(), self.suspicion_min())
    }

    /// A preset as it is.
    pub fn preset(profile: Profile) -> Self {
        Self(Self::builder(profile))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::preset(Profile::Lan)
    }
}

impl Builder {
    /// Switches off all that goes beyond SWIM and Lifeguard: a round of one's own, fixed time-outs,
    /// no corroboration, no inquiries, no patience and no guards. For comparisons.
    #[must_use]
    pub fn plain(self) -> Self {
        self.probe_order(ProbeOrder::RoundRobin)
            .corroboration(false)
            .inquiry(false)
            .confirmations(3)
            .adaptive_timeout(false)
            .timeout_max(Duration::from_millis(1))
            .repeat_pings(false)
            .isolation_guard(false)
            .refusals(false)
            .stall_guard(false)
            .patience(false)
    }

    /// Checks that the values can work together.
    ///
    /// # Errors
    /// Names the fields that cannot.
    pub fn build(self) -> Result<Config, ConfigError> {
        self.check_durations()?;
        self.check_order()?;
        self.check_numbers()?;
        Ok(Config(self))
    }

    fn check_durations(&self) -> Result<(), ConfigError> {
        if self.expected_pause > DURATION_MAX {
            return Err(ConfigError::OutOfRange("expected_pause"));
        }
        let least = Duration::from_millis(1);
        for (field, value) in [
            ("period", self.period),
            ("base_timeout", self.base_timeout),
            ("suspicion_min", self.suspicion_min),
            ("timeout_floor", self.timeout_floor),
            ("timeout_max", self.timeout_max),
            ("isolation_hold", self.isolation_hold),
            ("gossip_tick", self.gossip_tick),
            ("sync_interval", self.sync_interval),
            ("healing_interval", self.healing_interval),
            ("exchange_timeout", self.exchange_timeout),
            ("leave_timeout", self.leave_timeout),
            ("tombstone_age", self.tombstone_age),
        ] {
            if value.is_zero() {
                return Err(ConfigError::Zero(field));
            }
            if value < least || value > DURATION_MAX {
                return Err(ConfigError::OutOfRange(field));
            }
        }
        Ok(())
    }

    fn check_order(&self) -> Result<(), ConfigError> {
        let suspicion_max = self.period * self.suspicion_alpha * self.suspicion_beta;
        for (smaller, smaller_value, larger, larger_value) in [
            ("base_timeout", self.base_timeout, "period", self.period),
            ("timeout_floor", self.timeout_floor, "base_timeout", self.base_timeout),
            ("suspicion_min", self.suspicion_min, "suspicion_alpha × beta × period", suspicion_max),
            ("suspicion_min", self.suspicion_min, "tombstone_age", self.tombstone_age),
            // No more patience is given than the isolation hold leaves (S6).
            ("period", self.period, "isolation_hold", self.isolation_hold),
        ]
        .into_iter()
        .chain(ConflictTimes::with_sync(self.sync_interval).relations())
        {
            if smaller_value >= larger_value {
                return Err(ConfigError::Order { smaller, smaller_value, larger, larger_value });
            }
        }
        // Tombstones answer those that still hold the dead present, at least once (M6, E5).
        for (smaller, smaller_value) in
            [("sync_interval", self.sync_interval), ("healing_interval", self.healing_interval)]
        {
            let (larger, larger_value) = ("tombstone_age", self.tombstone_age);
            if smaller_value > larger_value {
                return Err(ConfigError::Order { smaller, smaller_value, larger, larger_value });
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), ConfigError> {
        for (field, value, min, max) in [
            ("suspicion_alpha", u64::from(self.suspicion_alpha), 1, 20),
            ("suspicion_beta", u64::from(self.suspicion_beta), 1, 20),
            ("confirmations", u64::from(self.confirmations), 0, 4),
            ("relays", u64::from(self.relays), 0, 16),
            ("health_max", u64::from(self.health_max), 0, 64),
            ("gossip_fanout", u64::from(self.gossip_fanout), 1, 16),
            ("gossip_datagrams", u64::from(self.gossip_datagrams), 1, 64),
            ("gossip_lambda", u64::from(self.gossip_lambda), 1, 16),
            ("tombstones_max", u64::from(self.tombstones_max), 1, 1 << 20),
            ("members_max", u64::from(self.members_max), 2, 1 << 20),
            (
                "datagram_bytes_max",
                self.datagram_bytes_max as u64,
                DATAGRAM_BYTES_MIN as u64,
                DATAGRAM_BYTES_MAX as u64,
            ),
        ] {
            if value < min || value > max {
                return Err(ConfigError::Number { field, value, min, max });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_possible_configuration() {
        for profile in Profile::ALL {
            assert_eq!(Config::builder(profile).build(), Ok(Config::preset(profile)));
        }
    }

    #[test]
    fn an_impossible_configuration_names_its_fields() {
        let base = || Config::builder(Profile::Lan);
        let second = Duration::from_secs(1);
        let error = base().base_timeout(second).build().unwrap_err();
        assert!(matches!(
            error,
            ConfigError::Order { smaller: "base_timeout", larger: "period", .. }
        ));
        let error = base().gossip_tick(Duration::ZERO).build().unwrap_err();
        assert_eq!(error, ConfigError::Zero("gossip_tick"));
        let error = base().relays(17).build().unwrap_err();
        assert!(matches!(error, ConfigError::Number { field: "relays", value: 17, .. }));
        let error = base().expected_pause(second * 86_401).build().unwrap_err();
        assert_eq!(error, ConfigError::OutOfRange("expected_pause"));
        let error =
            base().sync_interval(second * 10).tombstone_age(second * 9).build().unwrap_err();
        assert!(matches!(error, ConfigError::Order { smaller: "sync_interval", .. }));
        let error = base().isolation_hold(second).build().unwrap_err();
        assert!(matches!(error, ConfigError::Order { smaller: "period", .. }));
        let error = base().suspicion_min(second * 24).build().unwrap_err();
        assert!(matches!(error, ConfigError::Order { smaller: "suspicion_min", .. }));
    }
}
