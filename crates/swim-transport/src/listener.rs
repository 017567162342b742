//! The accepting side of TCP: many slow askers must not keep out one honest one.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::framing::Framing;
use crate::transport::{Incoming, Responder};
use crate::udp_tcp::{UdpTcpConfig, plain, read_frame};

/// Requests that wait for the node.
const WAITING_MAX: usize = 64;
/// How long to rest when the system has no more descriptors.
const REST: Duration = Duration::from_millis(50);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ListenerCounters {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) timed_out: u64,
    pub(crate) invalid: u64,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    refused: AtomicU64,
    timed_out: AtomicU64,
    invalid: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A task that accepts, and one for each connection.
#[derive(Debug)]
pub(crate) struct Listener {
    requests: Mutex<mpsc::Receiver<Incoming>>,
    task: StdMutex<Option<JoinHandle<()>>>,
    counters: Arc<Counters>,
}

impl Listener {
    pub(crate) fn start<F: Framing>(
        tcp: TcpListener,
        framing: Arc<F>,
        config: UdpTcpConfig,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let counters = Arc::new(Counters::default());
        let connection = Connection { framing, sender, counters: Arc::clone(&counters), config };
        let task = tokio::spawn(accept_all(tcp, connection));
        Self { requests: Mutex::new(receiver), task: StdMutex::new(Some(task)), counters }
    }

    pub(crate) async fn next(&self) -> Option<Incoming> {
        self.requests.lock().await.recv().await
    }

    pub(crate) fn counters(&self) -> ListenerCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { accepted, refused, timed_out, invalid } = &*self.counters;
        ListenerCounters {
            accepted: read(accepted),
            refused: read(refused),
            timed_out: read(timed_out),
            invalid: read(invalid),
        }
    }

    /// Ends the tasks, and returns when their sockets are closed.
    pub(crate) async fn stop(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
        }
    }
}

struct Connection<F> {
    framing: Arc<F>,
    sender: mpsc::Sender<Incoming>,
    counters: Arc<Counters>,
    config: UdpTcpConfig,
}

impl<F> Clone for Connection<F> {
    fn clone(&self) -> Self {
        Self {
            framing: Arc::clone(&self.framing),
            sender: self.sender.clone(),
            counters: Arc::clone(&self.counters),
            config: self.config.clone(),
        }
    }
}

/// The connections that are open, by address.
#[derive(Default)]
struct Open {
    tasks: JoinSet<IpAddr>,
    by_address: HashMap<IpAddr, usize>,
}

impl Open {
    fn admits(&self, from: IpAddr, config: &UdpTcpConfig) -> bool {
        let open = self.tasks.len();
        let of_address = self.by_address.get(&from).copied().unwrap_or(0);
        open < config.connections_max
            && (2 * open < config.connections_max || of_address < config.connections_per_address)
    }

    fn on_end(&mut self, from: IpAddr) {
        if let Some(count) = self.by_address.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&from);
            }
        }
    }
}

async fn accept_all<F: Framing>(tcp: TcpListener, connection: Connection<F>) {
    let mut open = Open::default();
    loop {
        tokio::select! {
            Some(ended) = open.tasks.join_next() => {
                if let Ok(from) = ended {
                    open.on_end(from);
                }
            }
            accepted = tcp.accept() => match accepted {
                Ok((stream, from)) => admit(stream, plain(from), &connection, &mut open),
                // Out of descriptors, or the asker is gone already: not for ever.
                Err(_) => sleep(REST).await,
            },
        }
    }
}

fn admit<F: Framing>(
    stream: TcpStream,
    from: SocketAddr,
    connection: &Connection<F>,
    open: &mut Open,
) {
    if !open.admits(from.ip(), &connection.config) {
        count(&connection.counters.refused);
        return;
    }
    count(&connection.counters.accepted);
    *open.by_address.entry(from.ip()).or_default() += 1;
    let connection = connection.clone();
    open.tasks.spawn(async move {
        connection.serve(stream, from).await;
        from.ip()
    });
}

impl<F: Framing> Connection<F> {
    async fn serve(self, mut stream: TcpStream, from: SocketAddr) {
        let limit = self.config.request_timeout;
        match timeout(limit, read_frame(&mut stream, &*self.framing)).await {
            Ok(Ok(Some(frame))) => {
                let _ = timeout(limit, self.answer(&mut stream, from, frame)).await;
            }
            Ok(Ok(None)) => {}
            Ok(Err(_)) => count(&self.counters.invalid),
            Err(_) => count(&self.counters.timed_out),
        }
    }

    async fn answer(
        &self,
        stream: &mut TcpStream,
        from: SocketAddr,
        frame: Vec<u8>,
    ) -> io::Result<()> {
        let (responder, reply) = Responder::channel();
        if self.sender.send(Incoming { from, frame, responder }).await.is_err() {
            return Ok(());
        }
        if let Ok(frame) = reply.await {
            stream.write_all(&frame).await?;
        }
        stream.shutdown().await
    }
}
