//! This node's own word: its incarnation and record, and when it may be raised (R1 to R5).

use core::net::SocketAddr;
use core::time::Duration;

use swim_proto::{Claim, Incarnation, NodeId, Record, State, TinyId};

use crate::reservation::Reservation;
use crate::time::Instant;

/// Refutations come at most this often (R2).
const RAISE_INTERVAL: Duration = Duration::from_secs(1);
/// A foreign record that comes again within this time is another process with our id (R4). Each
/// learns of the other only by comparing tables, so that it takes a while to come again.
const CONFLICT_WINDOW: Duration = Duration::from_secs(30);
/// How often a node in conflict refutes (R4).
const CONFLICT_INTERVAL: Duration = Duration::from_secs(60);
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
    /// The number to rise above as soon as the rate and the reservation allow it.
    pending: Option<Incarnation>,
    may_raise_at: Instant,
    /// Until when a raise waits for its number to be reserved.
    reserve_until: Option<Instant>,
    foreign_at: Option<Instant>,
    conflict_until: Instant,
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
    ) -> Self {
        Self {
            id,
            tiny,
            record,
            incarnation: saved.unwrap_or(Incarnation::FIRST),
            state: State::Alive,
            reserved: saved.map_or(Reservation::NOT_KEPT, Reservation::beginning_with),
            pending: None,
            may_raise_at: Instant::ZERO,
            reserve_until: None,
            foreign_at: None,
            conflict_until: Instant::ZERO,
        }
    }

    pub(crate) fn claim(&self) -> Claim {
        Claim::new(self.incarnation, self.state)
    }

    /// Rises above `heard`, now or as soon as the rate allows it (R1, R2).
    pub(crate) fn refute(&mut self, now: Instant, heard: Incarnation) -> Refutation {
        let heard = self.pending.map_or(heard, |pending| pending.max(heard));
        self.pending = Some(heard);
        self.raise_due(now)
    }

    /// Makes a raise that waits, if its time has come.
    pub(crate) fn raise_due(&mut self, now: Instant) -> Refutation {
        match self.pending {
            Some(heard) if now >= self.may_raise_at => {
                let raised = self.incarnation.max(heard).next();
                if !self.reserved.covers(raised)
                    && now < *self.reserve_until.get_or_insert(now + RESERVE_MAX)
                {
                    return Refutation::Later;
                }
                self.pending = None;
                self.reserve_until = None;
                self.incarnation = raised;
                let in_conflict = now < self.conflict_until;
                self.may_raise_at =
                    now + if in_conflict { CONFLICT_INTERVAL } else { RAISE_INTERVAL };
                Refutation::Raised
            }
            _ => Refutation::Later,
        }
    }

    /// When a raise that waits may be made.
    pub(crate) fn deadline(&self) -> Instant {
        let at = self.reserve_until.map_or(self.may_raise_at, |until| until.max(self.may_raise_at));
        self.pending.map_or(Instant::NEVER, |_| at)
    }

    /// The number that this node uses, or will once it may.
    pub(crate) fn number(&self) -> Incarnation {
        self.pending.map_or(self.incarnation, |heard| self.incarnation.max(heard).next())
    }

    /// A record that is not ours was claimed for the incarnation `heard`, at or above our own.
    /// Returns whether this is the moment to report a conflict (R4). It is refuted once more at the
    /// usual rate, for it is by that that the other process sees the conflict.
    pub(crate) fn on_foreign_record(&mut self, now: Instant, heard: Incarnation) -> bool {
        let in_conflict = now < self.conflict_until;
        let again = self.foreign_at.is_some_and(|before| now - before <= CONFLICT_WINDOW);
        // An earlier life of ours, which several may tell of, does not rise above our answer.
        let rises = heard > self.incarnation && (again || in_conflict);
        let report = rises && !in_conflict;
        if rises {
            // Both raise once a minute now, so that long it takes to see that it is over.
            self.conflict_until = now + CONFLICT_INTERVAL * 2;
        }
        self.foreign_at = Some(now);
        report
    }

    /// The next own word: a new record, a new life.
    pub(crate) fn advance(&mut self, state: State) {
        self.incarnation =
            self.pending.take().map_or(self.incarnation, |heard| self.incarnation.max(heard));
        self.reserve_until = None;
        if state == State::Alive {
            self.incarnation = self.incarnation.next();
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
        Local::new(NodeId::from_bytes([1; 16]), TinyId(1), record.build().unwrap(), None)
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn r1_a_refutation_rises_above_what_was_heard() {
        let mut local = local();
        assert_eq!(local.refute(at(1), Incarnation(7)), Refutation::Raised);
        assert_eq!(local.incarnation, Incarnation(8));
    }

    #[test]
    fn r2_a_flood_of_accusations_raises_the_incarnation_once_a_second() {
        let mut local = local();
        for micros in 0..1_000 {
            local.refute(at(10) + Duration::from_micros(micros), local.incarnation);
        }
        assert_eq!(local.incarnation, Incarnation(2));
        assert_eq!(local.deadline(), at(11));
        assert_eq!(local.raise_due(at(11)), Refutation::Raised);
        assert_eq!(local.incarnation, Incarnation(3));
    }

    #[test]
    fn r4_a_foreign_record_that_comes_again_is_a_conflict_and_then_refuted_once_a_minute() {
        let mut local = local();
        assert!(!local.on_foreign_record(at(1), Incarnation(1)));
        assert_eq!(local.refute(at(1), Incarnation(1)), Refutation::Raised);
        assert!(!local.on_foreign_record(at(2), Incarnation(2)), "an echo of an earlier life");
        assert!(local.on_foreign_record(at(3), Incarnation(3)));
        assert_eq!(
            local.refute(at(3), Incarnation(3)),
            Refutation::Raised,
            "so that it sees it too"
        );
        assert!(!local.on_foreign_record(at(4), Incarnation(5)), "it is reported once");
        assert_eq!(local.refute(at(4), Incarnation(5)), Refutation::Later);
        assert_eq!(local.deadline(), at(63));
    }

    #[test]
    fn r5_a_raise_inside_the_block_waits_for_nothing_and_one_beyond_it_for_a_second_at_most() {
        let mut local = local();
        local.reserved = Reservation::beginning_with(Incarnation(1));
        local.reserved.extend(Incarnation(65));
        assert_eq!(local.refute(at(1), Incarnation(63)), Refutation::Raised);
        assert_eq!(local.refute(at(3), Incarnation(64)), Refutation::Later);
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
