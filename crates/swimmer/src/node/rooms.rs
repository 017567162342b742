//! How long frames may be, by address: where a long one has failed, short ones may get through (E7).

use std::net::SocketAddr;
use std::time::Duration;

use swim_membership::Instant;
use swim_proto::limits::{FRAME_BYTES_MAX, FRAME_BYTES_SMALL, FRAME_BYTES_TINY};

/// Addresses kept; for a new one the oldest is forgotten.
const ADDRESSES_MAX: usize = 64;
/// After this time without a failure frames may be of full length again.
const KEPT: Duration = Duration::from_secs(3_600);

struct Room {
    to: SocketAddr,
    bytes: usize,
    /// What has failed was longer.
    bytes_max: usize,
    /// Whether a short frame has got through.
    answered: bool,
    until: Instant,
}

/// The addresses with which an exchange has failed.
#[derive(Default)]
pub(super) struct Rooms {
    rooms: Vec<Room>,
    /// Seeds that have sent a datagram before any has answered.
    heard: Vec<SocketAddr>,
}

impl Rooms {
    /// A datagram has come from a seed, and none has answered yet.
    pub(super) fn on_heard(&mut self, from: SocketAddr) {
        if self.heard.len() < ADDRESSES_MAX && !self.heard.contains(&from) {
            self.heard.push(from);
        }
    }

    /// Whether a datagram has come from this one while it was asked.
    pub(super) fn take_heard(&mut self, from: SocketAddr) -> bool {
        let before = self.heard.len();
        self.heard.retain(|&heard| heard != from);
        self.heard.len() < before
    }

    /// The most bytes of a frame to or from this address.
    pub(super) fn of(&self, now: Instant, to: SocketAddr) -> usize {
        let room = self.rooms.iter().find(|room| room.to == to && now < room.until);
        room.map_or(FRAME_BYTES_MAX, |room| room.bytes)
    }

    /// A round with this address was not answered. Returns whether it is the length: shorter ones were
    /// answered, and a longer one was not.
    pub(super) fn on_failed(&mut self, now: Instant, to: SocketAddr) -> bool {
        self.rooms.retain(|room| now < room.until);
        let until = now + KEPT;
        let Some(room) = self.rooms.iter_mut().find(|room| room.to == to) else {
            if self.rooms.len() == ADDRESSES_MAX {
                self.rooms.remove(0);
            }
            let (bytes, bytes_max) = (FRAME_BYTES_SMALL, FRAME_BYTES_MAX);
            self.rooms.push(Room { to, bytes, bytes_max, answered: false, until });
            return false;
        };
        // Once a failure that follows answers: a peer that is down for a while fails again and again.
        let blamed = std::mem::replace(&mut room.answered, false);
        if blamed {
            room.bytes_max = (room.bytes / 2).max(FRAME_BYTES_TINY);
            room.until = until;
        }
        let next =
            if room.bytes > FRAME_BYTES_SMALL { FRAME_BYTES_SMALL } else { FRAME_BYTES_TINY };
        room.bytes = next.min(room.bytes_max);
        blamed
    }

    /// A round with this address was answered: the next may be twice as long.
    pub(super) fn on_answered(&mut self, to: SocketAddr) {
        self.take_heard(to);
        let Some(at) = self.rooms.iter().position(|room| room.to == to) else { return };
        let room = &mut self.rooms[at];
        room.answered = true;
        room.bytes = (room.bytes * 2).min(room.bytes_max);
        if room.bytes == FRAME_BYTES_MAX {
            self.rooms.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn e7_frames_are_short_after_a_failure_and_grow_with_each_answer() {
        let (mut rooms, to) = (Rooms::default(), address(7));
        assert_eq!(rooms.of(at(0), to), FRAME_BYTES_MAX);
        assert!(!rooms.on_failed(at(0), to), "it may be down");
        let mut lengths = vec![rooms.of(at(1), to)];
        while rooms.of(at(1), to) < FRAME_BYTES_MAX {
            rooms.on_answered(to);
            lengths.push(rooms.of(at(1), to));
        }
        assert_eq!((lengths[0], lengths[1]), (FRAME_BYTES_SMALL, 2 * FRAME_BYTES_SMALL));
        assert!(lengths.len() < 9 && rooms.rooms.is_empty(), "{lengths:?}");
        assert_eq!(rooms.of(at(1), address(8)), FRAME_BYTES_MAX, "another address");
    }

    #[test]
    fn e7_what_has_failed_after_shorter_ones_were_answered_is_not_tried_again_for_an_hour() {
        let (mut rooms, to) = (Rooms::default(), address(7));
        rooms.on_failed(at(0), to);
        rooms.on_answered(to);
        assert!(rooms.on_failed(at(10), to), "it is the length");
        for _ in 0..10 {
            assert_eq!(rooms.of(at(11), to), FRAME_BYTES_SMALL);
            rooms.on_answered(to);
        }
        assert_eq!(rooms.of(at(10 + 3_600), to), FRAME_BYTES_MAX);
    }

    #[test]
    fn e7_there_are_shorter_ones_still_and_a_bound_of_addresses() {
        let mut rooms = Rooms::default();
        for port in 1..=1_000 {
            rooms.on_failed(at(0), address(port));
        }
        assert_eq!(rooms.rooms.len(), ADDRESSES_MAX);
        for _ in 0..5 {
            assert!(!rooms.on_failed(at(1), address(1_000)));
            assert_eq!(rooms.of(at(1), address(1_000)), FRAME_BYTES_TINY);
        }
    }
}
