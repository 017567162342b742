//! The conformance suite finds what breaks the contract, and names it.

#![allow(clippy::unwrap_used)]

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use swim_transport::{Incoming, MemoryNetwork, MemoryTransport, Transport, conformance};
use tokio::task::LocalSet;
use tokio::time::sleep;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breach {
    NoPort,
    Truncates,
    SaysLess,
    NamesAnother,
    Reorders,
    LosesDatagramsWhenDropped,
    LosesRequestsWhenDropped,
    ShortensFrames,
    AnswersForOthers,
    OneExchangeAtATime,
    ReachesNobody,
    KeepsWaiting,
    SendsWhenClosed,
    IsRefusedWhenClosed,
    KeepsTheAddress,
}

/// A transport with one flaw.
struct Broken {
    network: MemoryNetwork,
    inner: MemoryTransport,
    breach: Breach,
    held: Mutex<Option<Vec<u8>>>,
    turn: tokio::sync::Mutex<()>,
    closed: AtomicBool,
    squatter: Mutex<Option<MemoryTransport>>,
}

impl Broken {
    fn is(&self, breach: Breach) -> bool {
        self.breach == breach
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn held(&self) -> MutexGuard<'_, Option<Vec<u8>>> {
        self.held.lock().unwrap()
    }

    /// Every other one waits for the next.
    async fn send_in_pairs(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        let held = self.held().take();
        let Some(held) = held else {
            *self.held() = Some(payload.to_vec());
            return Ok(());
        };
        self.inner.send_to(payload, to).await?;
        self.inner.send_to(&held, to).await
    }
}

impl Transport for Broken {
    fn local_addr(&self) -> SocketAddr {
        let mut address = self.inner.local_addr();
        if self.is(Breach::NoPort) {
            address.set_port(0);
        }
        address
    }

    fn max_datagram(&self) -> usize {
        match self.breach {
            Breach::SaysLess => 1_000,
            _ => self.inner.max_datagram(),
        }
    }

    async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        match self.breach {
            Breach::SendsWhenClosed if self.is_closed() => Ok(()),
            Breach::Truncates => self.inner.send_to(&payload[..payload.len().min(1_000)], to).await,
            Breach::Reorders if payload.len() == 1 => self.send_in_pairs(payload, to).await,
            _ => self.inner.send_to(payload, to).await,
        }
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (length, mut from) = self.inner.recv_from(buffer).await?;
        if self.is(Breach::LosesDatagramsWhenDropped) {
            sleep(Duration::from_millis(1)).await;
        }
        if self.is(Breach::NamesAnother) {
            from.set_port(1);
        }
        Ok((length, from))
    }

    async fn exchange(&self, to: SocketAddr, request: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        let _turn = match self.breach {
            Breach::OneExchangeAtATime => Some(self.turn.lock().await),
            _ => None,
        };
        match (self.inner.exchange(to, request).await, self.breach) {
            (Ok(None), Breach::AnswersForOthers) => Ok(Some(Vec::new())),
            (Err(_), Breach::ReachesNobody) if !self.is_closed() => Ok(None),
            (Err(_), Breach::IsRefusedWhenClosed) => Err(io::ErrorKind::ConnectionRefused.into()),
            (result, _) => result,
        }
    }

    async fn accept(&self) -> io::Result<Incoming> {
        let mut incoming = self.inner.accept().await?;
        if self.is(Breach::LosesRequestsWhenDropped) {
            sleep(Duration::from_millis(1)).await;
        }
        if self.is(Breach::ShortensFrames) {
            incoming.frame.truncate(60_000);
        }
        Ok(incoming)
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        if !self.is(Breach::KeepsWaiting) {
            self.inner.close().await;
        }
        if self.is(Breach::KeepsTheAddress) {
            *self.squatter.lock().unwrap() = self.network.bind(self.inner.local_addr()).ok();
        }
    }
}

/// What the suite says of a transport with such a breach.
async fn verdict(breach: Breach) -> String {
    let network = MemoryNetwork::new(1);
    let check = async move {
        let bind = async |address| {
            let inner = network.bind(address)?;
            let (held, turn, closed, squatter) = Default::default();
            let network = network.clone();
            io::Result::Ok(Broken { network, inner, breach, held, turn, closed, squatter })
        };
        conformance::check_all("127.0.0.1:0".parse().unwrap(), bind).await;
    };
    let local = LocalSet::new();
    let ended = local.run_until(async { tokio::task::spawn_local(check).await }).await;
    let panic = ended.expect_err("it is found").into_panic();
    *panic.downcast::<String>().unwrap()
}

#[tokio::test(start_paused = true)]
async fn each_breach_is_found_and_named_by_its_clause() {
    let clauses = [
        (Breach::NoPort, "never has port 0"),
        (Breach::Truncates, "up to max_datagram bytes arrives whole"),
        (Breach::SaysLess, "more than max_datagram bytes is an error or is lost"),
        (Breach::NamesAnother, "with its source"),
        (Breach::Reorders, "in the order in which they came in"),
        (Breach::LosesDatagramsWhenDropped, "recv_from or recv_batch loses no datagram"),
        (Breach::LosesRequestsWhenDropped, "future of accept loses no request"),
        (Breach::ShortensFrames, "one whole request"),
        (Breach::AnswersForOthers, "responder is dropped gives None"),
        (Breach::OneExchangeAtATime, "several exchanges at once"),
        (Breach::ReachesNobody, "exchange with nobody fails"),
        (Breach::KeepsWaiting, "close ends with an error what waits"),
        (Breach::KeepsTheAddress, "address is free again"),
        (Breach::SendsWhenClosed, "every call of a closed transport is an error"),
        (Breach::IsRefusedWhenClosed, "nobody listens on the other side"),
    ];
    for (breach, clause) in clauses {
        let verdict = verdict(breach).await;
        assert!(verdict.contains(clause), "{breach:?}: {verdict}");
    }
}
