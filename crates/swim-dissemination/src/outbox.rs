//! Both queues, and how they share a datagram (G4).

use crate::broadcasts::BroadcastQueue;
use crate::ranked::{Packed, Urgency};
use crate::updates::UpdateQueue;

/// Writes what the queues offer into a datagram.
pub trait Packer<T> {
    /// How many bytes are used so far.
    fn used(&self) -> usize;

    /// Writes the news of `key` if the whole then takes at most `until` bytes.
    fn pack_update(&mut self, key: u32, until: usize) -> Packed;

    /// Writes a broadcast if the whole then takes at most `until` bytes.
    fn pack_broadcast(&mut self, item: &T, until: usize) -> Packed;
}

/// News about members and user broadcasts, side by side.
#[derive(Clone, Debug)]
pub struct Outbox<T> {
    updates: UpdateQueue,
    broadcasts: BroadcastQueue<T>,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Outbox<T> {
    /// Nothing to tell.
    pub const fn new() -> Self {
        Self { updates: UpdateQueue::new(), broadcasts: BroadcastQueue::new() }
    }

    /// Queues news, as [`UpdateQueue::push`].
    pub fn push_update(&mut self, key: u32, urgency: Urgency) {
        self.updates.push(key, urgency);
    }

    /// Drops news, as [`UpdateQueue::remove`].
    pub fn remove_update(&mut self, key: u32) {
        self.updates.remove(key);
    }

    /// Queues a broadcast, as [`BroadcastQueue::push`].
    pub fn push_broadcast(&mut self, item: T, bytes: usize) {
        self.broadcasts.push(item, bytes);
    }

    /// The news.
    pub fn updates(&self) -> &UpdateQueue {
        &self.updates
    }

    /// The broadcasts.
    pub fn broadcasts(&self) -> &BroadcastQueue<T> {
        &self.broadcasts
    }

    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.updates.is_empty() && self.broadcasts.is_empty()
    }

    /// Fills a datagram up to `limit` bytes; what was sent `transmits` times leaves. While any
    /// broadcast waits, a quarter of the room is theirs, or what one of them takes; the rest is
    /// for news. What news does not use is theirs too.
    pub fn fill(&mut self, packer: &mut impl Packer<T>, limit: usize, transmits: u32) {
        if !self.broadcasts.is_empty() {
            let quarter = packer.used() + limit.saturating_sub(packer.used()) / 4;
            let mut until = limit;
            self.broadcasts.begin();
            self.broadcasts.fill(transmits, |item| {
                let packed = packer.pack_broadcast(item, until);
                if packed == Packed::Done {
                    until = quarter;
                }
                packed
            });
        }
        self.updates.fill(transmits, |key| packer.pack_update(key, limit));
        if !self.broadcasts.is_empty() {
            self.broadcasts.fill(transmits, |item| packer.pack_broadcast(item, limit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Items of fixed sizes in a datagram of 100 bytes.
    #[derive(Default)]
    struct Sizes {
        used: usize,
        updates: usize,
        broadcasts: BTreeMap<usize, usize>,
    }

    impl Sizes {
        fn add(&mut self, bytes: usize, until: usize) -> Packed {
            if self.used + bytes > until {
                return Packed::NoRoom;
            }
            self.used += bytes;
            Packed::Done
        }
    }

    impl Packer<usize> for Sizes {
        fn used(&self) -> usize {
            self.used
        }

        fn pack_update(&mut self, _: u32, until: usize) -> Packed {
            let packed = self.add(5, until);
            self.updates += usize::from(packed == Packed::Done);
            packed
        }

        fn pack_broadcast(&mut self, item: &usize, until: usize) -> Packed {
            let packed = self.add(5, until);
            *self.broadcasts.entry(*item).or_default() += usize::from(packed == Packed::Done);
            packed
        }
    }

    fn filled(updates: u32, broadcasts: usize) -> Sizes {
        let mut outbox = Outbox::new();
        (0..updates).for_each(|key| outbox.push_update(key, Urgency::Normal));
        (0..broadcasts).for_each(|item| outbox.push_broadcast(item, 5));
        let mut sizes = Sizes::default();
        outbox.fill(&mut sizes, 100, 9);
        sizes
    }

    #[test]
    fn g4_broadcasts_have_a_quarter_of_the_room_while_news_would_fill_it() {
        let sizes = filled(50, 50);
        assert_eq!((sizes.updates, sizes.used), (15, 100));
    }

    #[test]
    fn g4_room_that_one_queue_leaves_is_the_others() {
        let few_updates = filled(2, 50);
        assert_eq!((few_updates.updates, few_updates.used), (2, 100));
        let few_broadcasts = filled(50, 1);
        assert_eq!((few_broadcasts.updates, few_broadcasts.used), (19, 100));
    }

    #[test]
    fn g4_a_broadcast_is_in_a_datagram_once() {
        let sizes = filled(0, 6);
        assert!(sizes.broadcasts.values().all(|&times| times == 1));
        assert_eq!(sizes.used, 30);
    }
}
