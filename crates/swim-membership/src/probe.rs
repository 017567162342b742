//! One attempt to hear from a member, in three phases (P2 to P6; SWIM, section 4.1, and Lifeguard).
//!
//! ```text
//! ping ──► ack?                        until the time-out; where that is stretched, again and again
//! ping-req to relays, a ping over the reliable plane, and the ping again ──► ack?     until the end
//! no ack: the member is suspected
//! ```

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use swim_proto::Seq;

use crate::probe_times::ProbeTimes;
use crate::table::MemberIx;
use crate::time::Instant;

/// Which question is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The ping itself.
    Direct,
    /// Relays and the reliable plane.
    Indirect,
}

/// What a probe wants when its deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ping once more.
    PingAgain,
    /// Ask relays and the reliable plane.
    AskOthers,
    /// Nobody has heard from the member.
    Fail,
}

/// Why a member is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It is its turn. Whether it was held alive when it was asked.
    Turn { alive: bool },
    /// A peer says that it is dead, or it did not answer while this node was isolated.
    Doubt,
    /// A peer accuses it (S7).
    Corroboration,
    /// Nobody answers this node, and it wants to know whether that is its own fault (S5).
    LookAround,
}

/// An attempt in flight.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) seq: Seq,
    pub(crate) target: MemberIx,
    pub(crate) purpose: Purpose,
    pub(crate) sent_at: Instant,
    /// The pings after the first, at most `REPEATS_MAX`. Each has a number of its own, so that each
    /// ack tells how long its way was.
    repeats: Vec<(Seq, Instant)>,
    /// When the next one is sent, and how long after the one before.
    repeat_at: Instant,
    repeat_after: Option<Duration>,
    /// When relays and the reliable plane were asked; before that, when the ping was sent.
    asked_at: Instant,
    /// Whether anybody has answered in time: relays that say nack do (S5).
    pub(crate) heard: bool,
    phase: Phase,
    timeout_at: Instant,
    ends_at: Instant,
    /// From when the target is given time if the probe fails (S1): when it was sent, or the probe
    /// for which the target was asked as a relay (P6).
    pub(crate) counts_from: Instant,
    /// Relays asked that have not said nack, by index.
    pub(crate) silent_relays: Vec<MemberIx>,
    /// How many relays were asked.
    pub(crate) relays: usize,
    /// Whether the host of the target has refused the connection for the reliable ping, in time.
    pub(crate) refused: bool,
}

impl Probe {
    pub(crate) fn new(
        seq: Seq,
        target: MemberIx,
        purpose: Purpose,
        sent_at: Instant,
        times: ProbeTimes,
        repeats: bool,
    ) -> Self {
        let repeat_after = repeats.then_some(times.again);
        Self {
            seq,
            target,
            purpose,
            sent_at,
            repeats: Vec::new(),
            repeat_at: repeat_after.map_or(Instant::NEVER, |after| sent_at + after),
            repeat_after,
            asked_at: sent_at,
            heard: false,
            phase: Phase::Direct,
            timeout_at: sent_at + times.direct,
            ends_at: sent_at + times.whole,
            counts_from: sent_at,
            silent_relays: Vec::new(),
            relays: 0,
            refused: false,
        }
    }

    /// The ping is sent again when others are asked.
    pub(crate) fn repeat_at(&mut self, at: Instant) {
        self.repeat_at = at;
    }

    /// Whether the ping is sent again and again.
    pub(crate) fn repeats(&self) -> bool {
        self.repeat_after.is_some()
    }

    /// The ping is not sent again and again any more.
    pub(crate) fn end_repeats(&mut self) {
        (self.repeat_after, self.repeat_at) = (None, Instant::NEVER);
    }

    /// The ping was sent again, with this number.
    pub(crate) fn on_repeated(&mut self, now: Instant, seq: Seq) {
        self.repeats.push((seq, now));
        self.repeat_at = match self.repeat_after {
            Some(after) if self.repeats.len() < REPEATS_MAX => now + after,
            _ => Instant::NEVER,
        };
    }

    /// When the ping of this number was sent.
    pub(crate) fn sent(&self, seq: Seq) -> Option<Instant> {
        self.pings().find(|&(sent, _)| sent == seq).map(|(_, at)| at)
    }

    fn pings(&self) -> impl Iterator<Item = (Seq, Instant)> {
        [(self.seq, self.sent_at)].into_iter().chain(self.repeats.iter().copied())
    }

    fn has(&self, seq: Seq) -> bool {
        self.sent(seq).is_some()
    }

    /// When the target itself was asked what this number answers, or else the others were.
    pub(crate) fn asked_at(&self, direct: bool, seq: Seq) -> Instant {
        if direct { self.sent(seq).unwrap_or(self.sent_at) } else { self.asked_at }
    }

    /// When relays and the reliable plane were asked.
    pub(crate) fn others_asked_at(&self) -> Instant {
        self.asked_at
    }

    /// Others are asked now.
    pub(crate) fn on_asked(&mut self, now: Instant, relays: &[MemberIx]) {
        self.asked_at = now;
        self.relays = relays.len();
        self.silent_relays = Vec::from(relays);
    }

    /// When nobody is waited for any more.
    pub(crate) fn ends_at(&self) -> Instant {
        self.ends_at
    }

    /// When the current phase ends.
    pub(crate) fn deadline(&self) -> Instant {
        match self.phase {
            Phase::Direct => self.timeout_at.min(self.repeat_at),
            Phase::Indirect => self.ends_at.min(self.repeat_at),
        }
    }

    /// The deadline of the current phase has passed.
    pub(crate) fn on_deadline(&mut self) -> Step {
        match self.phase {
            Phase::Direct if self.repeat_at < self.timeout_at => Step::PingAgain,
            Phase::Direct => {
                self.phase = Phase::Indirect;
                Step::AskOthers
            }
            Phase::Indirect if self.repeat_at < self.ends_at => Step::PingAgain,
            Phase::Indirect => Step::Fail,
        }
    }
}

/// The probes in flight: one a period, and those of members that are looked into besides.
#[derive(Clone, Debug)]
pub(crate) struct Probes {
    in_flight: Vec<Probe>,
    /// Those that have failed: a late ack still tells how long its way was.
    over: VecDeque<(Seq, MemberIx, Instant)>,
    seq: Seq,
}

/// A member is pinged again so many times in one probe at most.
const REPEATS_MAX: usize = 16;
/// So many pings of failed probes are remembered for their late acks.
const OVER_MAX: usize = 32;
/// More probes than this are never in flight; a further one has to wait for its turn.
const IN_FLIGHT_MAX: usize = 64;

impl Probes {
    /// Numbers start at `seq`, which is random, so that a stranger cannot guess them (P2).
    pub(crate) fn new(seq: Seq) -> Self {
        Self { in_flight: Vec::new(), over: VecDeque::new(), seq }
    }

    /// The next number; also for leaves and relays, so that each is used once.
    pub(crate) fn next_seq(&mut self) -> Seq {
        self.seq = self.seq.next();
        self.seq
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.in_flight.len() >= IN_FLIGHT_MAX
    }

    pub(crate) fn contains(&self, target: MemberIx) -> bool {
        self.in_flight.iter().any(|probe| probe.target == target)
    }

    pub(crate) fn push(&mut self, probe: Probe) {
        debug_assert!(!self.is_full(), "the caller has asked");
        self.in_flight.push(probe);
    }

    pub(crate) fn has(&self, seq: Seq) -> bool {
        self.target(seq).is_some()
    }

    /// Whom the probe of this number is for.
    pub(crate) fn target(&self, seq: Seq) -> Option<MemberIx> {
        self.in_flight.iter().find(|probe| probe.has(seq)).map(|probe| probe.target)
    }

    /// The probe that an ack or nack with this number belongs to.
    pub(crate) fn find(&mut self, seq: Seq) -> Option<&mut Probe> {
        self.in_flight.iter_mut().find(|probe| probe.has(seq))
    }

    pub(crate) fn take(&mut self, seq: Seq) -> Option<Probe> {
        let at = self.in_flight.iter().position(|probe| probe.has(seq))?;
        Some(self.in_flight.swap_remove(at))
    }

    /// The number of a probe whose target is one of these.
    pub(crate) fn to(&self, is_target: impl Fn(MemberIx) -> bool) -> Option<Seq> {
        self.in_flight.iter().find(|probe| is_target(probe.target)).map(|probe| probe.seq)
    }

    /// The time of this target, if a probe of it is in flight, counts from this moment at the latest.
    pub(crate) fn date_back(&mut self, target: MemberIx, to: Instant) {
        for probe in self.in_flight.iter_mut().filter(|probe| probe.target == target) {
            probe.counts_from = probe.counts_from.min(to);
        }
    }

    /// A probe has ended without an ack by datagram; that may still come.
    pub(crate) fn on_over(&mut self, probe: &Probe) {
        for (seq, sent_at) in probe.pings() {
            if self.over.len() == OVER_MAX {
                self.over.pop_front();
            }
            self.over.push_back((seq, probe.target, sent_at));
        }
    }

    /// Whom a late ack is of, and when it was asked for.
    pub(crate) fn take_over(&mut self, seq: Seq) -> Option<(MemberIx, Instant)> {
        let at = self.over.iter().position(|&(over, ..)| over == seq)?;
        let (_, target, sent_at) = self.over.remove(at)?;
        Some((target, sent_at))
    }

    /// Ends a probe of this member that has this purpose.
    pub(crate) fn end(&mut self, target: MemberIx, purpose: Purpose) {
        self.in_flight.retain(|probe| probe.target != target || probe.purpose != purpose);
    }

    /// Whether a probe that asks this is in flight.
    pub(crate) fn any_for(&self, purpose: Purpose) -> bool {
        self.in_flight.iter().any(|probe| probe.purpose == purpose)
    }

    pub(crate) fn forget(&mut self, target: MemberIx) {
        self.over.retain(|&(_, over, _)| over != target);
        self.in_flight.retain(|probe| probe.target != target);
        for probe in &mut self.in_flight {
            probe.silent_relays.retain(|&relay| relay != target);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.in_flight.clear();
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.in_flight.iter().map(Probe::deadline).min().unwrap_or(Instant::NEVER)
    }

    /// When the next probe ends that has asked everybody.
    pub(crate) fn answers_deadline(&self) -> Instant {
        self.waiting_for_answers().map(Probe::deadline).min().unwrap_or(Instant::NEVER)
    }

    /// One that has asked everybody and has come to its end.
    pub(crate) fn answers_due(&self, now: Instant) -> Option<Seq> {
        let mut waiting = self.waiting_for_answers();
        waiting.find(|probe| probe.deadline() <= now).map(|probe| probe.seq)
    }

    fn waiting_for_answers(&self) -> impl Iterator<Item = &Probe> {
        self.in_flight.iter().filter(|probe| probe.phase == Phase::Indirect)
    }

    pub(crate) fn due(&self, now: Instant) -> Option<Seq> {
        self.in_flight.iter().find(|probe| probe.deadline() <= now).map(|probe| probe.seq)
    }
}
