//! What runs come to together: of one cell, of all that have one C, D or I, and of all.

use super::super::variant::Variant;
use super::Job;
use super::grid::Cell;
use super::tally::Tally;

/// What distinguishes cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Axis {
    Blocked,
    Duration,
    Interval,
}

impl Axis {
    pub(super) const ALL: [Self; 3] = [Self::Blocked, Self::Duration, Self::Interval];

    /// As Lifeguard's paper calls it.
    pub(super) const fn letter(self) -> &'static str {
        match self {
            Self::Blocked => "C",
            Self::Duration => "D",
            Self::Interval => "I",
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Blocked => "C, members blocked",
            Self::Duration => "D, ms blocked",
            Self::Interval => "I, ms open",
        }
    }

    pub(super) fn of(self, cell: &Cell) -> u64 {
        match self {
            Self::Blocked => u64::from(cell.blocked),
            Self::Duration => cell.duration_ms,
            Self::Interval => cell.interval_ms,
        }
    }
}

/// Which cells are summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    All,
    Of(Axis, u64),
    One(Cell),
}

impl Part {
    fn holds(self, cell: &Cell) -> bool {
        match self {
            Self::All => true,
            Self::Of(axis, value) => axis.of(cell) == value,
            Self::One(one) => one == *cell,
        }
    }

    /// The value that all its cells have, if there is one.
    pub(super) fn value(self, of: Axis) -> Option<u64> {
        match self {
            Self::All => None,
            Self::Of(axis, value) => (axis == of).then_some(value),
            Self::One(cell) => Some(of.of(&cell)),
        }
    }
}

/// All runs, with what each has come to.
#[derive(Clone, Copy)]
pub(super) struct Sums<'a> {
    jobs: &'a [Job],
    found: &'a [Tally],
}

impl<'a> Sums<'a> {
    /// The results stand in the order of the jobs.
    pub(super) fn new(jobs: &'a [Job], found: &'a [Tally]) -> Self {
        assert_eq!(jobs.len(), found.len(), "each run has a result");
        Self { jobs, found }
    }

    /// All runs in these cells, with blocks for `time` seconds.
    pub(super) fn of(&self, time: u64, variant: Variant, part: Part) -> Tally {
        let is_part =
            |job: &Job| job.time == time && job.variant == variant && part.holds(&job.cell);
        let kept = self.jobs.iter().zip(self.found).filter(|(job, _)| is_part(job));
        kept.fold(Tally::default(), |sum, (_, &tally)| sum.add(tally))
    }
}

/// The values of an axis that occur, in rising order.
pub(super) fn values(cells: &[Cell], axis: Axis) -> Vec<u64> {
    let mut values: Vec<u64> = cells.iter().map(|cell| axis.of(cell)).collect();
    values.sort_unstable();
    values.dedup();
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_has_the_runs_of_its_time_variant_and_cells() {
        let cell = |blocked, interval_ms| Cell { blocked, duration_ms: 8, interval_ms };
        let job = |time, variant, cell| Job { time, variant, cell, run: 0 };
        let (few, many) = (cell(1, 4), cell(8, 4));
        let jobs = [
            job(105, Variant::Swimmer, few),
            job(105, Variant::Swimmer, many),
            job(105, Variant::Swimmer, cell(8, 16)),
            job(105, Variant::Lifeguard, many),
            job(600, Variant::Swimmer, many),
        ];
        let found = [1, 10, 100, 1_000, 10_000].map(|fp| Tally { fp, ..Tally::default() });
        let sums = Sums::new(&jobs, &found);
        let fp = |part| sums.of(105, Variant::Swimmer, part).fp;
        assert_eq!(fp(Part::All), 111);
        assert_eq!(fp(Part::Of(Axis::Blocked, 8)), 110);
        assert_eq!(fp(Part::Of(Axis::Interval, 4)), 11);
        assert_eq!(fp(Part::One(many)), 10);
        assert_eq!(sums.of(600, Variant::Swimmer, Part::All).fp, 10_000);
        assert_eq!(sums.of(600, Variant::Lifeguard, Part::All).fp, 0);
    }

    #[test]
    fn a_part_names_what_its_cells_have_in_common() {
        let cell = Cell { blocked: 1, duration_ms: 2, interval_ms: 3 };
        let of = |part: Part| Axis::ALL.map(|axis| part.value(axis));
        assert_eq!(of(Part::All), [None; 3]);
        assert_eq!(of(Part::Of(Axis::Duration, 2)), [None, Some(2), None]);
        assert_eq!(of(Part::One(cell)), [Some(1), Some(2), Some(3)]);
        assert_eq!(values(&[cell, Cell { blocked: 0, ..cell }, cell], Axis::Blocked), [0, 1]);
    }
}
