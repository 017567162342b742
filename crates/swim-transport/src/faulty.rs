//! Faults over any transport: loss, duplication, delay, and cuts by address.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::transport::{Incoming, Transport};

/// Datagrams that are delayed at once; more are lost.
const DELAYED_MAX: usize = 4_096;

#[derive(Debug)]
struct Faults {
    rng: Xoshiro256PlusPlus,
    loss: u32,
    duplication: u32,
    delay: Range<Duration>,
    cut_to: BTreeSet<SocketAddr>,
    cut_from: BTreeSet<SocketAddr>,
    cut_all: bool,
}

/// Decides the faults of one [`Faulty`] while it runs. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FaultControl {
    faults: Arc<Mutex<Faults>>,
    changed: Arc<Notify>,
}

impl FaultControl {
    fn lock(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock());
        self.changed.notify_waiters();
    }

    /// Loses so many of 1,000 datagrams that are sent.
    pub fn lose(&self, per_mille: u32) {
        self.change(|faults| faults.loss = per_mille);
    }

    /// Doubles so many of 1,000 datagrams that are sent.
    pub fn duplicate(&self, per_mille: u32) {
        self.change(|faults| faults.duplication = per_mille);
    }

    /// Delays each datagram and exchange by a random time of this range; unequal delays reorder.
    pub fn delay(&self, range: Range<Duration>) {
        self.change(|faults| faults.delay = range);
    }

    /// Nothing that this side sends reaches `address`: datagrams are lost, exchanges hang.
    pub fn cut_to(&self, address: SocketAddr) {
        self.change(|faults| {
            faults.cut_to.insert(address);
        });
    }

    /// No datagram of `address` reaches this side. Exchanges come from passing ports and cannot
    /// be told apart by address: cut them on their own side.
    pub fn cut_from(&self, address: SocketAddr) {
        self.change(|faults| {
            faults.cut_from.insert(address);
        });
    }

    /// This side is cut off from everybody: nothing goes out, nothing comes in.
    pub fn isolate(&self) {
        self.change(|faults| faults.cut_all = true);
    }

    /// Ends all cuts. Loss, duplication and delay stay.
    pub fn heal(&self) {
        self.change(|faults| {
            faults.cut_to.clear();
            faults.cut_from.clear();
            faults.cut_all = false;
        });
    }

    fn is_cut_to(&self, address: SocketAddr) -> bool {
        let faults = self.lock();
        faults.cut_all || faults.cut_to.contains(&address)
    }

    fn is_cut_from(&self, address: SocketAddr) -> bool {
        let faults = self.lock();
        faults.cut_all || faults.cut_from.contains(&address)
    }

    fn is_isolated(&self) -> bool {
        self.lock().cut_all
    }

    /// How often a datagram arrives, and how late each time.
    fn fates(&self) -> Vec<Duration> {
        let mut faults = self.lock();
        let (loss, duplication) = (faults.loss, faults.duplication);
        let copies = match (faults.hits(loss), faults.hits(duplication)) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        };
        (0..copies).map(|_| faults.draw_delay()).collect()
    }

    /// Waits until exchanges with `address` are not cut.
    async fn passable(&self, address: SocketAddr) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if !self.is_cut_to(address) {
                return;
            }
            changed.await;
        }
    }
}

impl Faults {
    fn hits(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.rng.random_range(0..1_000) < per_mille
    }

    fn draw_delay(&mut self) -> Duration {
        if self.delay.is_empty() {
            return self.delay.start;
        }
        self.rng.random_range(self.delay.clone())
    }
}

/// A transport that loses, doubles, delays and cuts what another one carries. The same seed and
/// the same sends have the same faults.
#[derive(Debug)]
pub struct Faulty<T> {
    inner: Arc<T>,
    control: FaultControl,
    delayed: Mutex<JoinSet<()>>,
}

impl<T: Transport> Faulty<T> {
    /// A transport without faults until its control says otherwise.
    pub fn new(inner: T, seed: u64) -> Self {
        let faults = Faults {
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
            loss: 0,
            duplication: 0,
            delay: Duration::ZERO..Duration::ZERO,
            cut_to: BTreeSet::new(),
            cut_from: BTreeSet::new(),
            cut_all: false,
        };
        let control =
            FaultControl { faults: Arc::new(Mutex::new(faults)), changed: Arc::new(Notify::new()) };
        Self { inner: Arc::new(inner), control, delayed: Mutex::default() }
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
        if delayed.len() < DELAYED_MAX {
            let (inner, payload) = (Arc::clone(&self.inner), payload.to_vec());
            delayed.spawn(async move {
                sleep(delay).await;
                let _ = inner.send_to(&payload, to).await;
            });
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

    async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        if self.control.is_cut_to(to) {
            return Ok(());
        }
        for delay in self.control.fates() {
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
            if !self.control.is_cut_from(from) {
                return Ok((length, from));
            }
        }
    }

    async fn exchange(&self, to: SocketAddr, request: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        let delay = self.control.lock().draw_delay();
        if !delay.is_zero() {
            sleep(delay).await;
        }
        self.control.passable(to).await;
        let reply = self.inner.exchange(to, request).await;
        // A cut that came meanwhile holds back the reply.
        self.control.passable(to).await;
        reply
    }

    async fn accept(&self) -> io::Result<Incoming> {
        loop {
            let incoming = self.inner.accept().await?;
            if !self.control.is_isolated() {
                return Ok(incoming);
            }
        }
    }

    async fn close(&self) {
        let mut delayed = std::mem::take(&mut *self.delayed());
        delayed.shutdown().await;
        self.inner.close().await;
    }
}
