//! What is under way to one endpoint, and what has arrived there.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::SocketAddr;

use tokio::time::Instant;

use crate::transport::Incoming;
use crate::watched::Look;

/// Datagrams that are under way to one endpoint or wait there.
const DATAGRAMS_MAX: usize = 4_096;
/// Requests that wait at one endpoint.
const REQUESTS_MAX: usize = 1_024;

/// In the order in which they arrive; of those that arrive together, in which they were sent.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Datagram {
    arrives: Instant,
    number: u64,
    pub(super) from: SocketAddr,
    pub(super) payload: Vec<u8>,
}

/// There was no room.
#[derive(Debug)]
pub(super) struct Full;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    datagrams: BinaryHeap<Reverse<Datagram>>,
    requests: VecDeque<Incoming>,
    next_number: u64,
}

impl Inbox {
    pub(super) fn put(
        &mut self,
        arrives: Instant,
        from: SocketAddr,
        payload: Vec<u8>,
    ) -> Result<(), Full> {
        if self.datagrams.len() >= DATAGRAMS_MAX {
            return Err(Full);
        }
        let number = self.next_number;
        self.next_number += 1;
        self.datagrams.push(Reverse(Datagram { arrives, number, from, payload }));
        Ok(())
    }

    /// Takes the first datagram that has arrived by `now`.
    pub(super) fn take(&mut self, now: Instant) -> Look<Datagram> {
        match self.datagrams.peek() {
            Some(Reverse(first)) if first.arrives > now => Look::Again(Some(first.arrives)),
            Some(_) => match self.datagrams.pop() {
                Some(Reverse(first)) => Look::Found(first),
                None => Look::Again(None),
            },
            None => Look::Again(None),
        }
    }

    pub(super) fn put_request(&mut self, request: Incoming) -> Result<(), Full> {
        if self.requests.len() >= REQUESTS_MAX {
            return Err(Full);
        }
        self.requests.push_back(request);
        Ok(())
    }

    pub(super) fn take_request(&mut self) -> Look<Incoming> {
        self.requests.pop_front().map_or(Look::Again(None), Look::Found)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::transport::Responder;

    const MS: Duration = Duration::from_millis(1);

    fn from() -> SocketAddr {
        ([10, 0, 0, 1], 1).into()
    }

    fn take(inbox: &mut Inbox, now: Instant) -> Option<Vec<u8>> {
        match inbox.take(now) {
            Look::Found(datagram) => Some(datagram.payload),
            Look::Again(_) => None,
        }
    }

    #[test]
    fn datagrams_come_out_when_they_arrive_and_in_the_order_sent_if_together() {
        let (mut inbox, now) = (Inbox::default(), Instant::now());
        for (delay, payload) in [(2, b"d"), (0, b"a"), (1, b"b"), (1, b"c")] {
            inbox.put(now + delay * MS, from(), payload.to_vec()).unwrap();
        }
        assert_eq!(take(&mut inbox, now), Some(b"a".to_vec()));
        assert!(matches!(inbox.take(now), Look::Again(Some(at)) if at == now + MS));
        for payload in [b"b", b"c", b"d"] {
            assert_eq!(take(&mut inbox, now + 2 * MS), Some(payload.to_vec()));
        }
        assert!(matches!(inbox.take(now), Look::Again(None)));
    }

    #[test]
    fn both_queues_are_bounded() {
        let (mut inbox, now) = (Inbox::default(), Instant::now());
        for _ in 0..DATAGRAMS_MAX {
            inbox.put(now, from(), Vec::new()).unwrap();
        }
        assert!(inbox.put(now, from(), Vec::new()).is_err());
        let request = || {
            let responder = Responder::channel().0;
            Incoming { from: from(), frame: Vec::new(), responder }
        };
        for _ in 0..REQUESTS_MAX {
            inbox.put_request(request()).unwrap();
        }
        assert!(inbox.put_request(request()).is_err());
    }
}
