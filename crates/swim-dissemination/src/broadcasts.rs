//! The queue of user broadcasts, bounded by number and bytes (G4).

use alloc::vec::Vec;

use crate::ranked::{Packed, Ranked, Urgency};

/// At most this many broadcasts wait.
const COUNT_MAX: usize = 1_024;
/// At most so many bytes of them.
const BYTES_MAX: usize = 256 * 1_024;

/// Broadcasts that wait to be told. When full, the one that was sent most often goes.
#[derive(Clone, Debug)]
pub struct BroadcastQueue<T> {
    ranked: Ranked,
    items: Vec<Option<(T, usize)>>,
    free: Vec<u32>,
    bytes: usize,
    dropped: u64,
}

impl<T> Default for BroadcastQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> BroadcastQueue<T> {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { ranked: Ranked::new(), items: Vec::new(), free: Vec::new(), bytes: 0, dropped: 0 }
    }

    /// Queues `item`, which takes `bytes` bytes. Drops others where it would be too much: more
    /// than 1,024 or 256 KiB.
    pub fn push(&mut self, item: T, bytes: usize) {
        while self.ranked.len() >= COUNT_MAX || self.bytes + bytes > BYTES_MAX {
            let Some(key) = self.ranked.most_sent() else { break };
            self.ranked.remove(key);
            self.discard(key);
            self.dropped += 1;
        }
        let key = match self.free.pop() {
            Some(key) => key,
            None => {
                self.items.push(None);
                self.items.len() as u32 - 1
            }
        };
        self.items[key as usize] = Some((item, bytes));
        self.bytes += bytes;
        self.ranked.push(key, Urgency::Normal);
    }

    fn discard(&mut self, key: u32) {
        if let Some((_, bytes)) = self.items[key as usize].take() {
            self.bytes -= bytes;
            self.free.push(key);
        }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.ranked.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of them wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many were dropped for want of room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A new datagram begins: each broadcast may be packed into it once.
    pub fn begin(&mut self) {
        self.ranked.begin();
    }

    /// Offers broadcasts that are not in this datagram yet, least-sent first, to `pack`; those that
    /// were sent `limit` times (1 to 63) leave.
    pub fn fill(&mut self, limit: u32, mut pack: impl FnMut(&T) -> Packed) {
        let Self { ranked, items, free, bytes, .. } = self;
        ranked.fill(
            limit,
            |key| items[key as usize].as_ref().map_or(Packed::Gone, |(item, _)| pack(item)),
            |key| free.push(key),
        );
        // Those that left are the free ones that still hold an item.
        for &key in free.iter().rev() {
            match items[key as usize].take() {
                Some((_, size)) => *bytes -= size,
                None => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g4_a_full_queue_drops_what_was_sent_most() {
        let mut queue = BroadcastQueue::new();
        for n in 0..COUNT_MAX {
            queue.push(n, 1);
        }
        queue.begin();
        queue.fill(9, |&n| if n == 7 { Packed::Done } else { Packed::NoRoom });
        queue.push(COUNT_MAX, 1);
        assert_eq!((queue.len(), queue.dropped()), (COUNT_MAX, 1));
        let mut seen = alloc::vec![false; COUNT_MAX + 1];
        queue.begin();
        queue.fill(1, |&n| {
            seen[n] = true;
            Packed::Done
        });
        assert!(!seen[7], "the one that was sent before has made room");
        assert_eq!(seen.iter().filter(|&&seen| seen).count(), COUNT_MAX);
        assert_eq!((queue.len(), queue.bytes()), (0, 0));
    }

    #[test]
    fn g4_bytes_are_bounded_too() {
        let mut queue = BroadcastQueue::new();
        for n in 0..2_000 {
            queue.push(n, 512);
        }
        assert_eq!(queue.bytes(), BYTES_MAX);
        assert_eq!(queue.len(), BYTES_MAX / 512);
    }
}
