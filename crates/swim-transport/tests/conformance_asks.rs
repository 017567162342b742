//! The conformance suite asks for no more than the contract: it passes what has little room.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use swim_transport::{Incoming, MemoryNetwork, MemoryTransport, Transport, conformance};

/// What becomes of a datagram for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoRoom {
    IsLost,
    IsAnError,
}

/// What waits at each address.
type Waiting = Arc<Mutex<BTreeMap<SocketAddr, usize>>>;

/// A transport at which few datagrams and few requests may wait.
struct Small {
    inner: MemoryTransport,
    room: usize,
    no_room: NoRoom,
    datagrams: Waiting,
    requests: Waiting,
}

impl Small {
    /// Whether there was room for one more.
    fn put(&self, waiting: &Waiting, to: SocketAddr) -> bool {
        let mut waiting = waiting.lock().unwrap();
        let count = waiting.entry(to).or_default();
        let fits = *count < self.room;
        *count += usize::from(fits);
        fits
    }

    fn take(&self, waiting: &Waiting) {
        *waiting.lock().unwrap().get_mut(&self.inner.local_addr()).unwrap() -= 1;
    }
}

impl Transport for Small {
    fn local_addr(&self) -> SocketAddr {
        self.inner.local_addr()
    }

    fn max_datagram(&self) -> usize {
        1_400
    }

    async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        if payload.len() > self.max_datagram() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if self.put(&self.datagrams, to) {
            return self.inner.send_to(payload, to).await;
        }
        match self.no_room {
            NoRoom::IsLost => Ok(()),
            NoRoom::IsAnError => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let received = self.inner.recv_from(buffer).await?;
        self.take(&self.datagrams);
        Ok(received)
    }

    async fn exchange(&self, to: SocketAddr, request: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        // Where nobody listens nothing waits.
        if !self.put(&self.requests, to) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.inner.exchange(to, request).await
    }

    async fn accept(&self) -> io::Result<Incoming> {
        let incoming = self.inner.accept().await?;
        self.take(&self.requests);
        Ok(incoming)
    }

    async fn close(&self) {
        for waiting in [&self.datagrams, &self.requests] {
            waiting.lock().unwrap().remove(&self.local_addr());
        }
        self.inner.close().await;
    }
}

async fn check(room: usize, no_room: NoRoom) {
    let network = MemoryNetwork::new(1);
    let (datagrams, requests) = (Waiting::default(), Waiting::default());
    let bind = async |address| {
        let inner = network.bind(address)?;
        let (datagrams, requests) = (Arc::clone(&datagrams), Arc::clone(&requests));
        // An address that was used before is empty again.
        datagrams.lock().unwrap().remove(&inner.local_addr());
        requests.lock().unwrap().remove(&inner.local_addr());
        io::Result::Ok(Small { inner, room, no_room, datagrams, requests })
    };
    conformance::check_all("127.0.0.1:0".parse().unwrap(), bind).await;
}

#[tokio::test(start_paused = true)]
async fn a_transport_with_a_queue_of_ten_conforms() {
    for no_room in [NoRoom::IsLost, NoRoom::IsAnError] {
        check(10, no_room).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_transport_with_room_for_fewer_than_the_suite_sends_at_once_conforms() {
    for room in [1, 2, 3] {
        for no_room in [NoRoom::IsLost, NoRoom::IsAnError] {
            check(room, no_room).await;
        }
    }
}
