//! How long a suspected member has to refute (S3; Lifeguard, section IV-B).
//!
//! A suspicion starts with a long time-out. Each further accuser that confirms it by a probe of
//! its own shortens it, down to the minimum at k confirmations:
//! `max − (max − min) · log(c + 1) / log(k + 1)`.

use core::time::Duration;

use swim_proto::{Accusers, TinyId};

use crate::config::{Config, SuspicionRule};
use crate::time::Instant;

/// log2 of 1 to 5, with 16 binary digits behind the point.
const LOG2_Q16: [u64; 5] = [0, 65_536, 103_872, 131_072, 152_170];
const LOG2_OF_10_Q16: u64 = 217_706;

/// The bounds of a suspicion in a cluster of a given size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuspicionTimes {
    /// Reached with `confirmations`.
    pub min: Duration,
    /// With none.
    pub max: Duration,
    /// How many confirmations bring it to the minimum, 0 to 4.
    pub confirmations: u32,
    /// How long it lasts where nobody can confirm.
    alone: Duration,
}

impl SuspicionTimes {
    /// The bounds among `members` present members, this node included.
    pub fn new(config: &Config, members: usize) -> Self {
        let scale = log10_q16(members).max(1 << 16);
        let stretch = |duration: Duration| {
            let micros = duration.as_micros().saturating_mul(u128::from(scale)) >> 16;
            Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
        };
        if config.suspicion_rule() == SuspicionRule::Fixed {
            let fixed = stretch(config.period() * config.suspicion_alpha());
            return Self { min: fixed, max: fixed, confirmations: 0, alone: fixed };
        }
        let others = members.saturating_sub(1) / 2;
        let confirmations = config.confirmations().min(u32::try_from(others).unwrap_or(u32::MAX));
        // Where evidence is gathered on purpose the minimum needs no room for chance to gather it.
        let min = match config.corroboration() {
            true => config.suspicion_min(),
            false => stretch(config.suspicion_min()),
        };
        let alpha_beta = config.suspicion_alpha() * config.suspicion_beta();
        let max = stretch(config.period() * alpha_beta).max(config.suspicion_min());
        let min = min.min(max);
        // Nobody could confirm, so the one accuser's word is given twice the time.
        Self { min, max, confirmations, alone: (min * 2).min(max) }
    }

    /// The bounds for a member that may be silent for so long (S6): no less, except for what
    /// [`patience_max`](Self::patience_max) says.
    pub(crate) fn with_patience(self, config: &Config, patience: Duration) -> Self {
        let patience = patience.min(self.patience_max(config));
        Self { min: self.min.max(patience), alone: self.alone.max(patience), ..self }
    }

    /// The longest silence that a member is given: so a member that asks for more than is good has
    /// little of it. Beyond the isolation hold an isolated node declares members dead (S5).
    pub(crate) fn patience_max(&self, config: &Config) -> Duration {
        (self.max / 2).min(config.isolation_hold().saturating_sub(config.period()))
    }

    /// The time-out after `confirmed` confirmations.
    pub fn timeout(&self, confirmed: u32) -> Duration {
        if self.confirmations == 0 {
            return self.alone;
        }
        let of = LOG2_Q16[self.confirmations.min(4) as usize];
        let at = LOG2_Q16[confirmed.min(self.confirmations).min(4) as usize];
        let span = (self.max - self.min).as_micros() as u64;
        let cut = (u128::from(span) * u128::from(at) / u128::from(of)) as u64;
        self.max - Duration::from_micros(cut)
    }
}

/// log10 with 16 binary digits behind the point; 0 for 0.
fn log10_q16(n: usize) -> u64 {
    let n = (n as u64).max(1);
    let whole = u64::from(n.ilog2());
    // The mantissa in [1, 2) with 31 binary digits; squaring it yields one digit of the log each.
    let mut mantissa = if whole <= 31 { n << (31 - whole) } else { n >> (whole - 31) };
    let mut log2 = whole;
    for _ in 0..16 {
        mantissa = (mantissa * mantissa) >> 31;
        log2 <<= 1;
        if mantissa >= 1 << 32 {
            mantissa >>= 1;
            log2 |= 1;
        }
    }
    (log2 << 16) / LOG2_OF_10_Q16
}

/// One suspicion that runs.
#[derive(Clone, Copy, Debug)]
pub struct Suspicion {
    started: Instant,
    /// When the first ping was sent that was not answered, but for time that this node has lost.
    since: Instant,
    times: SuspicionTimes,
    accusers: Accusers,
    /// Its time was up while this node was isolated.
    deferred: bool,
    /// When others were asked for word of the suspect (S9).
    inquired_at: Option<Instant>,
}

impl Suspicion {
    /// A suspicion raised by `accuser` now.
    pub fn new(started: Instant, times: SuspicionTimes, accuser: TinyId) -> Self {
        Self {
            started,
            since: started,
            times,
            accusers: Accusers::from_iter([accuser]),
            deferred: false,
            inquired_at: None,
        }
    }

    /// Counts an accuser. Returns whether it is new and shortens the time-out.
    pub fn confirm(&mut self, accuser: TinyId) -> bool {
        self.confirmed() < self.times.confirmations && self.accusers.insert(accuser)
    }

    /// No more than `confirmations` can be given any more (S3). Those that were given stay.
    pub(crate) fn limit_confirmations(&mut self, confirmations: usize) {
        let limit = u32::try_from(confirmations).unwrap_or(u32::MAX).max(self.confirmed());
        self.times.confirmations = self.times.confirmations.min(limit);
    }

    /// Only the first accuser's word counts from now on.
    pub(crate) fn forget_confirmations(&mut self) {
        self.accusers = self.accusers.as_slice().iter().copied().take(1).collect();
    }

    /// Lets the time-out begin anew.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.started = now;
        self.inquired_at = None;
    }

    /// Its time is up, but this node is isolated. Returns whether that is new.
    pub(crate) fn defer(&mut self) -> bool {
        !core::mem::replace(&mut self.deferred, true)
    }

    /// When it began.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// For how long it has run by now.
    pub(crate) fn lasted(&self, now: Instant) -> Duration {
        now - self.since
    }

    /// Whether the member has had half of the minimum to refute, and half of what is allowed for long
    /// round trips (M5).
    pub(crate) fn is_ripe(&self, now: Instant, allowance: Duration) -> bool {
        now - self.started >= (self.times.min + allowance) / 2
    }

    /// Its bounds.
    pub fn times(&self) -> SuspicionTimes {
        self.times
    }

    /// Who has accused, the first accuser first.
    pub fn accusers(&self) -> Accusers {
        self.accusers
    }

    /// When the member is dead unless it refutes.
    pub fn deadline(&self) -> Instant {
        self.started + self.times.timeout(self.confirmed())
    }

    /// When something is to be done: others are asked for word so long before the deadline, and
    /// are given that time to answer. No time: they are not asked.
    pub(crate) fn due(&self, inquiry: Duration) -> Instant {
        match self.inquired_at {
            Some(at) => self.deadline().max(at + inquiry),
            None => self.started + (self.deadline() - self.started).saturating_sub(inquiry),
        }
    }

    /// Others are asked for word now. Returns whether they have not been before.
    #[must_use]
    pub(crate) fn inquire(&mut self, now: Instant) -> bool {
        self.inquired_at.replace(now).is_none()
    }

    fn confirmed(&self) -> u32 {
        self.accusers.as_slice().len() as u32 - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Profile;

    fn times_among(members: usize) -> SuspicionTimes {
        SuspicionTimes::new(&Config::preset(Profile::Lan), members)
    }

    #[test]
    fn s3_the_logarithm_is_that_of_base_ten() {
        for (n, log) in [(1, 0.0), (3, 0.47712), (10, 1.0), (128, 2.10721), (10_000, 4.0)] {
            let found = log10_q16(n) as f64 / 65_536.0;
            assert!((found - log).abs() < 0.001, "log10 of {n} is {log}, found {found}");
        }
    }

    #[test]
    fn s3_confirmations_shorten_a_suspicion_from_its_maximum_to_its_minimum() {
        let times = times_among(10);
        assert_eq!(times.confirmations, 4);
        let seconds = [0, 1, 2, 3, 4, 9].map(|c| times.timeout(c).as_millis());
        assert_eq!(seconds[0], 24_000);
        assert!(seconds.windows(2).all(|pair| pair[0] >= pair[1]));
        assert_eq!(seconds[4..], [4_000, 4_000]);
    }

    #[test]
    fn s3_the_minimum_is_the_same_at_any_size_where_evidence_is_gathered_on_purpose() {
        let mins = [5, 100, 10_000].map(|members| times_among(members).min);
        assert_eq!(mins, [Duration::from_secs(4); 3]);
        let chance = Config::builder(Profile::Lan).corroboration(false).build().unwrap();
        assert_eq!(SuspicionTimes::new(&chance, 10_000).min.as_secs_f64().round(), 16.0);
    }

    #[test]
    fn s3_in_a_cluster_of_two_the_one_accuser_waits_twice_the_minimum() {
        let times = times_among(2);
        assert_eq!(times.timeout(0), Duration::from_secs(8));
    }

    #[test]
    fn s6_a_patience_raises_the_minimum_up_to_half_the_maximum_and_below_the_isolation_hold() {
        let config = Config::preset(Profile::Lan);
        let seconds = |members, patience| {
            let times = SuspicionTimes::new(&config, members);
            let times = times.with_patience(&config, Duration::from_secs(patience));
            assert_eq!(times.max, SuspicionTimes::new(&config, members).max);
            (times.min.as_secs(), times.timeout(times.confirmations).as_secs())
        };
        assert_eq!(seconds(10, 3), (4, 4), "less than the minimum");
        assert_eq!(seconds(10, 7), (7, 7));
        assert_eq!(seconds(10, 6_553), (12, 12), "half of the maximum of 24 s");
        assert_eq!(seconds(1_000, 6_553), (19, 19), "below the hold of 20 s");
    }

    #[test]
    fn s6_in_a_cluster_of_two_the_one_accuser_waits_for_the_patience_once() {
        let config = Config::preset(Profile::Lan);
        for (patience, lasts) in [(0, 8), (6, 8), (10, 10), (6_553, 12)] {
            let times = times_among(2).with_patience(&config, Duration::from_secs(patience));
            assert_eq!(times.timeout(0), Duration::from_secs(lasts));
        }
    }

    #[test]
    fn a_fixed_suspicion_lasts_alpha_log_n_periods_whoever_confirms() {
        let builder = Config::builder(Profile::Lan).suspicion_alpha(5);
        let config = builder.suspicion_rule(SuspicionRule::Fixed).build().unwrap();
        let times = SuspicionTimes::new(&config, 128);
        let mut suspicion = Suspicion::new(Instant::ZERO, times, TinyId(1));
        assert!(!suspicion.confirm(TinyId(2)));
        let lasts = suspicion.deadline() - Instant::ZERO;
        assert_eq!(lasts.as_millis(), 10_536);
    }

    #[test]
    fn s3_an_accuser_counts_once() {
        let times = times_among(10);
        let mut suspicion = Suspicion::new(Instant::ZERO, times, TinyId(1));
        assert!(!suspicion.confirm(TinyId(1)));
        assert!(suspicion.confirm(TinyId(2)));
        assert!(!suspicion.confirm(TinyId(2)));
        assert_eq!(suspicion.deadline(), Instant::ZERO + times.timeout(1));
    }
}
