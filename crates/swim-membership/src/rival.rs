//! Another process with this node's id, as far as this node knows of one (R4).
//!
//! ```text
//! A (held so far)                 the others                      B (a copied data folder)
//!                                  ◄── join, B's word in 66 ───────
//!   ◄── B's word in 66 ────────────    to where A was held: J1
//!   A rises to 67 ═════════════════════════════════ A's word ═════►    the first foreign word
//!   ◄══ B's word ════════════════════════════════ B rises to 68        A: above A's answer, a conflict
//!   A rises to 69 ═════════════════════════════════ A's word ═════►    B: the same
//! ```
//!
//! From then on each rises above the other seldom, for the members that hold the id follow each time.

use core::net::SocketAddr;
use core::time::Duration;

use swim_proto::{Record, Seq};

use crate::conflict_times::ConflictTimes;
use crate::time::Instant;

/// How long after the conflict is reported the other process is asked whether it lives: it hears of
/// the conflict meanwhile, by a word of ours that R2 defers by a second at most.
const ASK_AFTER: Duration = Duration::from_secs(2);

/// Who has made the last foreign record.
#[derive(Clone, Copy, Debug)]
struct Other {
    /// Where it is reached; `None`: nowhere but where this node is, which may be an earlier life.
    address: Option<SocketAddr>,
    /// Whether this node's process started later, or at the same time at the larger address.
    earlier: bool,
    heard_at: Instant,
}

/// What is known of another process, or of an earlier life.
#[derive(Clone, Debug)]
pub(crate) struct Rival {
    other: Option<Other>,
    /// Whether this node has risen above a foreign word since the first one.
    answered: bool,
    /// Whether the last raise was such an answer, and the other process is to be told of it.
    to_tell: bool,
    conflict_until: Instant,
    /// In conflict: when this node may rise above a foreign word next.
    answer_at: Instant,
    /// When the other process is to be asked whether it lives; `NEVER`: it need not.
    ask_at: Instant,
    asked: Option<Seq>,
    /// When tables may be compared next because an ack was bare.
    compare_at: Instant,
}

impl Default for Rival {
    fn default() -> Self {
        Self {
            other: None,
            answered: false,
            to_tell: false,
            conflict_until: Instant::ZERO,
            answer_at: Instant::ZERO,
            ask_at: Instant::NEVER,
            asked: None,
            compare_at: Instant::ZERO,
        }
    }
}

impl Rival {
    /// A record that is not `own` was claimed for an incarnation that is ours or, if it `rises`, above.
    /// Returns whether this is the moment to report a conflict. An earlier life, of which several may
    /// tell, does not rise above the answer to it.
    pub(crate) fn on_foreign_record(
        &mut self,
        now: Instant,
        times: ConflictTimes,
        own: &Record,
        foreign: &Record,
        rises: bool,
    ) -> bool {
        let again = self.heard_within(now, times.lasts());
        let in_conflict = self.is_conflict(now);
        self.answered &= again;
        let sign = rises && (self.answered || in_conflict);
        let address = Some(foreign.address()).filter(|&address| address != own.address());
        let earlier = address.is_some() && age(foreign) < age(own);
        self.other = Some(Other { address, earlier, heard_at: now });
        if sign {
            self.conflict_until = now + times.lasts();
        }
        let report = sign && !in_conflict;
        if report {
            // The other process sees the conflict by the next answer, which comes at the usual rate.
            self.answer_at = now;
            self.asked = None;
            self.ask_at = if earlier { now + ASK_AFTER } else { Instant::NEVER };
        }
        report
    }

    /// This node has raised its incarnation, and not because it was accused.
    pub(crate) fn on_answered(&mut self, now: Instant, times: ConflictTimes) {
        self.on_raised();
        self.to_tell = true;
        if self.is_conflict(now) {
            self.answer_at = now + times.answer_interval();
        }
    }

    /// This node has raised its incarnation, for whatever reason.
    pub(crate) fn on_raised(&mut self) {
        self.answered = self.other.is_some();
    }

    /// No foreign word is answered before; after the conflict nothing is put off.
    pub(crate) fn answer_at(&self) -> Instant {
        self.answer_at.min(self.conflict_until)
    }

    /// Where the other process is to be told of the last answer, once.
    pub(crate) fn take_answered(
        &mut self,
        now: Instant,
        times: ConflictTimes,
    ) -> Option<SocketAddr> {
        let tells = core::mem::take(&mut self.to_tell) && self.heard_within(now, times.lasts());
        self.other.filter(|_| tells)?.address
    }

    /// A member does not hold this node where it is. Returns whether that is a reason to compare tables
    /// with it at once: once a period, and only while there is another process.
    pub(crate) fn on_bare_ack(
        &mut self,
        now: Instant,
        times: ConflictTimes,
        period: Duration,
    ) -> bool {
        let compares = self.heard_within(now, times.lasts()) && now >= self.compare_at;
        if compares {
            self.compare_at = now + period;
        }
        compares
    }

    /// When [`whom_to_ask`](Self::whom_to_ask) is wanted.
    pub(crate) fn deadline(&self) -> Instant {
        self.ask_at
    }

    /// The process that started earlier, if it is time to ask whether it lives. Asked again once a
    /// period, until it answers or the conflict is over.
    pub(crate) fn whom_to_ask(&mut self, now: Instant, period: Duration) -> Option<SocketAddr> {
        if now < self.ask_at {
            return None;
        }
        let other = self.other.filter(|other| other.earlier && self.is_conflict(now));
        self.ask_at = if other.is_some() { now + period } else { Instant::NEVER };
        other?.address
    }

    pub(crate) fn on_asked(&mut self, seq: Seq) {
        self.asked = Some(seq);
    }

    /// Whether this is the number of the ping that was sent last.
    pub(crate) fn has_asked(&self, seq: Seq) -> bool {
        self.asked == Some(seq)
    }

    /// An ack that fits no probe. Returns whether it is the answer of the process that was asked.
    pub(crate) fn is_answer(&mut self, from: SocketAddr, seq: Seq) -> bool {
        let answers =
            self.asked == Some(seq) && self.other.is_some_and(|other| other.address == Some(from));
        if answers {
            self.asked = None;
            self.ask_at = Instant::NEVER;
        }
        answers
    }

    fn is_conflict(&self, now: Instant) -> bool {
        now < self.conflict_until
    }

    fn heard_within(&self, now: Instant, time: Duration) -> bool {
        self.other.is_some_and(|other| now - other.heard_at <= time)
    }
}

/// What the processes of one id are ordered by, the one that is to stay first: when they started, then
/// their addresses. One that does not say when it started counts as the earliest.
fn age(record: &Record) -> (u32, SocketAddr) {
    (record.start().unwrap_or(0), record.address())
}

#[cfg(test)]
mod tests {
    use super::*;
    use swim_proto::{RecordFields, Versions};

    fn record(port: u16, start: Option<u32>) -> Record {
        let address = ([10, 0, 0, 1], port).into();
        let versions = Versions::default();
        let fields = RecordFields { address, versions, name: "", metadata: &[], later: &[] };
        fields.build().unwrap().with_start(start).unwrap()
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    const TIMES: fn() -> ConflictTimes = || ConflictTimes::with_sync(Duration::from_secs(30));

    fn hear(rival: &mut Rival, seconds: u64, own: &Record, foreign: &Record) -> bool {
        rival.on_foreign_record(at(seconds), TIMES(), own, foreign, true)
    }

    #[test]
    fn r4_a_foreign_word_above_the_answer_is_a_conflict_whenever_it_comes_within_the_time() {
        for (later, reported) in [(1, true), (34, true), (120, true), (121, false)] {
            let (own, foreign, mut rival) = (record(1, None), record(2, None), Rival::default());
            assert!(!hear(&mut rival, 10, &own, &foreign));
            rival.on_answered(at(10), TIMES());
            assert_eq!(hear(&mut rival, 10 + later, &own, &foreign), reported, "{later} s later");
        }
    }

    #[test]
    fn r4_nobody_is_told_or_asked_at_the_own_address() {
        let (own, mut rival) = (record(1, Some(7)), Rival::default());
        let foreign = record(1, Some(6));
        hear(&mut rival, 10, &own, &foreign);
        rival.on_answered(at(10), TIMES());
        assert_eq!(rival.take_answered(at(10), TIMES()), None);
        assert!(hear(&mut rival, 11, &own, &foreign), "but two may advertise one address");
        assert_eq!(rival.whom_to_ask(at(20), Duration::from_secs(1)), None);
    }

    #[test]
    fn r4_two_words_of_an_earlier_life_before_the_answer_are_no_conflict() {
        let (own, foreign, mut rival) = (record(1, None), record(2, None), Rival::default());
        assert!(!hear(&mut rival, 10, &own, &foreign));
        assert!(!hear(&mut rival, 10, &own, &foreign));
        rival.on_answered(at(11), TIMES());
        assert!(!rival.on_foreign_record(at(12), TIMES(), &own, &foreign, false), "an echo");
    }

    #[test]
    fn r4_the_process_that_started_later_asks_the_other_until_it_answers_by_address_where_equal() {
        for (own, foreign, asks) in [
            (record(1, Some(7)), record(2, Some(6)), true),
            (record(1, Some(6)), record(2, Some(7)), false),
            (record(2, Some(7)), record(1, Some(7)), true),
            (record(1, Some(7)), record(2, Some(7)), false),
            (record(1, Some(7)), record(2, None), true),
        ] {
            let (mut rival, second) = (Rival::default(), Duration::from_secs(1));
            hear(&mut rival, 10, &own, &foreign);
            rival.on_answered(at(10), TIMES());
            assert!(hear(&mut rival, 11, &own, &foreign));
            assert_eq!(rival.whom_to_ask(at(12), second), None, "it is too early");
            let expected = asks.then(|| foreign.address());
            assert_eq!(rival.whom_to_ask(at(13), second), expected);
            assert_eq!(rival.whom_to_ask(at(14), second), expected);
            if asks {
                rival.on_asked(Seq(5));
                assert!(!rival.is_answer(own.address(), Seq(5)), "from elsewhere");
                assert!(!rival.is_answer(foreign.address(), Seq(4)), "an old one");
                assert!(rival.is_answer(foreign.address(), Seq(5)));
                assert_eq!(rival.whom_to_ask(at(15), second), None);
            }
        }
    }
}
