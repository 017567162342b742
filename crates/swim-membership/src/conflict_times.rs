//! The times of a conflict between two processes of one id, and how they hang together (R4).

use core::time::Duration;

use crate::config::Config;

/// The least of the unit in which they are counted.
const UNIT_MIN: Duration = Duration::from_secs(30);

/// All are multiples of one unit, the longer of the sync interval and 30 s: by the safety net (E4)
/// alone each of the two processes hears of the other once in 1.1 units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConflictTimes {
    unit: Duration,
}

impl ConflictTimes {
    pub(crate) fn of(config: &Config) -> Self {
        Self::with_sync(config.sync_interval())
    }

    pub(crate) fn with_sync(sync_interval: Duration) -> Self {
        Self { unit: sync_interval.max(UNIT_MIN) }
    }

    /// What must be shorter than what: checked when a configuration is built, as name and time of the
    /// shorter and of the longer one.
    pub(crate) fn relations(self) -> [(&'static str, Duration, &'static str, Duration); 3] {
        let (answers, lasts) = (self.answer_interval(), self.lasts());
        // The longest interval of the safety net, of a node whose sync interval is the whole unit.
        let heard = self.unit * 11 / 10;
        [
            // Each hears the other's last word before it rises again, so that both do not rise unheard.
            ("1.1 sync intervals", heard, "the interval of answers in a conflict", answers),
            // A conflict that goes on is not over between two signs of it.
            ("that interval and 1.1 sync intervals", answers + heard, "a conflict", lasts),
            // The other members see each return, also those that come after the conflict began.
            (
                "the interval of answers in a conflict",
                answers,
                "the memory of moves",
                self.move_window(),
            ),
        ]
    }

    /// How often a process in conflict rises above the word of the other.
    pub(crate) fn answer_interval(self) -> Duration {
        self.unit * 3 / 2
    }

    /// Foreign words that are further apart are no sign of one conflict. So long it lasts after the
    /// last sign of it, too.
    pub(crate) fn lasts(self) -> Duration {
        self.unit * 4
    }

    /// A member that returns to an address that it has left so short a time ago is two processes.
    pub(crate) fn move_window(self) -> Duration {
        self.unit * 2
    }
}
