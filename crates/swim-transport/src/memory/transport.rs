//! One end of a [`MemoryNetwork`].

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::inbox::Datagram;
use super::{Endpoint, MemoryNetwork};
use crate::batch::Batch;
use crate::closing::closed;
use crate::faults::Draws;
use crate::transport::{Incoming, Transport};
use crate::watched::Look;

/// As much as UDP carries.
const DATAGRAM_BYTES_MAX: usize = 65_507;

/// A transport of a [`MemoryNetwork`]. Its address is free again when it is closed or dropped.
#[derive(Debug)]
pub struct MemoryTransport {
    network: MemoryNetwork,
    endpoint: Arc<Endpoint>,
    draws: Mutex<Draws>,
}

impl MemoryTransport {
    pub(super) fn new(network: MemoryNetwork, endpoint: Arc<Endpoint>, draws: Draws) -> Self {
        Self { network, endpoint, draws: Mutex::new(draws) }
    }

    fn draws(&self) -> MutexGuard<'_, Draws> {
        self.draws.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn next_datagram(&self) -> io::Result<Datagram> {
        let found = self.endpoint.inbox.find(|inbox| inbox.take(Instant::now()));
        self.endpoint.closing.or_closed(async { Ok(found.await) }).await
    }

    async fn ask(&self, to: SocketAddr, request: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        let from = self.endpoint.address;
        let (there, back) = {
            let mut draws = self.draws();
            (self.network.draw_delay(&mut draws), self.network.draw_delay(&mut draws))
        };
        pause(there).await;
        self.network.until_open(from, to).await;
        let answer = match self.network.ask(from.ip(), to, request) {
            Ok((asked, reply)) => match reply.await {
                Ok(frame) => Ok(Some(frame)),
                Err(_) if asked.closing.is_closed() => Err(ErrorKind::ConnectionReset.into()),
                Err(_) => Ok(None),
            },
            Err(error) => Err(error),
        };
        pause(back).await;
        // A cut that came meanwhile holds back the answer.
        self.network.until_open(from, to).await;
        answer
    }
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        self.network.release(&self.endpoint);
    }
}

impl Transport for MemoryTransport {
    fn local_addr(&self) -> SocketAddr {
        self.endpoint.address
    }

    fn max_datagram(&self) -> usize {
        DATAGRAM_BYTES_MAX
    }

    async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        if self.endpoint.closing.is_closed() {
            return Err(closed());
        }
        if payload.len() > DATAGRAM_BYTES_MAX {
            return Err(io::Error::new(ErrorKind::InvalidInput, "longer than a datagram"));
        }
        self.network.send(self.endpoint.address, &mut self.draws(), payload, to);
        Ok(())
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let datagram = self.next_datagram().await?;
        Ok((copy(&datagram, buffer), datagram.from))
    }

    async fn recv_batch(&self, batch: &mut Batch) -> io::Result<()> {
        batch.clear();
        let mut next = Look::Found(self.next_datagram().await?);
        while let Look::Found(datagram) = next {
            let length = copy(&datagram, batch.slot());
            batch.filled(length, datagram.from);
            next = match batch.is_full() {
                true => Look::Again(None),
                false => self.endpoint.inbox.lock().take(Instant::now()),
            };
        }
        Ok(())
    }

    async fn exchange(&self, to: SocketAddr, request: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        self.endpoint.closing.or_closed(self.ask(to, request)).await
    }

    async fn accept(&self) -> io::Result<Incoming> {
        let found = self.endpoint.inbox.find(super::Inbox::take_request);
        self.endpoint.closing.or_closed(async { Ok(found.await) }).await
    }

    async fn close(&self) {
        self.network.release(&self.endpoint);
    }
}

/// Copies what fits; the rest is cut off.
fn copy(datagram: &Datagram, buffer: &mut [u8]) -> usize {
    let length = datagram.payload.len().min(buffer.len());
    buffer[..length].copy_from_slice(&datagram.payload[..length]);
    length
}

async fn pause(delay: Duration) {
    if !delay.is_zero() {
        sleep(delay).await;
    }
}
