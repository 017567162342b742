//! What the operator was told already: each kind of notice once per address.

use std::collections::BTreeSet;
use std::mem::{Discriminant, discriminant};
use std::net::SocketAddr;

use crate::event::Notice;

/// More addresses than this are not told of: whoever sends from so many is no neighbour that an
/// operator could mend. They are still counted.
const TOLD_MAX: usize = 256;

#[derive(Default)]
pub(super) struct Told(Vec<(Discriminant<Notice>, BTreeSet<SocketAddr>)>);

impl Told {
    /// Returns whether this is the first notice of its kind about `address`.
    pub(super) fn insert(&mut self, notice: &Notice, address: SocketAddr) -> bool {
        let kind = discriminant(notice);
        let at = match self.0.iter().position(|(known, _)| *known == kind) {
            Some(at) => at,
            None => {
                self.0.push((kind, BTreeSet::new()));
                self.0.len() - 1
            }
        };
        let addresses = &mut self.0[at].1;
        addresses.len() < TOLD_MAX && addresses.insert(address)
    }
}
