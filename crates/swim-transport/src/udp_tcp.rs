//! UDP for datagrams and TCP for exchanges, on the same port number.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::batch::Batch;
use crate::closing::{Closing, closed};
use crate::framing::{Framing, LengthPrefixed, read_frame};
use crate::listener::Listener;
use crate::sockets::{asking_socket, bind_pair, reaches, receive_buffer};
use crate::transport::{Incoming, Transport};
use crate::udp::{PAYLOAD_MAX, Udp};

/// The bounds of a [`UdpTcp`].
#[derive(Clone, Debug)]
pub struct UdpTcpConfig {
    /// Connections that wait to be accepted, as far as the system allows. Default 1,024.
    pub backlog: u32,
    /// The receive buffer that is asked for, in bytes. Default 1 MiB; the system may grant less,
    /// which [`UdpTcpStats`] shows.
    pub receive_buffer: usize,
    /// Incoming connections at once, at least 1. Default 128. Further ones wait in the backlog.
    pub connections_max: usize,
    /// How long a peer may take to send its request, and to read its reply, while others wait for
    /// its place. Default 150 ms. A shorter time frees places sooner when somebody holds all of
    /// them on purpose, a longer one spares peers on slow lines and busy machines.
    pub patience: Duration,
    /// How long a request may take to arrive even if nobody waits, its reply to be made, and to be
    /// written: each of the three. Default 10 s.
    pub request_timeout: Duration,
    /// The longest segment of TCP that this side sends or asks for, in bytes, 88 to 32,767. Default
    /// 1,200: a packet of IPv6 then has 1,280 bytes at most, which every path of IPv6 carries, and
    /// nearly every tunnel. Longer ones may vanish without a word where messages of ICMP are filtered,
    /// and every try would stall alike. Where the system takes no such option it has no effect.
    pub segment_bytes_max: u32,
}

impl Default for UdpTcpConfig {
    fn default() -> Self {
        Self {
            backlog: 1_024,
            receive_buffer: 1 << 20,
            connections_max: 128,
            patience: Duration::from_millis(150),
            request_timeout: Duration::from_secs(10),
            segment_bytes_max: 1_200,
        }
    }
}

/// What a [`UdpTcp`] has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpTcpStats {
    /// The receive buffer that was asked for, in bytes.
    pub receive_buffer_asked: usize,
    /// The receive buffer that the system granted. Where it is smaller, bursts lose datagrams;
    /// on Linux `net.core.rmem_max` is the bound to raise.
    pub receive_buffer_granted: usize,
    /// Datagrams lost on this side because the send buffer stayed full.
    pub send_buffer_full: u64,
    /// Datagrams that the system refused to send: no route, too long for it.
    pub send_failed: u64,
    /// What the system said about earlier datagrams when it was asked for the next.
    pub receive_failed: u64,
    /// Connections accepted. Each is counted under one of the next seven names when it ends.
    pub accepted: u64,
    /// Connections whose request was handed on, and answered or dropped by whoever took it.
    pub answered: u64,
    /// Connections that ended without a byte.
    pub silent: u64,
    /// Connections that ended or failed within a request or a reply.
    pub broken: u64,
    /// Connections that did not keep to the framing.
    pub invalid: u64,
    /// Connections that did not send their request in time, or did not read their reply.
    pub timed_out: u64,
    /// Connections that gave their place to one that waited.
    pub displaced: u64,
    /// Connections whose request nobody took or answered in time.
    pub unanswered: u64,
    /// Connections that could not be accepted, for want of descriptors most likely.
    pub accept_failed: u64,
}

impl UdpTcpStats {
    /// All of them with their names in the statistics of a node.
    fn named(&self) -> [(&'static str, u64); 14] {
        // A field that is not listed here does not compile.
        let Self {
            receive_buffer_asked,
            receive_buffer_granted,
            send_buffer_full,
            send_failed,
            receive_failed,
            accepted,
            answered,
            silent,
            broken,
            invalid,
            timed_out,
            displaced,
            unanswered,
            accept_failed,
        } = *self;
        [
            ("udp_receive_buffer_asked", receive_buffer_asked as u64),
            ("udp_receive_buffer_granted", receive_buffer_granted as u64),
            ("udp_send_buffer_full", send_buffer_full),
            ("udp_send_failed", send_failed),
            ("udp_receive_failed", receive_failed),
            ("tcp_accepted", accepted),
            ("tcp_answered", answered),
            ("tcp_silent", silent),
            ("tcp_broken", broken),
            ("tcp_invalid", invalid),
            ("tcp_timed_out", timed_out),
            ("tcp_displaced", displaced),
            ("tcp_unanswered", unanswered),
            ("tcp_accept_failed", accept_failed),
        ]
    }
}

/// The transport of real networks. Its tasks run on the tokio that it is bound on.
#[derive(Debug)]
pub struct UdpTcp<F = LengthPrefixed> {
    udp: Udp,
    listener: Listener,
    closing: Closing,
    framing: Arc<F>,
    local_addr: SocketAddr,
    receive_buffer_asked: usize,
    receive_buffer_granted: usize,
    segment_bytes_max: u32,
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
        let receive_buffer_asked = config.receive_buffer;
        let receive_buffer_granted = receive_buffer(&udp)?;
        let segment_bytes_max = config.segment_bytes_max;
        let framing = Arc::new(framing);
        let closing = Closing::new();
        let listener = Listener::start(tcp, Arc::clone(&framing), config, closing.wait());
        let udp = Udp::new(udp, local_addr);
        Ok(Self {
            udp,
            listener,
            closing,
            framing,
            local_addr,
            receive_buffer_asked,
            receive_buffer_granted,
            segment_bytes_max,
        })
    }

    /// What was counted so far.
    pub fn stats(&self) -> UdpTcpStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (udp, tcp) = (&self.udp, self.listener.counters());
        UdpTcpStats {
            receive_buffer_asked: self.receive_buffer_asked,
            receive_buffer_granted: self.receive_buffer_granted,
            send_buffer_full: read(&udp.send_buffer_full),
            send_failed: read(&udp.send_failed),
            receive_failed: read(&udp.receive_failed),
            accepted: read(&tcp.accepted),
            answered: read(&tcp.answered),
            silent: read(&tcp.silent),
            broken: read(&tcp.broken),
            invalid: read(&tcp.invalid),
            timed_out: read(&tcp.timed_out),
            displaced: read(&tcp.displaced),
            unanswered: read(&tcp.unanswered),
            accept_failed: read(&tcp.accept_failed),
        }
    }
}

impl<F: Framing> Transport for UdpTcp<F> {
    fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    fn max_datagram(&self) -> usize {
        PAYLOAD_MAX
    }

    fn reaches(&self, to: SocketAddr) -> bool {
        reaches(self.local_addr, to)
    }

    async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        self.udp.send(payload, to).await
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.closing.or_closed(self.udp.recv(buffer)).await
    }

    async fn recv_batch(&self, batch: &mut Batch) -> io::Result<()> {
        self.closing.or_closed(self.udp.recv_batch(batch)).await
    }

    async fn exchange(&self, to: SocketAddr, request: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        self.closing
            .or_closed(async {
                // Refused: the host of `to` has answered the SYN with a RST. No later step fails
                // with this kind.
                let socket = asking_socket(self.local_addr, to, self.segment_bytes_max)?;
                let mut stream = socket.connect(to).await?;
                stream.set_nodelay(true)?;
                stream.write_all(&request).await?;
                read_frame(&mut stream, &*self.framing).await
            })
            .await
    }

    async fn accept(&self) -> io::Result<Incoming> {
        self.closing.or_closed(async { self.listener.next().await.ok_or_else(closed) }).await
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.stats().named().to_vec()
    }

    async fn close(&self) {
        self.closing.close();
        self.udp.close();
        self.listener.ended().await;
    }
}
