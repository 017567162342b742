//! Buffers for many datagrams, used again and again.

use std::net::SocketAddr;

/// Room for several datagrams of a most length each.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    bytes_each: usize,
    filled: Vec<(usize, SocketAddr)>,
    capacity: usize,
}

impl Batch {
    /// Room for nothing. It allocates nothing, so it can stand in for one that is being read.
    pub const fn empty() -> Self {
        Self { bytes: Vec::new(), bytes_each: 0, filled: Vec::new(), capacity: 0 }
    }

    /// Room for `datagrams` (at least 1) of `bytes_each` (at least 1) bytes.
    pub fn new(datagrams: usize, bytes_each: usize) -> Self {
        let (capacity, bytes_each) = (datagrams.max(1), bytes_each.max(1));
        let bytes = vec![0; capacity * bytes_each];
        Self { bytes, bytes_each, filled: Vec::with_capacity(capacity), capacity }
    }

    /// Forgets what it holds.
    pub fn clear(&mut self) {
        self.filled.clear();
    }

    /// How many datagrams it holds.
    pub fn len(&self) -> usize {
        self.filled.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.filled.is_empty()
    }

    /// Whether there is no room for another.
    pub fn is_full(&self) -> bool {
        self.filled.len() == self.capacity
    }

    /// Where the next datagram goes, for transports; empty when it is full.
    pub fn slot(&mut self) -> &mut [u8] {
        if self.is_full() {
            return &mut [];
        }
        let start = self.filled.len() * self.bytes_each;
        &mut self.bytes[start..start + self.bytes_each]
    }

    /// The slot was filled with `length` bytes that came from `from`, for transports.
    pub fn filled(&mut self, length: usize, from: SocketAddr) {
        if !self.is_full() {
            self.filled.push((length.min(self.bytes_each), from));
        }
    }

    /// The datagrams, in the order in which they came. Their bytes may be changed in place.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        let slots = self.bytes.chunks_mut(self.bytes_each.max(1));
        slots.zip(&self.filled).map(|(slot, &(length, from))| (from, &mut slot[..length]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(batch: &mut Batch) -> Vec<(u16, Vec<u8>)> {
        batch.iter_mut().map(|(from, bytes)| (from.port(), bytes.to_vec())).collect()
    }

    fn from(port: u16) -> SocketAddr {
        ([127, 0, 0, 1], port).into()
    }

    #[test]
    fn a_batch_gives_back_what_was_filled_in_and_is_used_again() {
        let mut batch = Batch::new(2, 3);
        for _ in 0..2 {
            batch.slot()[..2].copy_from_slice(b"ab");
            batch.filled(2, from(1));
            batch.filled(0, from(2));
            assert!(batch.is_full());
            assert_eq!(contents(&mut batch), [(1, b"ab".to_vec()), (2, Vec::new())]);
            batch.clear();
            assert!(batch.is_empty());
        }
    }

    #[test]
    fn what_is_too_long_or_too_many_is_cut_and_left_out() {
        let mut batch = Batch::new(1, 3);
        batch.slot().copy_from_slice(b"abc");
        batch.filled(9, from(1));
        assert!(batch.slot().is_empty());
        batch.filled(1, from(2));
        assert_eq!(contents(&mut batch), [(1, b"abc".to_vec())]);
    }

    #[test]
    fn an_empty_batch_is_full_and_holds_nothing() {
        let mut batch = Batch::empty();
        assert!(batch.is_full() && batch.is_empty() && batch.slot().is_empty());
        batch.filled(1, from(1));
        assert_eq!((batch.len(), contents(&mut batch)), (0, Vec::new()));
    }
}
