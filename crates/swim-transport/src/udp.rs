//! The datagrams of [`UdpTcp`](crate::UdpTcp): one socket that never holds its node up for long.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::batch::Batch;
use crate::closing::closed;
use crate::sockets::{mapped, plain};

/// What one datagram can carry over IPv4 at most.
pub(crate) const PAYLOAD_MAX: usize = 65_507;
/// How long a datagram waits for room in the send buffer: enough for a burst to drain, and little
/// beside the time-out of a probe.
const SEND_PATIENCE: Duration = Duration::from_millis(10);

/// The socket is behind a lock, and no waiting call holds it, so that closing frees the address
/// whoever still waits.
#[derive(Debug)]
pub(crate) struct Udp {
    socket: RwLock<Option<UdpSocket>>,
    local_addr: SocketAddr,
    /// The one that receives: the socket wakes only one.
    receiving: Mutex<()>,
    patience: Patience,
    pub(crate) send_buffer_full: AtomicU64,
    pub(crate) send_failed: AtomicU64,
    pub(crate) receive_failed: AtomicU64,
}

impl Udp {
    pub(crate) fn new(socket: UdpSocket, local_addr: SocketAddr) -> Self {
        Self {
            socket: RwLock::new(Some(socket)),
            local_addr,
            receiving: Mutex::new(()),
            patience: Patience::default(),
            send_buffer_full: AtomicU64::new(0),
            send_failed: AtomicU64::new(0),
            receive_failed: AtomicU64::new(0),
        }
    }

    pub(crate) fn close(&self) {
        self.socket.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn with_socket<T>(&self, work: impl FnOnce(&UdpSocket) -> io::Result<T>) -> io::Result<T> {
        let socket = self.socket.read().unwrap_or_else(PoisonError::into_inner);
        work(socket.as_ref().ok_or_else(closed)?)
    }

    pub(crate) async fn send(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        if payload.len() > PAYLOAD_MAX {
            return Err(io::Error::new(ErrorKind::InvalidInput, "longer than a datagram"));
        }
        let to = mapped(self.local_addr, to);
        let room = poll_fn(|context| self.poll_room(context));
        let sent = self.patience.send(|| self.try_send(payload, to), room).await;
        match &sent {
            Ok(()) => {}
            Err(_) if is_full(&sent) => count(&self.send_buffer_full),
            Err(_) => count(&self.send_failed),
        }
        sent
    }

    fn try_send(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        self.with_socket(|udp| {
            let sent = match udp.try_send_to(payload, to) {
                // It says what became of an earlier datagram; this one was not sent.
                Err(error) if is_about_a_port(&error) => udp.try_send_to(payload, to),
                sent => sent,
            };
            sent.map(drop)
        })
    }

    /// Of several that wait, one is woken; the others wait no longer than their patience.
    fn poll_room(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.with_socket(|udp| Ok(udp.poll_send_ready(context)));
        polled.unwrap_or_else(|error| Poll::Ready(Err(error)))
    }

    pub(crate) async fn recv(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let _turn = self.receiving.lock().await;
        loop {
            match poll_fn(|context| self.poll_recv(context, buffer)).await {
                Err(error) if is_passing(&error) => count(&self.receive_failed),
                received => return received,
            }
        }
    }

    /// Waits for a datagram, and takes what else has come.
    pub(crate) async fn recv_batch(&self, batch: &mut Batch) -> io::Result<()> {
        batch.clear();
        let (length, from) = self.recv(batch.slot()).await?;
        batch.filled(length, from);
        // What fails here is seen by the next call, if it was not in passing.
        while !batch.is_full() {
            match self.with_socket(|udp| udp.try_recv_from(batch.slot())) {
                Ok((length, from)) => batch.filled(length, plain(from)),
                Err(error) => {
                    if is_passing(&error) {
                        count(&self.receive_failed);
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut read = ReadBuf::new(buffer);
        let polled = self.with_socket(|udp| Ok(udp.poll_recv_from(context, &mut read)));
        let from = ready!(polled.unwrap_or_else(|error| Poll::Ready(Err(error))))?;
        Poll::Ready(Ok((read.filled().len(), plain(from))))
    }
}

/// Waits for room in a send buffer, but not for long: the loop that sends also answers probes.
/// After a datagram that waited in vain none waits until one was sent.
#[derive(Debug, Default)]
struct Patience {
    is_over: AtomicBool,
}

impl Patience {
    async fn send(
        &self,
        attempt: impl Fn() -> io::Result<()>,
        room: impl Future<Output = io::Result<()>>,
    ) -> io::Result<()> {
        let mut sent = attempt();
        if is_full(&sent) && !self.is_over.load(Ordering::Relaxed) {
            sent = match timeout(SEND_PATIENCE, room).await {
                Ok(Err(error)) => Err(error),
                Ok(Ok(())) | Err(_) => attempt(),
            };
        }
        self.is_over.store(is_full(&sent), Ordering::Relaxed);
        sent
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn is_full(sent: &io::Result<()>) -> bool {
    sent.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// An earlier datagram found nobody behind its port, and the system says so on the next call.
fn is_about_a_port(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

/// Whether what failed is one datagram, of ours or of a peer, and not the socket.
fn is_passing(error: &io::Error) -> bool {
    // On Windows a datagram that is longer than the buffer is an error, and is gone.
    let too_long = cfg!(windows) && error.raw_os_error() == Some(10_040);
    let unreachable =
        matches!(error.kind(), ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable);
    is_about_a_port(error) || unreachable || too_long
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::time::Instant;

    use super::*;

    /// An attempt that finds no room so many times.
    fn full(times: u32) -> impl Fn() -> io::Result<()> {
        let left = std::cell::Cell::new(times);
        move || match left.get() {
            0 => Ok(()),
            more => {
                left.set(more - 1);
                Err(ErrorKind::WouldBlock.into())
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_waits_for_room_and_a_clogged_line_holds_up_one_datagram_only() {
        let patience = Patience::default();
        patience.send(full(1), ready(Ok(()))).await.unwrap();

        let start = Instant::now();
        for _ in 0..100 {
            let lost = patience.send(full(u32::MAX), pending()).await;
            assert_eq!(lost.unwrap_err().kind(), ErrorKind::WouldBlock);
        }
        // The time-out rounds up to the timer's next millisecond.
        assert!(start.elapsed() <= SEND_PATIENCE + Duration::from_millis(1));

        patience.send(full(0), pending()).await.unwrap();
        patience.send(full(1), ready(Ok(()))).await.unwrap();
        let closed = patience.send(full(1), ready(Err(closed()))).await;
        assert_eq!(closed.unwrap_err().kind(), ErrorKind::NotConnected);
    }

    #[test]
    fn what_the_system_says_about_an_earlier_datagram_is_no_fault_of_the_socket() {
        for kind in [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset] {
            assert!(is_passing(&kind.into()) && is_about_a_port(&kind.into()));
        }
        for kind in [ErrorKind::HostUnreachable, ErrorKind::NetworkUnreachable] {
            assert!(is_passing(&kind.into()) && !is_about_a_port(&kind.into()));
        }
        for kind in [ErrorKind::NotConnected, ErrorKind::OutOfMemory, ErrorKind::WouldBlock] {
            assert!(!is_passing(&kind.into()));
        }
    }
}
