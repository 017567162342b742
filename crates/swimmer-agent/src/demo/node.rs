//! One node of the demo: real sockets, faults on demand, and a thread of its own to block.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use swim_transport::{FaultControl, Faulty, UdpTcp};
use swimmer::{Cluster, NodeId, Profile};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const CLUSTER: &str = "demo";

/// A pause ends by itself after this long, should the demo not end it.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A running node.
pub(super) struct DemoNode {
    pub(super) name: String,
    pub(super) cluster: Cluster,
    pub(super) faults: FaultControl,
    pauses: UnboundedSender<mpsc::Receiver<()>>,
    thread: JoinHandle<()>,
}

/// A node's thread is blocked for as long as this is kept.
pub(super) struct Pause {
    /// Nothing is ever sent: it is the end of the channel that ends the pause.
    _end: mpsc::Sender<()>,
}

impl DemoNode {
    /// Starts a node on a thread of its own.
    pub(super) fn start(
        name: &str,
        folder: &Path,
        seed: Option<SocketAddr>,
    ) -> Result<Self, String> {
        let (pauses, to_pause) = unbounded_channel();
        let (sender, started) = mpsc::channel();
        let (folder, thread_name) = (folder.join(name), name.to_owned());
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(async {
                    let start = start(&thread_name, &folder, seed).await;
                    let running = start.as_ref().ok().map(|(cluster, _)| cluster.clone());
                    let _ = sender.send(start);
                    if let Some(cluster) = running {
                        run(&cluster, to_pause).await;
                    }
                }),
                Err(error) => drop(sender.send(Err(error.to_string()))),
            }
        });
        let thread = thread.map_err(|error| error.to_string())?;
        let (cluster, faults) = started.recv().map_err(|error| error.to_string())??;
        Ok(Self { name: name.to_owned(), cluster, faults, pauses, thread })
    }

    pub(super) fn id(&self) -> NodeId {
        self.cluster.id()
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.cluster.local().address
    }

    /// Blocks the node's thread, as a stopped process or a busy machine would.
    pub(super) fn pause(&self) -> Pause {
        let (sender, end) = mpsc::channel();
        let _ = self.pauses.send(end);
        Pause { _end: sender }
    }

    /// Ends the node at once, without a word to the others.
    pub(super) fn kill(self) {
        let Self { pauses, thread, .. } = self;
        drop(pauses);
        let _ = thread.join();
    }
}

async fn start(
    name: &str,
    folder: &Path,
    seed: Option<SocketAddr>,
) -> Result<(Cluster, FaultControl), String> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let sockets = UdpTcp::bind(listen).await.map_err(|error| format!("cannot listen: {error}"))?;
    let transport = Faulty::new(sockets, 0);
    let faults = transport.control();
    let cluster = Cluster::builder(CLUSTER)
        .name(name)
        .profile(Profile::Local)
        .data_dir(folder)
        .seeds(seed.map(|seed| seed.to_string()))
        .transport(transport)
        .start()
        .await
        .map_err(|error| error.to_string())?;
    Ok((cluster, faults))
}

/// The node runs on this thread; so whoever blocks the thread stops the node.
async fn run(cluster: &Cluster, mut pauses: UnboundedReceiver<mpsc::Receiver<()>>) {
    while let Some(end) = pauses.recv().await {
        let _ = end.recv_timeout(PAUSE_MAX);
    }
    cluster.shutdown().await;
}
