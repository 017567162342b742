//! The contract between a node and whatever carries its bytes.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::sync::oneshot;

use crate::batch::Batch;

/// Two planes: datagrams, which may be lost, doubled and reordered, and exchanges, which either
/// succeed or fail. All methods may be called at the same time.
///
/// Doubling and reordering is what networks do. A transport itself loses at most what it has no
/// room for, and hands the rest out in the order in which it came in. How much room it has is its
/// own affair; one datagram fits.
///
/// [`close`](Self::close) ends every call that waits and every later one with an error.
///
/// [`conformance`](crate::conformance) checks all of this on any implementation.
pub trait Transport: Send + Sync + 'static {
    /// Where this side is reached, as far as it knows itself. Never port 0.
    fn local_addr(&self) -> SocketAddr;

    /// The most bytes that one datagram carries. It arrives whole or not at all, whatever its
    /// length.
    fn max_datagram(&self) -> usize;

    /// Whether datagrams to this address, and from it, can get through at all: a socket of IPv4 reaches
    /// no address of IPv6. By itself it reaches all. Whom it does not reach is not asked to join.
    fn reaches(&self, _to: SocketAddr) -> bool {
        true
    }

    /// Sends a datagram. That it was sent does not mean that it arrives. It does not wait for
    /// long, for whoever sends also has probes to answer: what finds no room soon is lost, or an
    /// error.
    ///
    /// # Errors
    /// When it could not be sent: too long, no route, no room, closed.
    fn send_to(
        &self,
        payload: &[u8],
        to: SocketAddr,
    ) -> impl Future<Output = io::Result<()>> + Send;

    /// Receives a datagram into `buffer`: its length and where it came from, which is where an
    /// answer goes, and the sender's [`local_addr`](Self::local_addr) if nothing on the way changes
    /// addresses. What is longer than the buffer is cut, or lost on systems that cannot cut.
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// When closed, or when the plane has failed.
    fn recv_from(
        &self,
        buffer: &mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send;

    /// Waits for a datagram, then takes what else is there already, up to what the batch holds.
    /// By itself it takes one. Dropping the future loses nothing.
    ///
    /// # Errors
    /// As [`recv_from`](Self::recv_from).
    fn recv_batch(&self, batch: &mut Batch) -> impl Future<Output = io::Result<()>> + Send {
        async {
            batch.clear();
            let (length, from) = self.recv_from(batch.slot()).await?;
            batch.filled(length, from);
            Ok(())
        }
    }

    /// Sends a framed request and waits for the framed reply, `None` when the other side took the
    /// request and answered nothing. It may wait for ever: the caller bounds it by dropping the
    /// future. Several may be under way at once, to one address too, and each gets its own reply.
    /// A frame of up to 65,540 bytes is carried whole: no node makes a longer one.
    ///
    /// # Errors
    /// When the other side is not reached or does not keep to the framing, or this one is closed.
    ///
    /// [`ConnectionRefused`](io::ErrorKind::ConnectionRefused) means one thing: the host of the
    /// other side has answered that nobody listens at this address. A node takes it as proof that
    /// its own network works, so no other failure may be reported by this kind. A transport that
    /// cannot tell reports another kind.
    fn exchange(
        &self,
        to: SocketAddr,
        request: Vec<u8>,
    ) -> impl Future<Output = io::Result<Option<Vec<u8>>>> + Send;

    /// Receives a request. Dropping the future loses nothing.
    ///
    /// # Errors
    /// When closed, or when the plane has failed.
    fn accept(&self) -> impl Future<Output = io::Result<Incoming>> + Send;

    /// What it has counted, each under a name that no other count of a node has, in snake case. By
    /// itself it counts nothing.
    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Stops, and returns when the address is free again. By itself it does nothing, which is
    /// enough for one that is only ever dropped, and frees everything then.
    fn close(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// A request of a peer.
#[derive(Debug)]
pub struct Incoming {
    /// Where it came from. Its port may be a passing one.
    pub from: SocketAddr,
    /// The whole frame.
    pub frame: Vec<u8>,
    /// How to answer.
    pub responder: Responder,
}

/// Answers one request. Dropping it answers nothing.
#[derive(Debug)]
pub struct Responder(oneshot::Sender<Vec<u8>>);

/// The other end of a [`Responder`], for transports: the reply, or an error when there is none.
pub type ReplyReceiver = oneshot::Receiver<Vec<u8>>;

impl Responder {
    /// A responder, and where its answer comes out.
    pub fn channel() -> (Self, ReplyReceiver) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Answers with a whole frame. An asker who is gone does not matter.
    pub fn reply(self, frame: Vec<u8>) {
        let _ = self.0.send(frame);
    }
}
