//! A transport of one's own. This one carries bytes over channels inside the process; one over
//! QUIC, a mesh or a serial line has the same methods. For tests there is `MemoryNetwork`, which
//! also delays, loses and cuts.
//!
//! ```sh
//! cargo run -p swimmer --example custom_transport
//! ```

#![allow(clippy::print_stdout)]

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;

use swimmer::transport::{Incoming, Responder, Transport, conformance};
use swimmer::{Cluster, Profile};
use tokio::sync::{Mutex, mpsc, watch};

const DATAGRAM_BYTES_MAX: usize = 1_400;

/// What connects the ends: the mailbox of each, by address.
type Switchboard = Arc<Mutex<HashMap<SocketAddr, Mailbox>>>;

#[derive(Clone)]
struct Mailbox {
    datagrams: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    requests: mpsc::Sender<Incoming>,
}

/// One node's end.
struct Channels {
    switchboard: Switchboard,
    address: SocketAddr,
    datagrams: Mutex<mpsc::Receiver<(SocketAddr, Vec<u8>)>>,
    requests: Mutex<mpsc::Receiver<Incoming>>,
    closed: watch::Sender<bool>,
}

impl Channels {
    /// An end at this address, or with port 0 at a free one.
    async fn bind(switchboard: &Switchboard, mut address: SocketAddr) -> io::Result<Self> {
        // Bounded: what nobody takes must not pile up.
        let (datagrams, datagrams_out) = mpsc::channel(256);
        let (requests, requests_out) = mpsc::channel(16);
        let mut mailboxes = switchboard.lock().await;
        let taken = |at| mailboxes.get(&at).is_some_and(|held| !held.requests.is_closed());
        if address.port() == 0 {
            let free = (1..=u16::MAX).find(|&port| !taken((address.ip(), port).into()));
            address.set_port(free.ok_or(ErrorKind::AddrInUse)?);
        } else if taken(address) {
            return Err(ErrorKind::AddrInUse.into());
        }
        mailboxes.insert(address, Mailbox { datagrams, requests });
        Ok(Self {
            switchboard: Arc::clone(switchboard),
            address,
            datagrams: Mutex::new(datagrams_out),
            requests: Mutex::new(requests_out),
            closed: watch::Sender::new(false),
        })
    }

    async fn find(&self, address: SocketAddr) -> Option<Mailbox> {
        self.switchboard.lock().await.get(&address).cloned()
    }

    /// Does `work`, unless this end is closed before it is done.
    async fn until_closed<T>(&self, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            biased;
            _ = closed.wait_for(|&closed| closed) => Err(ErrorKind::NotConnected.into()),
            result = work => result,
        }
    }
}

impl Transport for Channels {
    fn local_addr(&self) -> SocketAddr {
        self.address
    }

    fn max_datagram(&self) -> usize {
        DATAGRAM_BYTES_MAX
    }

    async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        self.until_closed(async {
            if payload.len() > DATAGRAM_BYTES_MAX {
                return Err(ErrorKind::InvalidInput.into());
            }
            // Nobody there, or a full mailbox: lost, as datagrams may be. It never waits.
            if let Some(mailbox) = self.find(to).await {
                let _ = mailbox.datagrams.try_send((self.address, payload.to_vec()));
            }
            Ok(())
        })
        .await
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.until_closed(async {
            let received = self.datagrams.lock().await.recv().await;
            let (from, payload) = received.ok_or(ErrorKind::NotConnected)?;
            let length = payload.len().min(buffer.len());
            buffer[..length].copy_from_slice(&payload[..length]);
            Ok((length, from))
        })
        .await
    }

    async fn exchange(&self, to: SocketAddr, request: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        self.until_closed(async {
            let mailbox = self.find(to).await.ok_or(ErrorKind::ConnectionRefused)?;
            let (responder, reply) = Responder::channel();
            let incoming = Incoming { from: self.address, frame: request, responder };
            mailbox.requests.send(incoming).await.map_err(|_| ErrorKind::ConnectionRefused)?;
            // The request was taken. A responder that was dropped answers nothing.
            Ok(reply.await.ok())
        })
        .await
    }

    async fn accept(&self) -> io::Result<Incoming> {
        self.until_closed(async {
            let received = self.requests.lock().await.recv().await;
            received.ok_or_else(|| ErrorKind::NotConnected.into())
        })
        .await
    }

    async fn close(&self) {
        if !self.closed.send_replace(true) {
            self.switchboard.lock().await.remove(&self.address);
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The suite that the shipped transports pass too. It names the clause that is broken.
    let switchboard = Switchboard::default();
    let bind = async |address| Channels::bind(&switchboard, address).await;
    conformance::check_all(address(0), bind).await;
    println!("the transport keeps to the contract");

    // Three nodes on it. They do not know the difference.
    let mut nodes: Vec<Cluster> = Vec::new();
    for _ in 0..3 {
        let transport = Channels::bind(&switchboard, address(0)).await?;
        let seeds = nodes.first().map(|first| first.local_addr().to_string());
        let builder = Cluster::builder("example").profile(Profile::Local).seeds(seeds);
        nodes.push(builder.transport(transport).start().await?);
    }
    for node in &nodes {
        until_all_are_there(node, 3).await;
        println!("{} sees {} members", node.local_addr(), node.members().present_count());
    }

    let report = nodes[2].leave().await?;
    println!("{} leaves; {} peers know", nodes[2].local_addr(), report.acknowledged);
    for node in &nodes[..2] {
        until_all_are_there(node, 2).await;
        println!("{} sees {} members", node.local_addr(), node.members().present_count());
    }
    Ok(())
}

/// The addresses are names on the switchboard, no more.
fn address(port: u16) -> SocketAddr {
    ([10, 0, 0, 1], port).into()
}

async fn until_all_are_there(node: &Cluster, count: usize) {
    let mut events = node.subscribe();
    while node.members().present_count() != count && events.recv().await.is_some() {}
}
