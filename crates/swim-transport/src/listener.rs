//! The accepting side of TCP: many slow askers must not keep out one honest one.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::connections::{Connections, End, Turn, TurnCell};
use crate::framing::{Framing, read_frame};
use crate::sockets::plain;
use crate::transport::{Incoming, Responder};
use crate::udp_tcp::UdpTcpConfig;

/// Requests that wait for the node; further ones wait with their connections.
const WAITING_MAX: usize = 64;
/// How long to rest when the system has no more descriptors.
const REST: Duration = Duration::from_millis(50);

/// What became of the connections.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) silent: AtomicU64,
    pub(crate) broken: AtomicU64,
    pub(crate) invalid: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) displaced: AtomicU64,
    pub(crate) unanswered: AtomicU64,
    pub(crate) accept_failed: AtomicU64,
}

impl Counters {
    fn count(&self, end: End) {
        count(match end {
            End::Answered => &self.answered,
            End::Silent => &self.silent,
            End::Broken => &self.broken,
            End::Invalid => &self.invalid,
            End::TimedOut => &self.timed_out,
            End::Displaced => &self.displaced,
            End::Unanswered => &self.unanswered,
        });
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A task that accepts, and one for each connection.
#[derive(Debug)]
pub(crate) struct Listener {
    requests: Mutex<mpsc::Receiver<Incoming>>,
    task: Mutex<Option<JoinHandle<()>>>,
    counters: Arc<Counters>,
}

impl Listener {
    /// Accepts until `closing` is over.
    pub(crate) fn start<F: Framing>(
        tcp: TcpListener,
        framing: Arc<F>,
        config: UdpTcpConfig,
        closing: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let counters = Arc::new(Counters::default());
        let connections = Connections::new(config.connections_max, config.patience);
        let service = Service { framing, sender, limit: config.request_timeout };
        let counting = Arc::clone(&counters);
        let task = tokio::spawn(async move {
            accept_all(tcp, service, connections, &counting, closing).await;
        });
        Self { requests: Mutex::new(receiver), task: Mutex::new(Some(task)), counters }
    }

    pub(crate) async fn next(&self) -> Option<Incoming> {
        self.requests.lock().await.recv().await
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Returns when the tasks have ended and their sockets are closed.
    pub(crate) async fn ended(&self) {
        let mut task = self.task.lock().await;
        if let Some(running) = task.as_mut() {
            let _ = running.await;
            *task = None;
        }
    }
}

/// Takes connections one by one. While all places are taken it holds the one that is next, and the
/// others wait in the backlog: nobody is refused.
async fn accept_all<F: Framing>(
    tcp: TcpListener,
    service: Service<F>,
    mut connections: Connections,
    counters: &Counters,
    closing: impl Future<Output = ()>,
) {
    let mut closing = pin!(closing);
    let mut waiting: Option<(TcpStream, SocketAddr)> = None;
    let mut rested = Instant::now();
    loop {
        if connections.has_room()
            && let Some((stream, from)) = waiting.take()
        {
            count(&counters.accepted);
            let service = service.clone();
            connections.start(from.ip(), |turn| service.serve(stream, from, turn));
        }
        let one_must_go = waiting.is_some() && !connections.is_one_leaving();
        let patience_ends = one_must_go.then(|| connections.patience_ends());
        tokio::select! {
            biased;
            () = &mut closing => break,
            Some(end) = connections.next_end() => counters.count(end),
            accepted = accept(&tcp, rested), if waiting.is_none() => match accepted {
                Ok((stream, from)) => waiting = Some((stream, plain(from))),
                Err(error) => {
                    count(&counters.accept_failed);
                    if !is_about_the_asker(&error) {
                        rested = Instant::now() + REST;
                    }
                }
            },
            Some(()) = sleep_until_some(patience_ends) => connections.displace(Instant::now()),
        }
    }
    drop((tcp, waiting));
    connections.shutdown().await;
}

async fn sleep_until_some(at: Option<Instant>) -> Option<()> {
    sleep_until(at?).await;
    Some(())
}

async fn accept(tcp: &TcpListener, rested: Instant) -> io::Result<(TcpStream, SocketAddr)> {
    if Instant::now() < rested {
        sleep_until(rested).await;
    }
    tcp.accept().await
}

/// An asker who was gone before it was accepted is no reason to rest.
fn is_about_the_asker(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// What each connection is given.
struct Service<F> {
    framing: Arc<F>,
    sender: mpsc::Sender<Incoming>,
    limit: Duration,
}

impl<F> Clone for Service<F> {
    fn clone(&self) -> Self {
        let (framing, sender) = (Arc::clone(&self.framing), self.sender.clone());
        Self { framing, sender, limit: self.limit }
    }
}

impl<F: Framing> Service<F> {
    async fn serve(self, mut stream: TcpStream, from: SocketAddr, turn: TurnCell) -> End {
        let read = timeout(self.limit, read_frame(&mut stream, &*self.framing)).await;
        let frame = match read {
            Ok(Ok(Some(frame))) => frame,
            Ok(Ok(None)) => return End::Silent,
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => return End::Invalid,
            Ok(Err(_)) => return End::Broken,
            Err(_) => return End::TimedOut,
        };
        turn.set(Turn::Node);
        let Ok(reply) = timeout(self.limit, self.ask(from, frame)).await else {
            return End::Unanswered;
        };
        turn.set(Turn::Peer(Instant::now()));
        match timeout(self.limit, write(stream, reply)).await {
            Ok(Ok(())) => End::Answered,
            Ok(Err(_)) => End::Broken,
            Err(_) => End::TimedOut,
        }
    }

    /// Hands the request on, and waits for the reply, if there is to be one.
    async fn ask(&self, from: SocketAddr, frame: Vec<u8>) -> Option<Vec<u8>> {
        let (responder, reply) = Responder::channel();
        self.sender.send(Incoming { from, frame, responder }).await.ok()?;
        reply.await.ok()
    }
}

async fn write(mut stream: TcpStream, reply: Option<Vec<u8>>) -> io::Result<()> {
    if let Some(frame) = reply {
        stream.write_all(&frame).await?;
    }
    stream.shutdown().await
}
