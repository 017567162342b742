//! Buffers for many datagrams, used again and again.

use std::net::SocketAddr;

/// Room for several datagrams of a most length each.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    bytes_each: usize,
    filled: Vec<(usize, SocketAddr)>,
    capacity: usize,
}

impl Batch {
    /// Room for `datagrams` (at least 1) of `bytes_each` bytes.
    pub fn new(datagrams: usize, bytes_each: usize) -> Self {
        let capacity = datagrams.max(1);
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
