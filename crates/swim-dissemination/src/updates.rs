//! The piggyback queue of news about members (G1, G2; SWIM, section 4.1).

use crate::ranked::{Packed, Ranked, Urgency};

/// News about members, each known by a small dense number. What is said of it is looked up when it
/// is packed. Newer news of the same member replaces the older.
#[derive(Clone, Debug)]
pub struct UpdateQueue {
    ranked: Ranked,
}

impl Default for UpdateQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl UpdateQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { ranked: Ranked::new() }
    }

    /// Queues news of `key`, as never sent. Costs 12 bytes for each number up to the largest key,
    /// which bounds the queue: there is one entry a member at most.
    pub fn push(&mut self, key: u32, urgency: Urgency) {
        self.ranked.push(key, urgency);
    }

    /// Drops the news of `key`. Returns whether there was any.
    pub fn remove(&mut self, key: u32) -> bool {
        self.ranked.remove(key)
    }

    /// Whether there is news of `key`.
    pub fn contains(&self, key: u32) -> bool {
        self.ranked.contains(key)
    }

    /// How much news is queued.
    pub fn len(&self) -> usize {
        self.ranked.len()
    }

    /// Whether nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Offers news, least-sent first, to `pack`, each at most once. What was sent `limit` times (1
    /// to 63) leaves. After eight that do not fit the walk ends.
    pub fn fill(&mut self, limit: u32, pack: impl FnMut(u32) -> Packed) {
        self.ranked.begin();
        self.ranked.fill(limit, pack, |_| {});
    }

    #[cfg(test)]
    pub(crate) fn check(&self) {
        self.ranked.check();
    }
}

/// How often news is sent among `members` members: λ·⌈log10(n + 1)⌉, and λ at least (G2).
///
/// ```
/// assert_eq!(swim_dissemination::transmit_limit(9, 4), 4);
/// assert_eq!(swim_dissemination::transmit_limit(10, 4), 8);
/// assert_eq!(swim_dissemination::transmit_limit(10_000, 4), 20);
/// ```
pub fn transmit_limit(members: usize, lambda: u32) -> u32 {
    let digits = members.checked_ilog10().map_or(1, |log| log + 1);
    lambda * digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::{Arbitrary, Gen, quickcheck};
    use std::vec::Vec;

    #[derive(Clone, Copy, Debug)]
    enum Operation {
        Push(u8, bool),
        Remove(u8),
        Fill { room: u8, limit: u8, gone: u8 },
    }

    impl Arbitrary for Operation {
        fn arbitrary(g: &mut Gen) -> Self {
            match u8::arbitrary(g) % 4 {
                0 | 1 => Self::Push(u8::arbitrary(g) % 32, bool::arbitrary(g)),
                2 => Self::Remove(u8::arbitrary(g) % 32),
                _ => Self::Fill {
                    room: u8::arbitrary(g) % 40,
                    limit: u8::arbitrary(g) % 6,
                    gone: u8::arbitrary(g) % 32,
                },
            }
        }
    }

    /// The queue as one would write it first: a list that is sorted for each fill.
    #[derive(Default)]
    struct Naive {
        /// Key, times sent, and a number that orders equals.
        entries: Vec<(u32, u32, i64)>,
        clock: i64,
    }

    impl Naive {
        fn push(&mut self, key: u32, urgent: bool) {
            self.entries.retain(|entry| entry.0 != key);
            self.clock += 1;
            self.entries.push((key, 0, if urgent { -self.clock } else { self.clock }));
        }

        fn fill(&mut self, limit: u32, mut pack: impl FnMut(u32) -> Packed) {
            let limit = limit.clamp(1, 63);
            self.entries.sort_by_key(|&(_, sent, order)| (sent, order));
            let mut misses = 0;
            for (key, sent, order) in core::mem::take(&mut self.entries) {
                match if misses == 8 { Packed::NoRoom } else { pack(key) } {
                    Packed::Done if sent + 1 < limit => {
                        self.clock += 1;
                        self.entries.push((key, sent + 1, self.clock));
                    }
                    Packed::Done | Packed::Gone => {}
                    Packed::NoRoom => {
                        misses = (misses + 1).min(8);
                        self.entries.push((key, sent, order));
                    }
                }
            }
        }
    }

    /// Packs keys while there is room: an item's size is 1 to 8.
    fn packer(room: u8, gone: u8, packed: &mut Vec<u32>) -> impl FnMut(u32) -> Packed {
        let mut room = u32::from(room);
        move |key| {
            let size = key % 8 + 1;
            if key == u32::from(gone) {
                Packed::Gone
            } else if size > room {
                Packed::NoRoom
            } else {
                room -= size;
                packed.push(key);
                Packed::Done
            }
        }
    }

    quickcheck! {
        fn g1_the_queue_does_what_a_sorted_list_does(operations: Vec<Operation>) -> bool {
            let (mut queue, mut naive) = (UpdateQueue::new(), Naive::default());
            operations.into_iter().all(|operation| {
                let (mut packed, mut expected) = (Vec::new(), Vec::new());
                match operation {
                    Operation::Push(key, urgent) => {
                        let urgency = if urgent { Urgency::Urgent } else { Urgency::Normal };
                        queue.push(key.into(), urgency);
                        naive.push(key.into(), urgent);
                    }
                    Operation::Remove(key) => {
                        queue.remove(key.into());
                        naive.entries.retain(|entry| entry.0 != u32::from(key));
                    }
                    Operation::Fill { room, limit, gone } => {
                        queue.fill(limit.into(), packer(room, gone, &mut packed));
                        naive.fill(limit.into(), packer(room, gone, &mut expected));
                    }
                }
                queue.check();
                packed == expected && queue.len() == naive.entries.len()
            })
        }
    }

    #[test]
    fn g2_news_leaves_after_its_limit_of_transmissions() {
        let mut queue = UpdateQueue::new();
        queue.push(3, Urgency::Normal);
        let mut sent = 0;
        for _ in 0..10 {
            queue.fill(4, |_| {
                sent += 1;
                Packed::Done
            });
        }
        assert_eq!((sent, queue.is_empty()), (4, true));
    }

    #[test]
    fn g1_newer_news_of_a_member_begins_anew() {
        let mut queue = UpdateQueue::new();
        queue.push(1, Urgency::Normal);
        queue.push(2, Urgency::Normal);
        queue.fill(9, |key| if key == 1 { Packed::Done } else { Packed::NoRoom });
        queue.push(1, Urgency::Urgent);
        let mut order = Vec::new();
        queue.fill(9, |key| {
            order.push(key);
            Packed::Done
        });
        assert_eq!(order, [1, 2]);
        assert_eq!(queue.len(), 2);
    }
}
