//! The order of both queues: least-sent first, and first come first served among equals.
//!
//! One doubly linked list for each number of times sent, threaded through an array of slots, and
//! a bit mask of the lists that hold something. So every operation is O(1), and a walk meets
//! nothing that it does not pack or pass over.

use alloc::vec::Vec;

/// What became of an item that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packed {
    /// It was packed, and counts as sent once more.
    Done,
    /// It does not fit what is left. It stays as it is.
    NoRoom,
    /// There is nothing to say any more. It leaves the queue.
    Gone,
}

/// Where a new item goes among those that were never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Behind them.
    Normal,
    /// Before them: one's own word.
    Urgent,
}

/// Items are sent at most this often, whatever the limit asked for.
pub(crate) const SENT_MAX: u32 = 63;
/// A fill passes over at most this many items that do not fit.
const MISSES_MAX: u32 = 8;
const NONE: u32 = u32::MAX;
const LISTS: usize = SENT_MAX as usize + 1;

#[derive(Clone, Copy, Debug)]
struct Slot {
    previous: u32,
    next: u32,
    /// The datagram that it was last packed into.
    datagram: u16,
    /// Which list it is in, or `LISTS` for none.
    sent: u8,
}

const FREE: Slot = Slot { previous: NONE, next: NONE, datagram: 0, sent: LISTS as u8 };

#[derive(Clone, Copy, Debug)]
struct List {
    head: u32,
    tail: u32,
}

const EMPTY: List = List { head: NONE, tail: NONE };

/// Slots by number, each in at most one list.
#[derive(Clone, Debug)]
pub(crate) struct Ranked {
    slots: Vec<Slot>,
    lists: [List; LISTS],
    /// Bit n: list n holds something.
    used: u64,
    len: usize,
    /// The datagram that is being filled. It wraps; whoever is mistaken for packed waits for the
    /// next datagram.
    datagram: u16,
}

impl Ranked {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), lists: [EMPTY; LISTS], used: 0, len: 0, datagram: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn contains(&self, key: u32) -> bool {
        self.slots.get(key as usize).is_some_and(|slot| slot.sent != FREE.sent)
    }

    /// Puts `key` among those never sent, wherever it was before.
    pub(crate) fn push(&mut self, key: u32, urgency: Urgency) {
        self.remove(key);
        if key as usize >= self.slots.len() {
            self.slots.resize(key as usize + 1, FREE);
        }
        match urgency {
            Urgency::Normal => self.link_last(key, 0),
            Urgency::Urgent => self.link_first(key),
        }
    }

    pub(crate) fn remove(&mut self, key: u32) -> bool {
        let held = self.contains(key);
        if held {
            self.unlink(key);
        }
        held
    }

    /// The one that can best be spared: sent most often, and among equals longest here.
    pub(crate) fn most_sent(&self) -> Option<u32> {
        let list = self.used.checked_ilog2()?;
        Some(self.lists[list as usize].head)
    }

    /// A new datagram begins: each item may be packed into it once.
    pub(crate) fn begin(&mut self) {
        self.datagram = self.datagram.wrapping_add(1).max(1);
    }

    /// Offers items to `pack`, in order, until nothing is left to offer or nothing more fits.
    /// Items that were sent `limit` times leave; `gone` is told of each that leaves.
    pub(crate) fn fill(
        &mut self,
        limit: u32,
        mut pack: impl FnMut(u32) -> Packed,
        mut gone: impl FnMut(u32),
    ) {
        let limit = limit.clamp(1, SENT_MAX);
        let mut misses = 0;
        // From the most-sent down would meet the packed again, so the walk goes up and each list
        // is walked to the tail that it had: what is packed goes to the next list's end, behind
        // the tail that was noted for that list before anything was moved there.
        let mut tails = [NONE; LISTS];
        let mut lists = self.used;
        for (tail, list) in tails.iter_mut().zip(&self.lists) {
            *tail = list.tail;
        }
        while lists != 0 {
            let sent = lists.trailing_zeros();
            lists &= lists - 1;
            let (mut at, last) = (self.lists[sent as usize].head, tails[sent as usize]);
            while at != NONE {
                let key = at;
                at = if key == last { NONE } else { self.slots[key as usize].next };
                if sent > 0 && self.slots[key as usize].datagram == self.datagram {
                    continue;
                }
                match pack(key) {
                    Packed::Done => self.on_sent(key, sent + 1, limit, &mut gone),
                    Packed::Gone => {
                        self.unlink(key);
                        gone(key);
                    }
                    Packed::NoRoom => {
                        misses += 1;
                        if misses == MISSES_MAX {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn on_sent(&mut self, key: u32, sent: u32, limit: u32, gone: &mut impl FnMut(u32)) {
        self.unlink(key);
        if sent < limit {
            self.link_last(key, sent as u8);
        } else {
            gone(key);
        }
    }

    fn link_last(&mut self, key: u32, sent: u8) {
        let list = &mut self.lists[usize::from(sent)];
        let previous = core::mem::replace(&mut list.tail, key);
        if previous == NONE {
            list.head = key;
        } else {
            self.slots[previous as usize].next = key;
        }
        let datagram = self.datagram;
        self.slots[key as usize] = Slot { previous, next: NONE, datagram, sent };
        self.used |= 1 << sent;
        self.len += 1;
    }

    fn link_first(&mut self, key: u32) {
        let list = &mut self.lists[0];
        let next = core::mem::replace(&mut list.head, key);
        if next == NONE {
            list.tail = key;
        } else {
            self.slots[next as usize].previous = key;
        }
        self.slots[key as usize] = Slot { previous: NONE, next, datagram: 0, sent: 0 };
        self.used |= 1;
        self.len += 1;
    }

    fn unlink(&mut self, key: u32) {
        let Slot { previous, next, sent, .. } =
            core::mem::replace(&mut self.slots[key as usize], FREE);
        let list = &mut self.lists[usize::from(sent)];
        match previous {
            NONE => list.head = next,
            _ => self.slots[previous as usize].next = next,
        }
        match next {
            NONE => list.tail = previous,
            _ => self.slots[next as usize].previous = previous,
        }
        if list.head == NONE {
            self.used &= !(1 << sent);
        }
        self.len -= 1;
    }

    /// Checks links, counts and mask. For tests: it costs O(n).
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let mut len = 0;
        for (sent, list) in self.lists.iter().enumerate() {
            let (mut at, mut previous) = (list.head, NONE);
            assert_eq!(self.used >> sent & 1 == 1, at != NONE, "the mask says what is used");
            while at != NONE {
                let slot = self.slots[at as usize];
                assert_eq!((slot.previous, usize::from(slot.sent)), (previous, sent));
                (previous, at, len) = (at, slot.next, len + 1);
            }
            assert_eq!(list.tail, previous);
        }
        assert_eq!(len, self.len);
    }
}
