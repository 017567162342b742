//! The members of a table in the order in which tables are compared (E2).

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;

use swim_proto::{BucketSet, ShortId};

use crate::table::{MemberIx, Table};

/// More members than this are never selected for one frame, which does not hold them anyway.
const SELECTED_MAX: usize = 4_096;

/// Members in the order of their short ids, as frames tell them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Only those of these buckets.
    pub buckets: BucketSet,
    /// From this short id on.
    pub from: ShortId,
    /// Until before this one, `None`: to the end.
    pub until: Option<ShortId>,
}

impl Stretch {
    /// Whether a member of this short id is among them.
    pub fn contains(&self, short: ShortId) -> bool {
        short >= self.from
            && self.until.is_none_or(|until| short < until)
            && self.buckets.contains(short.bucket())
    }
}

impl Table {
    /// Puts the first present members of a stretch that are `wanted` into `selected`, as many as a
    /// frame may hold. Returns from which short id on there are more, `None`: those are all.
    pub fn select(
        &self,
        stretch: &Stretch,
        wanted: impl Fn(ShortId, MemberIx) -> bool,
        selected: &mut Vec<(ShortId, MemberIx)>,
    ) -> Option<ShortId> {
        selected.clear();
        // The last of those that are kept is on top, so that it makes room for an earlier one.
        let mut kept = BinaryHeap::from(core::mem::take(selected));
        for ix in self.iter().filter(|&ix| self.held(ix).claim().state.is_present()) {
            let short = self.short(ix);
            let late = kept.len() > SELECTED_MAX && kept.peek() <= Some(&(short, ix));
            if late || !stretch.contains(short) || !wanted(short, ix) {
                continue;
            }
            if kept.len() > SELECTED_MAX {
                kept.pop();
            }
            kept.push((short, ix));
        }
        *selected = kept.into_sorted_vec();
        // One more than may be told is kept, to know where it goes on.
        (selected.len() > SELECTED_MAX).then(|| selected.pop().map(|(short, _)| short)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;
    use std::vec;
    use swim_proto::{ClusterName, NodeId, RecordFields, Versions};

    fn table(count: u32) -> Table {
        let tag = ClusterName::new("test").unwrap().tag();
        let record = |n: u32| {
            let address = SocketAddr::from(([10, 0, 0, 1], n as u16 + 1));
            let versions = Versions::default();
            RecordFields { address, versions, name: "", metadata: &[], later: &[] }.build().unwrap()
        };
        let id = |n: u32| NodeId::from_bytes(u128::from(n).to_le_bytes());
        Table::of_alive(tag, 7, (0..count).map(|n| (id(n), record(n))))
    }

    /// All of a stretch, piece by piece.
    fn walk(table: &Table, buckets: BucketSet) -> (Vec<ShortId>, usize) {
        let (mut all, mut piece, mut pieces) = (vec![], vec![], 0);
        let mut from = Some(ShortId(0));
        while let Some(start) = from {
            let stretch = Stretch { buckets, from: start, until: None };
            from = table.select(&stretch, |_, _| true, &mut piece);
            all.extend(piece.iter().map(|&(short, _)| short));
            pieces += 1;
        }
        (all, pieces)
    }

    #[test]
    fn e2_a_table_is_walked_in_the_order_of_short_ids_in_pieces_and_each_member_once() {
        for (count, pieces) in [(0, 1), (4_096, 1), (4_097, 2), (9_000, 3)] {
            let table = table(count);
            let (walked, in_pieces) = walk(&table, BucketSet::ALL);
            assert_eq!(in_pieces, pieces);
            assert!(walked.is_sorted(), "{count}");
            let mut expected: Vec<_> = table.iter().map(|ix| table.short(ix)).collect();
            expected.sort_unstable();
            assert_eq!(walked, expected);
        }
    }

    #[test]
    fn e2_only_members_of_the_buckets_and_within_the_ends_are_selected() {
        let table = table(2_000);
        let buckets: BucketSet = [0, 7, 130, 255].into_iter().collect();
        let (walked, _) = walk(&table, buckets);
        assert!(walked.len() > 10 && walked.iter().all(|short| buckets.contains(short.bucket())));
        let (from, until) = (walked[2], walked[9]);
        let mut selected = vec![];
        let stretch = Stretch { buckets, from, until: Some(until) };
        assert_eq!(table.select(&stretch, |short, _| short != walked[4], &mut selected), None);
        let selected: Vec<_> = selected.iter().map(|&(short, _)| short).collect();
        assert_eq!(selected, [&walked[2..4], &walked[5..9]].concat());
    }
}
