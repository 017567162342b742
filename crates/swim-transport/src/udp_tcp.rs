//! UDP for datagrams and TCP for exchanges, on the same port number.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;

use crate::batch::Batch;
use crate::framing::{FrameEnd, Framing, LengthPrefixed};
use crate::listener::{Listener, ListenerCounters};
use crate::transport::{Incoming, Transport};

/// How many pairs of ports are tried when the system is to choose one.
const PORT_TRIES: u32 = 32;
/// What one datagram can carry over IPv4 at most.
const UDP_PAYLOAD_MAX: usize = 65_507;
/// The read buffer of a stream grows by so much.
const READ_STEP: usize = 4 * 1_024;

/// The bounds of a [`UdpTcp`].
#[derive(Clone, Debug)]
pub struct UdpTcpConfig {
    /// Connections that wait to be accepted. Default 1,024.
    pub backlog: u32,
    /// The receive buffer that is asked for, in bytes. Default 1 MiB; the system may grant less.
    pub receive_buffer: usize,
    /// Incoming connections at once. Default 128; one more is closed, and counted.
    pub connections_max: usize,
    /// Of those, from one address while half of them are in use. Default 16.
    pub connections_per_address: usize,
    /// How long a request may take to arrive, and then its reply to be made and written. Default 10 s.
    pub request_timeout: Duration,
}

impl Default for UdpTcpConfig {
    fn default() -> Self {
        Self {
            backlog: 1_024,
            receive_buffer: 1 << 20,
            connections_max: 128,
            connections_per_address: 16,
            request_timeout: Duration::from_secs(10),
        }
    }
}

/// What a [`UdpTcp`] has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpTcpStats {
    /// The receive buffer that the system granted, in bytes.
    pub receive_buffer: usize,
    /// Connections accepted.
    pub accepted: u64,
    /// Connections closed at once because there were too many.
    pub refused: u64,
    /// Connections that did not send a request in time.
    pub timed_out: u64,
    /// Connections that did not keep to the framing.
    pub invalid: u64,
}

/// The transport of real networks. Its tasks run on the tokio that it is bound on.
pub struct UdpTcp<F = LengthPrefixed> {
    udp: RwLock<Option<Arc<UdpSocket>>>,
    listener: Listener,
    closed: watch::Sender<bool>,
    framing: Arc<F>,
    local_addr: SocketAddr,
    receive_buffer: usize,
}

impl UdpTcp {
    /// Binds both planes at `address`. With port 0 the system chooses one that is free on both.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::bind_with(address, LengthPrefixed::default(), UdpTcpConfig::default()).await
    }
}

impl<F: Framing> UdpTcp<F> {
    /// Binds with another framing and other bounds.
    ///
    /// # Errors
    /// When the address cannot be bound.
    // Async, so that nobody calls it where there is no tokio to run its tasks on.
    #[allow(clippy::unused_async)]
    pub async fn bind_with(
        address: SocketAddr,
        framing: F,
        config: UdpTcpConfig,
    ) -> io::Result<Self> {
        let (tcp, udp) = bind_pair(address, &config)?;
        let local_addr = tcp.local_addr()?;
        let receive_buffer = socket2::SockRef::from(&udp).recv_buffer_size()?;
        let framing = Arc::new(framing);
        let listener = Listener::start(tcp, Arc::clone(&framing), config);
        Ok(Self {
            udp: RwLock::new(Some(Arc::new(udp))),
            listener,
            closed: watch::Sender::new(false),
            framing,
            local_addr,
            receive_buffer,
        })
    }

    /// What was counted so far.
    pub fn stats(&self) -> UdpTcpStats {
        let ListenerCounters { accepted, refused, timed_out, invalid } = self.listener.counters();
        UdpTcpStats { receive_buffer: self.receive_buffer, accepted, refused, timed_out, invalid }
    }

    fn udp(&self) -> io::Result<Arc<UdpSocket>> {
        let udp = self.udp.read().unwrap_or_else(PoisonError::into_inner);
        udp.clone().ok_or_else(closed)
    }

    /// Runs `work` until it is done or this transport is closed.
    async fn until_closed<T>(&self, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let mut closing = self.closed.subscribe();
        tokio::select! {
            biased;
            _ = closing.wait_for(|&closed| closed) => Err(closed()),
            result = work => result,
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the transport is closed")
}

/// Both planes on one port. TCP is bound first: it is the one that others more often hold.
fn bind_pair(address: SocketAddr, config: &UdpTcpConfig) -> io::Result<(TcpListener, UdpSocket)> {
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        let tcp = bind_tcp(address, config)?;
        match bind_udp(tcp.local_addr()?, config) {
            Ok(udp) => return Ok((tcp, udp)),
            Err(error) if tries == 1 => return Err(error),
            Err(_) => tries -= 1,
        }
    }
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if let SocketAddr::V6(v6) = address {
        // A wildcard takes IPv4 peers too; a given address is that of IPv6 peers alone.
        socket.set_only_v6(!v6.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind_tcp(address: SocketAddr, config: &UdpTcpConfig) -> io::Result<TcpListener> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    // So that the port is free at once after a close; on Windows it would mean another thing.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(config.backlog).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}

fn bind_udp(address: SocketAddr, config: &UdpTcpConfig) -> io::Result<UdpSocket> {
    let socket = socket(address, Type::DGRAM, Protocol::UDP)?;
    // A smaller grant is no error: it shows in the stats.
    let _ = socket.set_recv_buffer_size(config.receive_buffer);
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// An earlier datagram found nobody, and the system says so on the next call. It is no fault of
/// this socket.
fn is_about_another(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    let kinds = [ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable];
    kinds.contains(&error.kind())
}

async fn recv(udp: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    loop {
        match udp.recv_from(buffer).await {
            Ok((length, from)) => return Ok((length, plain(from))),
            Err(error) if is_about_another(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// An IPv4 peer of a socket that takes both shows as what it is.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Reads one frame. The buffer grows with what arrives, never with what a length promises.
/// `None`: the stream ended before its first byte.
pub(crate) async fn read_frame(
    stream: &mut TcpStream,
    framing: &impl Framing,
) -> io::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    loop {
        read.reserve(READ_STEP);
        let count = (&mut *stream).take(READ_STEP as u64).read_buf(&mut read).await?;
        match framing.frame_end(&read) {
            FrameEnd::Complete(end) => {
                read.truncate(end);
                return Ok(Some(read));
            }
            FrameEnd::Invalid => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "no frame"));
            }
            FrameEnd::Incomplete if count > 0 => {}
            FrameEnd::Incomplete if read.is_empty() => return Ok(None),
            FrameEnd::Incomplete => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl<F: Framing> Transport for UdpTcp<F> {
    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    fn max_datagram(&self) -> usize {
        UDP_PAYLOAD_MAX
    }

    async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        let udp = self.udp()?;
        let to = match (self.local_addr, to) {
            // A socket of IPv6 names IPv4 peers in its own way.
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => to,
        };
        udp.send_to(payload, to).await.map(drop)
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let udp = self.udp()?;
        self.until_closed(recv(&udp, buffer)).await
    }

    async fn recv_batch(&self, batch: &mut Batch) -> io::Result<()> {
        batch.clear();
        let udp = self.udp()?;
        let (length, from) = self.until_closed(recv(&udp, batch.slot())).await?;
        batch.filled(length, from);
        while !batch.is_full() {
            match udp.try_recv_from(batch.slot()) {
                Ok((length, from)) => batch.filled(length, plain(from)),
                Err(error) if is_about_another(&error) => {}
                Err(_) => break,
            }
        }
        Ok(())
    }

    async fn exchange(&self, to: SocketAddr, request: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        self.until_closed(async {
            let mut stream = TcpStream::connect(to).await?;
            stream.set_nodelay(true)?;
            stream.write_all(&request).await?;
            read_frame(&mut stream, &*self.framing).await
        })
        .await
    }

    async fn accept(&self) -> io::Result<Incoming> {
        self.until_closed(async { self.listener.next().await.ok_or_else(closed) }).await
    }

    async fn close(&self) {
        self.closed.send_replace(true);
        self.udp.write().unwrap_or_else(PoisonError::into_inner).take();
        self.listener.stop().await;
    }
}
