//! The loop around a node allocates nothing at rest either: two agents over a transport that uses
//! its buffers again, under a clock that is wound by hand.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use allocation_counter::measure;
use benches::{CLUSTER, address, config};
use swim_transport::{Incoming, Responder, Transport};
use swimmer::Cluster;
use tokio::runtime;
use tokio::sync::Notify;

/// What waits for one side.
#[derive(Default)]
struct Inbox {
    datagrams: Mutex<VecDeque<(Vec<u8>, SocketAddr)>>,
    /// Buffers to use again.
    spare: Mutex<Vec<Vec<u8>>>,
    arrived: Notify,
    requests: Mutex<VecDeque<Incoming>>,
    asked: Notify,
}

/// One side of a network in memory.
struct Wire {
    own: SocketAddr,
    inboxes: Arc<BTreeMap<SocketAddr, Inbox>>,
}

impl Wire {
    fn inbox(&self, of: SocketAddr) -> io::Result<&Inbox> {
        self.inboxes.get(&of).ok_or_else(|| io::ErrorKind::HostUnreachable.into())
    }
}

impl Transport for Wire {
    fn local_addr(&self) -> SocketAddr {
        self.own
    }

    fn max_datagram(&self) -> usize {
        1_400
    }

    async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        let inbox = self.inbox(to)?;
        let mut bytes = inbox.spare.lock().unwrap().pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(payload);
        inbox.datagrams.lock().unwrap().push_back((bytes, self.own));
        inbox.arrived.notify_one();
        Ok(())
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let inbox = self.inbox(self.own)?;
        loop {
            let next = inbox.datagrams.lock().unwrap().pop_front();
            if let Some((bytes, from)) = next {
                buffer[..bytes.len()].copy_from_slice(&bytes);
                let length = bytes.len();
                inbox.spare.lock().unwrap().push(bytes);
                return Ok((length, from));
            }
            inbox.arrived.notified().await;
        }
    }

    async fn exchange(&self, to: SocketAddr, frame: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
        let (responder, reply) = Responder::channel();
        let inbox = self.inbox(to)?;
        inbox.requests.lock().unwrap().push_back(Incoming { from: self.own, frame, responder });
        inbox.asked.notify_one();
        Ok(reply.await.ok())
    }

    async fn accept(&self) -> io::Result<Incoming> {
        let inbox = self.inbox(self.own)?;
        loop {
            let next = inbox.requests.lock().unwrap().pop_front();
            if let Some(incoming) = next {
                return Ok(incoming);
            }
            inbox.asked.notified().await;
        }
    }
}

#[test]
fn two_agents_that_probe_each_other_allocate_nothing() {
    let mut runtime = runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let inboxes: BTreeMap<_, _> = (0..2).map(|n| (address(n), Inbox::default())).collect();
    let inboxes = Arc::new(inboxes);
    let agents: Vec<_> = (0..2)
        .map(|number| {
            let wire = Wire { own: address(number), inboxes: Arc::clone(&inboxes) };
            let seeds = (number > 0).then(|| address(0).to_string());
            let agent = Cluster::builder(CLUSTER).config(config()).rng_seed(number.into());
            runtime.block_on(agent.seeds(seeds).transport(wire).start()).unwrap()
        })
        .collect();
    let probes = || agents.iter().map(|agent| agent.stats().membership.probes).sum::<u64>();
    let rest = || runtime.block_on(async { tokio::time::sleep(Duration::from_secs(30)).await });
    rest();
    let before = probes();
    let count = measure(rest).count_total;
    assert_eq!(probes() - before, 60, "each has probed the other once a period");
    assert_eq!(count, 0);
    assert!(agents.iter().all(|agent| agent.members().present_count() == 2));
}
