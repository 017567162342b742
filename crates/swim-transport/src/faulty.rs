//! Faults over any transport: loss, duplication, delay, and cuts by address.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::closing::{Closing, closed};
use crate::faults::{Copies, Draws, Faults};
use crate::transport::{Incoming, Transport};
use crate::watched::Watched;

/// Datagrams that are delayed at once; more are lost, and counted.
const DELAYED_MAX: usize = 4_096;

/// What a [`Faulty`] has done to datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FaultStats {
    /// Lost by chance, of those sent and those received.
    pub lost: u64,
    /// Sent twice.
    pub doubled: u64,
    /// Lost by a cut, of those sent and those received.
    pub cut: u64,
    /// Copies lost because too many were delayed at once.
    pub overflowed: u64,
}

#[derive(Debug)]
struct State {
    draws: Draws,
    faults: Faults,
    /// Decides about what arrives, so that arrivals do not change what is drawn for sends.
    arrival_draws: Draws,
    arrival_faults: Faults,
    cut_to: BTreeSet<SocketAddr>,
    cut_from: BTreeSet<SocketAddr>,
    exchanges_hang: bool,
    isolated: bool,
    stats: FaultStats,
}

impl State {
    fn is_cut_to(&self, address: SocketAddr) -> bool {
        self.isolated || self.cut_to.contains(&address)
    }

    fn hangs_exchange(&self, to: SocketAddr) -> bool {
        self.exchanges_hang || self.is_cut_to(to)
    }

    fn is_cut_from(&self, address: SocketAddr) -> bool {
        self.isolated || self.cut_from.contains(&address)
    }

    /// Decides about a datagram that is sent. A cut does not change what is drawn for the others.
    fn draw_copies(&mut self, to: SocketAddr) -> Copies {
        let copies = self.faults.draw_copies(&mut self.draws);
        if self.is_cut_to(to) {
            self.stats.cut += 1;
            return [None, None];
        }
        self.stats.lost += u64::from(copies[0].is_none());
        self.stats.doubled += u64::from(copies[1].is_some());
        copies
    }

    /// Decides about a datagram that has arrived.
    fn takes(&mut self, from: SocketAddr) -> bool {
        let [copy, _] = self.arrival_faults.draw_copies(&mut self.arrival_draws);
        if self.is_cut_from(from) {
            self.stats.cut += 1;
            return false;
        }
        self.stats.lost += u64::from(copy.is_none());
        copy.is_some()
    }
}

/// Decides the faults of one [`Faulty`] while it runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FaultControl(Arc<Watched<State>>);

impl FaultControl {
    fn new(seed: u64) -> Self {
        Self(Arc::new(Watched::new(State {
            draws: Draws::seed_from_u64(seed),
            faults: Faults::default(),
            arrival_draws: Draws::seed_from_u64(!seed),
            arrival_faults: Faults::default(),
            cut_to: BTreeSet::new(),
            cut_from: BTreeSet::new(),
            exchanges_hang: false,
            isolated: false,
            stats: FaultStats::default(),
        })))
    }

    /// Loses so many of 1,000 datagrams that are sent.
    pub fn lose(&self, per_mille: u32) {
        self.0.change(|state| state.faults.loss = per_mille);
    }

    /// Loses this many per mille of the datagrams that arrive. Default 0.
    pub fn lose_on_receipt(&self, per_mille: u32) {
        self.0.change(|state| state.arrival_faults.loss = per_mille);
    }

    /// Doubles so many of 1,000 datagrams that are sent.
    pub fn duplicate(&self, per_mille: u32) {
        self.0.change(|state| state.faults.duplication = per_mille);
    }

    /// Delays each datagram and exchange by a random time of this range; unequal delays reorder.
    pub fn delay(&self, range: Range<Duration>) {
        self.0.change(|state| state.faults.delay = range);
    }

    /// Nothing that this side sends reaches `address`: datagrams are lost, exchanges hang.
    pub fn cut_to(&self, address: SocketAddr) {
        self.0.change(|state| {
            state.cut_to.insert(address);
        });
    }

    /// No exchange that this side begins is answered, while datagrams get through; or they are again.
    pub fn hang_exchanges(&self, hang: bool) {
        self.0.change(|state| state.exchanges_hang = hang);
    }

    /// No datagram of `address` reaches this side. Exchanges come from passing ports and cannot
    /// be told apart by address: cut them on their own side.
    pub fn cut_from(&self, address: SocketAddr) {
        self.0.change(|state| {
            state.cut_from.insert(address);
        });
    }

    /// This side is cut off from everybody: nothing goes out, nothing comes in. A request that was
    /// accepted before can still be answered.
    pub fn isolate(&self) {
        self.0.change(|state| state.isolated = true);
    }

    /// Ends all cuts, those of exchanges included. Loss, duplication and delay stay.
    pub fn heal(&self) {
        self.0.change(|state| {
            state.cut_to.clear();
            state.cut_from.clear();
            state.exchanges_hang = false;
            state.isolated = false;
        });
    }

    /// What was done so far.
    pub fn stats(&self) -> FaultStats {
        self.0.lock().stats
    }
}

/// A transport that loses, doubles, delays and cuts what another one carries. The same seed and
/// the same calls have the same faults. Every copy that arrives is whole: faults of the bytes
/// themselves are not among them.
#[derive(Debug)]
pub struct Faulty<T> {
    inner: Arc<T>,
    control: FaultControl,
    delayed: Mutex<JoinSet<()>>,
    closing: Closing,
}

impl<T: Transport> Faulty<T> {
    /// A transport without faults until its control says otherwise.
    pub fn new(inner: T, seed: u64) -> Self {
        Self {
            inner: Arc::new(inner),
            control: FaultControl::new(seed),
            delayed: Mutex::default(),
            closing: Closing::new(),
        }
    }

    /// What decides its faults; to be kept when the transport is given away.
    pub fn control(&self) -> FaultControl {
        self.control.clone()
    }

    fn delayed(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.delayed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_later(&self, delay: Duration, payload: &[u8], to: SocketAddr) {
        let mut delayed = self.delayed();
        while delayed.try_join_next().is_some() {}
        if delayed.len() >= DELAYED_MAX {
            self.control.0.lock().stats.overflowed += 1;
            return;
        }
        // What is under way does not keep a dropped transport's address.
        let (inner, payload) = (Arc::downgrade(&self.inner), payload.to_vec());
        delayed.spawn(async move {
            sleep(delay).await;
            if let Some(inner) = inner.upgrade() {
                let _ = inner.send_to(&payload, to).await;
            }
        });
    }

    async fn delayed_exchange(
        &self,
        to: SocketAddr,
        request: Vec<u8>,
    ) -> io::Result<Option<Vec<u8>>> {
        let delay = {
            let State { faults, draws, .. } = &mut *self.control.0.lock();
            faults.draw_delay(draws)
        };
        if !delay.is_zero() {
            sleep(delay).await;
        }
        self.control.0.until(|state| !state.hangs_exchange(to)).await;
        let reply = self.inner.exchange(to, request).await;
        // A cut that came meanwhile holds back the reply.
        self.control.0.until(|state| !state.hangs_exchange(to)).await;
        reply
    }

    /// Accepts while not isolated: requests that come meanwhile stay where they are, unanswered.
    async fn accept_unless_isolated(&self) -> io::Result<Incoming> {
        loop {
            self.control.0.until(|state| !state.isolated).await;
            tokio::select! {
                biased;
                () = self.control.0.until(|state| state.isolated) => {}
                incoming = self.inner.accept() => return incoming,
            }
        }
    }
}

impl<T: Transport> Transport for Faulty<T> {
    fn local_addr(&self) -> SocketAddr {
        self.inner.local_addr()
    }

    fn max_datagram(&self) -> usize {
        self.inner.max_datagram()
    }

    fn reaches(&self, to: SocketAddr) -> bool {
        self.inner.reaches(to)
    }

    async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        if self.closing.is_closed() {
            return Err(closed());
        }
        if payload.len() > self.max_datagram() {
            // Nothing to lose: the error is the caller's, whatever the weather.
            return self.inner.send_to(payload, to).await;
        }
        let copies = self.control.0.lock().draw_copies(to);
        for delay in copies.into_iter().flatten() {
            if delay.is_zero() {
                self.inner.send_to(payload, to).await?;
            } else {
                self.send_later(delay, payload, to);
            }
        }
        Ok(())
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        loop {
            let (length, from) = self.inner.recv_from(buffer).await?;
            if self.control.0.lock().takes(from) {
                return Ok((length, from));
            }
        }
    }

    async fn exchange(&self, to: SocketAddr, request: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        self.closing.or_closed(self.delayed_exchange(to, request)).await
    }

    async fn accept(&self) -> io::Result<Incoming> {
        self.closing.or_closed(self.accept_unless_isolated()).await
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.inner.counters()
    }

    async fn close(&self) {
        self.closing.close();
        let mut delayed = std::mem::take(&mut *self.delayed());
        delayed.shutdown().await;
        self.inner.close().await;
    }
}
