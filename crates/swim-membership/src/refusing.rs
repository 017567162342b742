//! Suspects whose hosts refuse connections: they confirm nobody's suspicion (P6, S3).

use alloc::collections::BTreeSet;

use crate::table::MemberIx;

/// Present members that are suspect, and whose hosts have refused a connection since. No more than
/// there are suspects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusing(BTreeSet<MemberIx>);

impl Refusing {
    pub(crate) fn insert(&mut self, ix: MemberIx) {
        self.0.insert(ix);
    }

    pub(crate) fn remove(&mut self, ix: MemberIx) {
        self.0.remove(&ix);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = MemberIx> + '_ {
        self.0.iter().copied()
    }

    /// How many of `present` members could confirm the suspicion of this one, which is one of them.
    pub(crate) fn confirmers(&self, present: usize, suspect: MemberIx) -> usize {
        let refusing = self.len() - usize::from(self.0.contains(&suspect));
        present.saturating_sub(1 + refusing)
    }
}
