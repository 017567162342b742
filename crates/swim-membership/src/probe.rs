//! One attempt to hear from a member, in three phases (P2 to P6; SWIM, section 4.1, and Lifeguard).
//!
//! ```text
//! ping ──► ack?                        until the time-out
//! ping-req to relays, and a ping over the reliable plane ──► ack?     until the period ends
//! no ack: the member is suspected
//! ```

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use swim_proto::Seq;

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
    /// Somebody calls it dead, or it was held when this node was out of touch.
    Doubt,
    /// Somebody accuses it (S7).
    Corroboration,
    /// This node wants to know whether it is cut off itself.
    Touch,
}

/// An attempt in flight.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(crate) seq: Seq,
    pub(crate) target: MemberIx,
    pub(crate) purpose: Purpose,
    pub(crate) sent_at: Instant,
    phase: Phase,
    timeout_at: Instant,
    ends_at: Instant,
    /// Relays asked that have not said nack, by index.
    pub(crate) silent_relays: Vec<MemberIx>,
    /// Whether any relay was asked.
    pub(crate) relayed: bool,
}

impl Probe {
    pub(crate) fn new(
        seq: Seq,
        target: MemberIx,
        purpose: Purpose,
        sent_at: Instant,
        timeout_at: Instant,
        ends_at: Instant,
    ) -> Self {
        Self {
            seq,
            target,
            purpose,
            sent_at,
            phase: Phase::Direct,
            timeout_at,
            ends_at,
            silent_relays: Vec::new(),
            relayed: false,
        }
    }

    /// When nobody is waited for any more.
    pub(crate) fn ends_at(&self) -> Instant {
        self.ends_at
    }

    /// When the current phase ends.
    pub(crate) fn deadline(&self) -> Instant {
        match self.phase {
            Phase::Direct => self.timeout_at,
            Phase::Indirect => self.ends_at,
        }
    }

    /// The deadline of the current phase has passed.
    pub(crate) fn on_deadline(&mut self) -> Step {
        match self.phase {
            Phase::Direct => {
                self.phase = Phase::Indirect;
                Step::AskOthers
            }
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

/// So many failed probes are remembered for their late acks.
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
        self.in_flight.iter().find(|probe| probe.seq == seq).map(|probe| probe.target)
    }

    /// The probe that an ack or nack with this number belongs to.
    pub(crate) fn find(&mut self, seq: Seq) -> Option<&mut Probe> {
        self.in_flight.iter_mut().find(|probe| probe.seq == seq)
    }

    pub(crate) fn take(&mut self, seq: Seq) -> Option<Probe> {
        let at = self.in_flight.iter().position(|probe| probe.seq == seq)?;
        Some(self.in_flight.swap_remove(at))
    }

    /// The number of a probe whose target is one of these.
    pub(crate) fn to(&self, is_target: impl Fn(MemberIx) -> bool) -> Option<Seq> {
        self.in_flight.iter().find(|probe| is_target(probe.target)).map(|probe| probe.seq)
    }

    /// A probe has failed; its ack may still come.
    pub(crate) fn on_over(&mut self, probe: &Probe) {
        if self.over.len() == OVER_MAX {
            self.over.pop_front();
        }
        self.over.push_back((probe.seq, probe.target, probe.sent_at));
    }

    /// Whom a late ack is of, and when it was asked for.
    pub(crate) fn take_over(&mut self, seq: Seq) -> Option<(MemberIx, Instant)> {
        let at = self.over.iter().position(|&(over, ..)| over == seq)?;
        let (_, target, sent_at) = self.over.remove(at)?;
        Some((target, sent_at))
    }

    /// Ends a probe of this one that was only to look around.
    pub(crate) fn end_touch(&mut self, target: MemberIx) {
        self.in_flight.retain(|probe| probe.target != target || probe.purpose != Purpose::Touch);
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
