//! This node's own word: its incarnation and record, and when it may be raised (R1 to R5).

use core::net::SocketAddr;
use core::time::Duration;

use swim_proto::{Claim, Incarnation, NodeId, Record, State, TinyId};

use crate::conflict_times::ConflictTimes;
use crate::reservation::Reservation;
use crate::rival::Rival;
use crate::time::Instant;

/// Refutations come at most this often (R2).
const RAISE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a refutation waits for its number to be reserved: a disk that stands still must not get
/// a node buried (R5).
const RESERVE_MAX: Duration = Duration::from_secs(1);

/// This node, as it speaks of itself.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    pub(crate) id: NodeId,
    pub(crate) tiny: TinyId,
    pub(crate) record: Record,
    pub(crate) incarnation: Incarnation,
    /// Alive, or left between two lives.
    pub(crate) state: State,
    /// Which incarnations may be used.
    pub(crate) reserved: Reservation,
    /// Another process with this id.
    pub(crate) rival: Rival,
    times: ConflictTimes,
    /// The number to rise above as soon as the rate and the reservation allow it.
    pending: Option<Incarnation>,
    /// Whether it was an accusation: that is answered at the usual rate, also in a conflict.
    accused: bool,
    may_raise_at: Instant,
    /// Until when a raise waits for its number to be reserved.
    reserve_until: Option<Instant>,
}

/// Why an incarnation is to be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Others hold what would bury this node, or what it has not said.
    Accused,
    /// Another process, or an earlier life, has said otherwise where this node is (R4).
    Foreign,
}

/// What came of a claim about this node that is not its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refutation {
    /// The incarnation was raised: tell it.
    Raised,
    /// It will be, when the rate allows it and the number is reserved.
    Later,
}

impl Local {
    /// A life that begins with the incarnation that was saved; `None`: nothing is saved.
    pub(crate) fn new(
        id: NodeId,
        tiny: TinyId,
        record: Record,
        saved: Option<Incarnation>,
        times: ConflictTimes,
    ) -> Self {
        Self {
            id,
            tiny,
            record,
            incarnation: saved.unwrap_or(Incarnation::FIRST),
            state: State::Alive,
            reserved: saved.map_or(Reservation::NOT_KEPT, Reservation::beginning_with),
            rival: Rival::default(),
            times,
            pending: None,
            accused: false,
            may_raise_at: Instant::ZERO,
            reserve_until: None,
        }
    }

    pub(crate) fn claim(&self) -> Claim {
        Claim::new(self.incarnation, self.state)
    }

    /// Rises above `heard`, now or as soon as the rate allows it (R1, R2).
    pub(crate) fn refute(&mut self, now: Instant, heard: Incarnation, cause: Cause) -> Refutation {
        let heard = self.pending.map_or(heard, |pending| pending.max(heard));
        self.pending = Some(heard);
        self.accused |= cause == Cause::Accused;
        self.raise_due(now)
    }

    /// Makes a raise that waits, if its time has come.
    pub(crate) fn raise_due(&mut self, now: Instant) -> Refutation {
        match self.pending {
            Some(heard) if now >= self.raise_at() => {
                let raised = self.incarnation.max(heard).next();
                if !self.reserved.covers(raised)
                    && now < *self.reserve_until.get_or_insert(now + RESERVE_MAX)
                {
                    return Refutation::Later;
                }
                self.pending = None;
                self.reserve_until = None;
                self.incarnation = raised;
                self.may_raise_at = now + RAISE_INTERVAL;
                match core::mem::take(&mut self.accused) {
                    true => self.rival.on_raised(),
                    false => self.rival.on_answered(now, self.times),
                }
                Refutation::Raised
            }
            _ => Refutation::Later,
        }
    }

    /// When a raise that waits may be made.
    pub(crate) fn deadline(&self) -> Instant {
        let at = self.raise_at();
        let at = self.reserve_until.map_or(at, |until| until.max(at));
        self.pending.map_or(Instant::NEVER, |_| at)
    }

    fn raise_at(&self) -> Instant {
        match self.accused {
            true => self.may_raise_at,
            false => self.may_raise_at.max(self.rival.answer_at()),
        }
    }

    /// The number that this node uses, or will once it may.
    pub(crate) fn number(&self) -> Incarnation {
        self.pending.map_or(self.incarnation, |heard| self.incarnation.max(heard).next())
    }

    /// A record that is not ours was claimed for the incarnation `heard`, at or above our own.
    /// Returns whether this is the moment to report a conflict (R4).
    pub(crate) fn on_foreign_record(
        &mut self,
        now: Instant,
        heard: Incarnation,
        foreign: &Record,
    ) -> bool {
        let rises = heard > self.incarnation;
        self.rival.on_foreign_record(now, self.times, &self.record, foreign, rises)
    }

    /// The process, or earlier life, above which this node has risen just now: tables are compared with
    /// it, by which it is told.
    pub(crate) fn take_answered(&mut self, now: Instant) -> Option<SocketAddr> {
        self.rival.take_answered(now, self.times)
    }

    /// A member does not hold this node where it is: whether to compare tables with it at once (R4).
    pub(crate) fn on_bare_ack(&mut self, now: Instant, period: Duration) -> bool {
        self.rival.on_bare_ack(now, self.times, period)
    }

    /// The next own word: a new record, a new life.
    pub(crate) fn advance(&mut self, state: State) {
        self.incarnation =
            self.pending.take().map_or(self.incarnation, |heard| self.incarnation.max(heard));
        self.reserve_until = None;
        self.accused = false;
        if state == State::Alive {
            self.incarnation = self.incarnation.next();
            self.rival.on_raised();
        } else {
            self.rival = Rival::default();
        }
        self.state = state;
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.record.address()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swim_proto::{RecordFields, Versions};

    fn local() -> Local {
        let record = RecordFields {
            address: "127.0.0.1:1".parse().unwrap(),
            versions: Versions::default(),
            name: "",
            metadata: &[],
            later: &[],
        };
        let times = ConflictTimes::with_sync(Duration::from_secs(30));
        Local::new(NodeId::from_bytes([1; 16]), TinyId(1), record.build().unwrap(), None, times)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn r1_a_refutation_rises_above_what_was_heard() {
        let mut local = local();
        assert_eq!(local.refute(at(1), Incarnation(7), Cause::Accused), Refutation::Raised);
        assert_eq!(local.incarnation, Incarnation(8));
    }

    #[test]
    fn r2_a_flood_of_accusations_raises_the_incarnation_once_a_second() {
        let mut local = local();
        for micros in 0..1_000 {
            local.refute(at(10) + Duration::from_micros(micros), local.incarnation, Cause::Accused);
        }
        assert_eq!(local.incarnation, Incarnation(2));
        assert_eq!(local.deadline(), at(11));
        assert_eq!(local.raise_due(at(11)), Refutation::Raised);
        assert_eq!(local.incarnation, Incarnation(3));
    }

    /// A foreign record at this moment, for an incarnation so far above the own one, and the answer.
    fn foreign(local: &mut Local, seconds: u64, above: u64) -> (bool, Refutation) {
        let record = RecordFields {
            address: "127.0.0.1:2".parse().unwrap(),
            versions: Versions::default(),
            name: "",
            metadata: &[],
            later: &[],
        };
        let heard = Incarnation(local.incarnation.0 + above);
        let report = local.on_foreign_record(at(seconds), heard, &record.build().unwrap());
        (report, local.refute(at(seconds), heard, Cause::Foreign))
    }

    #[test]
    fn r4_a_foreign_record_above_the_answer_is_a_conflict_and_then_answered_seldom() {
        let mut local = local();
        assert_eq!(foreign(&mut local, 1, 0), (false, Refutation::Raised));
        assert_eq!(foreign(&mut local, 2, 0), (false, Refutation::Raised), "an earlier life's");
        let answered = (true, Refutation::Raised);
        assert_eq!(foreign(&mut local, 3, 1), answered, "by this the other sees it, too");
        assert_eq!(foreign(&mut local, 4, 1), (false, Refutation::Later), "it is reported once");
        assert_eq!(local.deadline(), at(48));
        assert_eq!(local.raise_due(at(48)), Refutation::Raised);
    }

    #[test]
    fn r4_an_accusation_is_refuted_at_the_usual_rate_also_in_a_conflict() {
        let mut local = local();
        for second in 1..=3 {
            foreign(&mut local, second, 1);
        }
        assert_eq!(foreign(&mut local, 5, 1).1, Refutation::Later);
        let accused = local.incarnation;
        assert_eq!(local.refute(at(6), accused, Cause::Accused), Refutation::Raised);
        assert_eq!(foreign(&mut local, 8, 1).1, Refutation::Later, "that is still answered seldom");
        assert_eq!(local.deadline(), at(47));
    }

    #[test]
    fn r5_a_raise_inside_the_block_waits_for_nothing_and_one_beyond_it_for_a_second_at_most() {
        let mut local = local();
        local.reserved = Reservation::beginning_with(Incarnation(1));
        local.reserved.extend(Incarnation(65));
        assert_eq!(local.refute(at(1), Incarnation(63), Cause::Accused), Refutation::Raised);
        assert_eq!(local.refute(at(3), Incarnation(64), Cause::Accused), Refutation::Later);
        assert_eq!((local.incarnation, local.number()), (Incarnation(64), Incarnation(65)));
        assert_eq!(local.deadline(), at(4));
        let mut waiting = local.clone();
        assert_eq!(waiting.raise_due(at(4)), Refutation::Raised, "the disk stands still");
        local.reserved.extend(Incarnation(129));
        assert_eq!(local.raise_due(at(3)), Refutation::Raised);
        assert_eq!(local.incarnation, Incarnation(65));
    }

    #[test]
    fn l1_leaving_keeps_the_incarnation_and_the_next_life_raises_it() {
        let mut local = local();
        local.advance(State::Left);
        assert_eq!(local.claim(), Claim::new(Incarnation(1), State::Left));
        local.advance(State::Alive);
        assert_eq!(local.claim(), Claim::new(Incarnation(2), State::Alive));
    }
}
