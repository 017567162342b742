//! A deadline for each of a few members, the next one first.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::table::MemberIx;
use crate::time::Instant;

/// At most one value with a deadline a member. All operations are O(log n).
#[derive(Clone, Debug)]
pub(crate) struct Deadlines<T> {
    values: BTreeMap<MemberIx, (Instant, T)>,
    order: BTreeSet<(Instant, MemberIx)>,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), order: BTreeSet::new() }
    }
}

impl<T> Deadlines<T> {
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn set(&mut self, ix: MemberIx, at: Instant, value: T) {
        self.remove(ix);
        self.values.insert(ix, (at, value));
        self.order.insert((at, ix));
    }

    pub(crate) fn remove(&mut self, ix: MemberIx) -> Option<T> {
        let (at, value) = self.values.remove(&ix)?;
        self.order.remove(&(at, ix));
        Some(value)
    }

    pub(crate) fn value(&self, ix: MemberIx) -> Option<&T> {
        self.values.get(&ix).map(|(_, value)| value)
    }

    /// Changes a value, then moves its deadline to what `change` returns.
    pub(crate) fn update(&mut self, ix: MemberIx, change: impl FnOnce(&mut T) -> Instant) {
        if let Some((at, value)) = self.values.get_mut(&ix) {
            self.order.remove(&(*at, ix));
            *at = change(value);
            self.order.insert((*at, ix));
        }
    }

    /// The next deadline.
    pub(crate) fn first(&self) -> Option<(Instant, MemberIx)> {
        self.order.first().copied()
    }

    /// Takes out the next one if its deadline has come.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(MemberIx, T)> {
        let (at, ix) = self.first()?;
        if at > now {
            return None;
        }
        self.remove(ix).map(|value| (ix, value))
    }

    /// Those with the latest deadlines first.
    pub(crate) fn latest_first(&self) -> impl Iterator<Item = (Instant, MemberIx)> + '_ {
        self.order.iter().rev().copied()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = MemberIx> + '_ {
        self.order.iter().map(|&(_, ix)| ix)
    }
}
