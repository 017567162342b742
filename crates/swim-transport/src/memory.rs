//! A network inside the process, with faults that a seed decides.

mod inbox;
mod transport;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use tokio::time::Instant;

use self::inbox::{Full, Inbox};
pub use self::transport::MemoryTransport;
use crate::closing::Closing;
use crate::faults::{Draws, Faults};
use crate::transport::{Incoming, ReplyReceiver, Responder};
use crate::watched::Watched;

/// The ports that the network chooses.
const PORTS: RangeInclusive<u16> = 10_000..=49_151;
/// The ports that requests come from.
const PASSING_PORTS: RangeInclusive<u16> = 49_152..=65_535;

/// What a [`MemoryNetwork`] has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryStats {
    /// Datagrams sent.
    pub sent: u64,
    /// Of those, lost by chance.
    pub lost: u64,
    /// Of those, sent twice.
    pub doubled: u64,
    /// Of those, lost by a cut or a partition.
    pub cut: u64,
    /// Of those, lost because nobody was bound at their address.
    pub nobody: u64,
    /// Copies lost because too many were under way to one endpoint or waited there: 4,096.
    pub overflowed: u64,
    /// Requests that failed because too many waited at one endpoint: 1,024.
    pub requests_refused: u64,
}

/// A network inside the process: transports that are bound on it reach each other and nobody else.
///
/// It keeps tokio's time, so with a paused clock hours pass in no time. Each transport draws its
/// faults for itself: the same seed, the same order of [`bind`](Self::bind)s and the same sends of
/// one transport have the same faults, whatever the others do.
///
/// A host is an IP address at which something was bound once. It refuses a request to a port where
/// nothing is bound any more ([`ErrorKind::ConnectionRefused`]); a request to any other IP address
/// ends with [`ErrorKind::HostUnreachable`]. For a host that is gone, with all that was bound there,
/// [`isolate`](Self::isolate) its addresses: requests to them hang.
///
/// Cheap to clone; all clones are the same network.
///
/// ```
/// use swim_transport::{MemoryNetwork, Transport};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> std::io::Result<()> {
/// let network = MemoryNetwork::new(7);
/// let (one, two) = (network.bind("0.0.0.0:0".parse().unwrap())?, network.bind_any()?);
/// network.lose(250);
/// for _ in 0..100 {
///     one.send_to(b"ping", two.local_addr()).await?;
/// }
/// let stats = network.stats();
/// assert_eq!(stats.sent, 100);
/// assert!((5..50).contains(&stats.lost));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MemoryNetwork(Arc<Watched<State>>);

#[derive(Debug)]
struct State {
    /// Seeds the draws of each transport.
    seeds: Draws,
    faults: Faults,
    cuts: BTreeSet<(SocketAddr, SocketAddr)>,
    isolated: BTreeSet<SocketAddr>,
    /// Who is in which part. Those in none are a part of their own.
    parts: BTreeMap<SocketAddr, usize>,
    endpoints: HashMap<SocketAddr, Arc<Endpoint>>,
    /// Where something was bound once.
    hosts: HashSet<IpAddr>,
    bound: u32,
    next_port: u16,
    next_passing_port: u16,
    stats: MemoryStats,
}

/// The network's end of one transport.
#[derive(Debug)]
struct Endpoint {
    address: SocketAddr,
    inbox: Watched<Inbox>,
    closing: Closing,
}

impl MemoryNetwork {
    /// A network without endpoints and faults.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Watched::new(State {
            seeds: Draws::seed_from_u64(seed),
            faults: Faults::default(),
            cuts: BTreeSet::new(),
            isolated: BTreeSet::new(),
            parts: BTreeMap::new(),
            endpoints: HashMap::new(),
            hosts: HashSet::new(),
            bound: 0,
            next_port: *PORTS.start(),
            next_passing_port: *PASSING_PORTS.start(),
            stats: MemoryStats::default(),
        })))
    }

    /// Binds a transport at `address`, until it is closed or dropped. For a wildcard address the
    /// network chooses one that nobody else has, and for port 0 a port.
    ///
    /// # Errors
    /// When the address is in use, or all its ports are.
    pub fn bind(&self, address: SocketAddr) -> io::Result<MemoryTransport> {
        let mut state = self.0.lock();
        let address = state.choose(address)?;
        let (inbox, closing) = (Watched::new(Inbox::default()), Closing::new());
        let endpoint = Arc::new(Endpoint { address, inbox, closing });
        state.endpoints.insert(address, Arc::clone(&endpoint));
        state.hosts.insert(address.ip());
        let draws = Draws::from_rng(&mut state.seeds);
        drop(state);
        Ok(MemoryTransport::new(self.clone(), endpoint, draws))
    }

    /// Binds a transport at an IPv4 address that the network chooses.
    ///
    /// # Errors
    /// As [`bind`](Self::bind).
    pub fn bind_any(&self) -> io::Result<MemoryTransport> {
        self.bind((Ipv4Addr::UNSPECIFIED, 0).into())
    }

    /// Loses so many of 1,000 datagrams.
    pub fn lose(&self, per_mille: u32) {
        self.0.change(|state| state.faults.loss = per_mille);
    }

    /// Doubles so many of 1,000 datagrams.
    pub fn duplicate(&self, per_mille: u32) {
        self.0.change(|state| state.faults.duplication = per_mille);
    }

    /// Delays each datagram, request and reply by a random time of this range; unequal delays
    /// reorder datagrams.
    pub fn delay(&self, range: Range<Duration>) {
        self.0.change(|state| state.faults.delay = range);
    }

    /// No datagram of `from` reaches `to`; datagrams of `to` still reach `from`. Exchanges, which
    /// need both directions, hang whoever asks.
    pub fn cut(&self, from: SocketAddr, to: SocketAddr) {
        self.0.change(|state| {
            state.cuts.insert((from, to));
        });
    }

    /// Cuts `address` off from everybody, in both directions.
    pub fn isolate(&self, address: SocketAddr) {
        self.0.change(|state| {
            state.isolated.insert(address);
        });
    }

    /// Splits the network: each part reaches itself alone, and so do together all who are in none
    /// of them. It replaces an earlier partition.
    pub fn partition(&self, parts: &[&[SocketAddr]]) {
        let numbered = parts.iter().enumerate();
        let parts = numbered.flat_map(|(n, part)| part.iter().map(move |&address| (address, n)));
        self.0.change(|state| state.parts = parts.collect());
    }

    /// Ends all cuts, isolations and partitions. Loss, duplication and delay stay.
    pub fn heal(&self) {
        self.0.change(|state| {
            state.cuts.clear();
            state.isolated.clear();
            state.parts.clear();
        });
    }

    /// What was counted so far.
    pub fn stats(&self) -> MemoryStats {
        self.0.lock().stats
    }

    /// Sends a datagram on its way. Cuts do not change what is drawn for the others.
    fn send(&self, from: SocketAddr, draws: &mut Draws, payload: &[u8], to: SocketAddr) {
        let mut state = self.0.lock();
        let copies = state.faults.draw_copies(draws);
        let is_open = state.is_open(from, to);
        let State { endpoints, stats, .. } = &mut *state;
        stats.sent += 1;
        let Some(endpoint) = endpoints.get(&to).filter(|_| is_open) else {
            let reason = if is_open { &mut stats.nobody } else { &mut stats.cut };
            *reason += 1;
            return;
        };
        stats.lost += u64::from(copies[0].is_none());
        stats.doubled += u64::from(copies[1].is_some());
        let now = Instant::now();
        for delay in copies.into_iter().flatten() {
            let put = endpoint.inbox.change(|inbox| inbox.put(now + delay, from, payload.to_vec()));
            stats.overflowed += u64::from(put.is_err());
        }
    }

    /// Hands a request to whoever is bound at `to`.
    fn ask(
        &self,
        from: IpAddr,
        to: SocketAddr,
        frame: Vec<u8>,
    ) -> io::Result<(Arc<Endpoint>, ReplyReceiver)> {
        let mut state = self.0.lock();
        let Some(endpoint) = state.endpoints.get(&to).cloned() else {
            return Err(match state.hosts.contains(&to.ip()) {
                true => ErrorKind::ConnectionRefused.into(),
                false => ErrorKind::HostUnreachable.into(),
            });
        };
        let from = SocketAddr::new(from, state.pass());
        let (responder, reply) = Responder::channel();
        let incoming = Incoming { from, frame, responder };
        match endpoint.inbox.change(|inbox| inbox.put_request(incoming)) {
            Ok(()) => Ok((endpoint, reply)),
            Err(Full) => {
                state.stats.requests_refused += 1;
                Err(ErrorKind::ResourceBusy.into())
            }
        }
    }

    fn draw_delay(&self, draws: &mut Draws) -> Duration {
        self.0.lock().faults.draw_delay(draws)
    }

    /// Waits until both directions are open.
    async fn until_open(&self, one: SocketAddr, other: SocketAddr) {
        self.0.until(|state| state.is_open(one, other) && state.is_open(other, one)).await;
    }

    /// Frees the address, and ends what waits there.
    fn release(&self, endpoint: &Arc<Endpoint>) {
        let mut state = self.0.lock();
        let bound = state.endpoints.get(&endpoint.address);
        if bound.is_some_and(|bound| Arc::ptr_eq(bound, endpoint)) {
            state.endpoints.remove(&endpoint.address);
        }
        drop(state);
        endpoint.closing.close();
        // Their askers learn that nobody will answer.
        endpoint.inbox.change(std::mem::take);
    }
}

impl State {
    fn choose(&mut self, wanted: SocketAddr) -> io::Result<SocketAddr> {
        self.bound = self.bound.wrapping_add(1);
        let [_, high, middle, low] = self.bound.to_be_bytes();
        let ip = match wanted.ip() {
            IpAddr::V4(v4) if v4.is_unspecified() => Ipv4Addr::new(10, high, middle, low).into(),
            IpAddr::V6(v6) if v6.is_unspecified() => {
                let low = u16::from_be_bytes([middle, low]);
                Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, high.into(), low).into()
            }
            ip => ip,
        };
        let port = if wanted.port() == 0 { self.free_port(ip)? } else { wanted.port() };
        let address = SocketAddr::new(ip, port);
        match self.endpoints.contains_key(&address) {
            true => Err(ErrorKind::AddrInUse.into()),
            false => Ok(address),
        }
    }

    fn free_port(&mut self, ip: IpAddr) -> io::Result<u16> {
        for _ in PORTS {
            let port = next(&mut self.next_port, PORTS);
            if !self.endpoints.contains_key(&SocketAddr::new(ip, port)) {
                return Ok(port);
            }
        }
        Err(ErrorKind::AddrNotAvailable.into())
    }

    /// The port of the next request.
    fn pass(&mut self) -> u16 {
        next(&mut self.next_passing_port, PASSING_PORTS)
    }

    fn is_open(&self, from: SocketAddr, to: SocketAddr) -> bool {
        let is_cut = self.cuts.contains(&(from, to))
            || self.isolated.contains(&from)
            || self.isolated.contains(&to)
            || self.parts.get(&from) != self.parts.get(&to);
        from == to || !is_cut
    }
}

/// One after the other, round and round.
fn next(port: &mut u16, ports: RangeInclusive<u16>) -> u16 {
    let this = *port;
    *port = if this == *ports.end() { *ports.start() } else { this + 1 };
    this
}
