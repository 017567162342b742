//! Setting up a node, and everything that can be wrong with that.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use swim_membership::{Config, Instant as NodeTime, Profile};
use swim_proto::{
    ClusterName, ClusterNameError, Codec, NodeId, RecordError, RecordFields, Versions,
};
use swim_transport::{Transport, UdpTcp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::advertise::{AdvertisedBy, Choice};
use super::clock::unix_now;
use super::data_folder::{DataFolder, DataFolderError, new_id};
use super::driver::{COMMANDS_MAX, Driver};
use super::joining::JoinPolicy;
use super::machine::Machine;
use super::messages::Inbox;
use super::mirror::Mirror;
use super::notices::NoticeBoard;
use super::roaming::Roaming;
use super::seeds::{SeedError, Seeds, look_up_once};
use super::{Cluster, CommandError, Shared, TransportCounters, ZONES};
use crate::node::{Node, Settings};

/// How long names of seeds are waited for to choose the address to advertise.
const LOOK_UP_MAX: Duration = Duration::from_secs(1);

/// Why a node was not started. Nothing was written, but perhaps the data folder and its key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The cluster's name is none.
    #[error(transparent)]
    ClusterName(#[from] ClusterNameError),
    /// Name, metadata or advertised address do not make a record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A seed is no `host:port`.
    #[error("the seed {0:?} is no host:port")]
    Seed(String),
    /// A seed, or the address to listen on or to advertise, has a zone, or is link-local in IPv6 and so
    /// would need one.
    #[error("{0:?} has or needs a zone: {ZONES}")]
    Zone(String),
    /// The address to advertise is of another family, IPv4 or IPv6, than the socket.
    #[error(
        "a node that listens on {listen} is not reached at {advertise}: one is IPv4, the other IPv6"
    )]
    Family {
        /// Where it would listen.
        listen: SocketAddr,
        /// What it would advertise.
        advertise: SocketAddr,
    },
    /// Both an id and a data folder, which has one of its own, were given.
    #[error("give an id or a data folder, not both: the folder holds the id")]
    IdAndDataFolder,
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// No seed has taken the node in within the time that [`JoinPolicy::Fail`] gives. It was
    /// stopped.
    #[error("no seed has taken this node in")]
    NotJoined,
    /// The system gives no randomness, or no thread.
    #[error("the system failed: {0}")]
    System(#[from] io::Error),
}

type Binding<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// Where datagrams and exchanges come from: made when the node starts.
enum Source<T> {
    Bind(fn(SocketAddr) -> Binding<T>),
    Ready(T),
}

/// Sets up a node: chained setters, then [`start`](Self::start) or
/// [`start_thread`](Self::start_thread).
pub struct Builder<T = UdpTcp> {
    cluster: String,
    listen: SocketAddr,
    advertise: Option<SocketAddr>,
    seeds: Vec<String>,
    name: String,
    metadata: Vec<u8>,
    config: Config,
    expects_pauses: Duration,
    join_policy: JoinPolicy,
    min_members: usize,
    data_dir: Option<PathBuf>,
    id: Option<NodeId>,
    rng_seed: Option<u64>,
    codec: Option<Box<dyn Codec>>,
    source: Source<T>,
}

impl<T> fmt::Debug for Builder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, listen, seeds, name, .. } = self;
        f.debug_struct("Builder")
            .field("cluster", cluster)
            .field("listen", listen)
            .field("seeds", seeds)
            .field("name", name)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(super) fn new(cluster: &str) -> Self {
        Self {
            cluster: cluster.into(),
            listen: (Ipv4Addr::UNSPECIFIED, 0).into(),
            advertise: None,
            seeds: Vec::new(),
            name: String::new(),
            metadata: Vec::new(),
            config: Config::default(),
            expects_pauses: Duration::ZERO,
            join_policy: JoinPolicy::default(),
            min_members: 1,
            data_dir: None,
            id: None,
            rng_seed: None,
            codec: None,
            source: Source::Bind(|address| Box::pin(UdpTcp::bind(address))),
        }
    }
}

impl<T: Transport> Builder<T> {
    /// Where to listen. Default `0.0.0.0:0`; with port 0 the system chooses. Of no meaning with a
    /// transport of one's own.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Where others reach this node, if that is not where it listens. Port 0 stands for the port
    /// that is listened on. Default: where it listens; of a wildcard, this machine's address on the
    /// route to a seed that is not on this machine, else a private one of its interfaces, else a public
    /// one, else loopback ([`Cluster::advertised_by`] says which). Seeds that are names are looked up
    /// for that only if there is a choice, and for a second at most. Such a node takes up another of its
    /// addresses when others see it there, or when its machine has the one before no more.
    #[must_use]
    pub fn advertise(mut self, address: SocketAddr) -> Self {
        self.advertise = Some(address);
        self
    }

    /// By whom to join, each a `host:port`: retried until one answers, names resolved again. The
    /// own address among them is ignored. Default none: the first node of a cluster.
    #[must_use]
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.seeds = seeds.into_iter().map(Into::into).collect();
        self
    }

    /// What to do while no seed has answered: go on alone and keep trying, wait, or fail. Default:
    /// go on.
    #[must_use]
    pub fn join_policy(mut self, policy: JoinPolicy) -> Self {
        self.join_policy = policy;
        self
    }

    /// How many members must be present, this node included, before it is
    /// [`ready`](Cluster::ready). Default 1.
    #[must_use]
    pub fn min_members(mut self, members: usize) -> Self {
        self.min_members = members;
        self
    }

    /// A name for people: at most 128 bytes without control characters. Default none.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What to tell all members of this node: at most 512 bytes. Default none.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// A preset of timing and bounds. Default `lan`.
    #[must_use]
    pub fn profile(self, profile: Profile) -> Self {
        self.config(Config::preset(profile))
    }

    /// Timing and bounds. Default: the preset `lan`.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// For how long this node may be silent: the longest pause of its garbage collector or its machine.
    /// Others give it half as much again, and a period, before they declare it dead, 12 s at most with
    /// `lan` in a small cluster and 19 s in a large one; so its own death is found so much later. What is
    /// shorter than all are given anyway changes nothing. Default zero: it announces the pauses that it
    /// has measured, so that only the first may be taken for its death.
    #[must_use]
    pub fn expects_pauses(mut self, longest: Duration) -> Self {
        self.expects_pauses = longest;
        self
    }

    /// A folder that keeps over restarts who this node is, its number, and where the others are; made
    /// if it is not there. A node that restarts with it is back at once, and needs no seed. Default
    /// none: a new identity at each start.
    #[must_use]
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// This node's identity, for programs that keep it themselves. Not with a data folder.
    #[must_use]
    pub fn id(mut self, id: NodeId) -> Self {
        self.id = Some(id);
        self
    }

    /// What decides this node's random choices. Default: random.
    #[must_use]
    pub fn rng_seed(mut self, seed: u64) -> Self {
        self.rng_seed = Some(seed);
        self
    }

    /// Another wire; all members must speak it.
    #[must_use]
    pub fn codec(mut self, codec: Box<dyn Codec>) -> Self {
        self.codec = Some(codec);
        self
    }

    /// Another transport, bound already; where it listens is its own affair.
    #[must_use]
    pub fn transport<U: Transport>(self, transport: U) -> Builder<U> {
        let Self { cluster, listen, advertise, seeds, name, metadata, .. } = self;
        let Self { config, expects_pauses, join_policy, min_members, data_dir, .. } = self;
        let Self { id, rng_seed, codec, .. } = self;
        let source = Source::Ready(transport);
        Builder {
            cluster,
            listen,
            advertise,
            seeds,
            name,
            metadata,
            config,
            expects_pauses,
            join_policy,
            min_members,
            data_dir,
            id,
            rng_seed,
            codec,
            source,
        }
    }

    /// Starts the node on the caller's tokio. Returns when it listens, and joining goes on; or when
    /// it has joined, with another [`join_policy`](Self::join_policy).
    ///
    /// # Errors
    /// When anything given cannot be used; the error says what. When no seed has answered in time,
    /// if that was asked for.
    pub async fn start(self) -> Result<Cluster, StartError> {
        let (cluster, driver, joined) = self.prepare().await?;
        tokio::spawn(driver.run());
        wait_for_join(cluster, joined).await
    }

    /// Starts the node on a thread of its own, for programs without async. Returns when
    /// [`start`](Self::start) does.
    ///
    /// # Errors
    /// As [`start`](Self::start), and when the system gives no thread.
    pub fn start_thread(self) -> Result<Cluster, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, started) = oneshot::channel();
        std::thread::Builder::new().name("swimmer".into()).spawn(move || {
            runtime.block_on(async {
                match self.prepare().await {
                    Ok((cluster, driver, joined)) => {
                        let _ = sender.send(Ok((cluster, joined)));
                        driver.run().await;
                    }
                    Err(error) => {
                        let _ = sender.send(Err(error));
                    }
                }
            });
        })?;
        let stopped = || StartError::System(io::Error::other("the node's thread has ended"));
        let (cluster, joined) = super::block_on(started).unwrap_or_else(|_| Err(stopped()))?;
        super::block_on(wait_for_join(cluster, joined))
    }

    async fn prepare(self) -> Result<(Cluster, Driver<T>, Joined), StartError> {
        // What can be wrong without a look at the world comes first: then nothing was touched.
        let cluster = ClusterName::new(&self.cluster)?;
        let seeds = Seeds::parse(self.seeds)?;
        let given = [Some(self.listen), self.advertise];
        if let Some(zoned) = given.into_iter().flatten().find(|&address| has_zone(address)) {
            return Err(StartError::Zone(zoned.to_string()));
        }
        if self.id.is_some() && self.data_dir.is_some() {
            return Err(StartError::IdAndDataFolder);
        }
        check_record(&self.name, &self.metadata, self.advertise)?;

        let transport = match self.source {
            Source::Ready(transport) => transport,
            Source::Bind(bind) => bind(self.listen)
                .await
                .map_err(|source| StartError::Listen { address: self.listen, source })?,
        };
        let local_addr = transport.local_addr();
        let mut machine = None;
        let (address, advertised_by) = match self.advertise {
            Some(given) => (with_port(given, local_addr.port()), AdvertisedBy::Given),
            None if !local_addr.ip().is_unspecified() => (local_addr, AdvertisedBy::Listen),
            None => choose_address(local_addr, &seeds, machine.insert(Machine::look())).await,
        };
        let reached = match transport.reaches(address) {
            true => Ok(()),
            false => Err(StartError::Family { listen: local_addr, advertise: address }),
        };
        let opened = reached
            .and_then(|()| Ok(check_record(&self.name, &self.metadata, Some(address))?))
            .and_then(|()| {
                let open = |path| DataFolder::open(path, cluster.tag());
                Ok(self.data_dir.as_deref().map(open).transpose()?)
            });
        let (folder, saved) = match opened {
            Ok(opened) => opened.unzip(),
            Err(error) => {
                transport.close().await;
                return Err(error);
            }
        };
        let id = match (self.id, &folder) {
            (Some(id), _) => id,
            (None, Some(folder)) => folder.id(),
            (None, None) => new_id()?,
        };
        let seed = self.rng_seed.map_or_else(random_seed, Ok)?;
        let (name, metadata, codec) = (self.name, self.metadata, self.codec);
        let mut config = self.config;
        if !self.expects_pauses.is_zero() {
            config = config.with_expected_pause(self.expects_pauses);
        }
        if transport.max_datagram() < config.datagram_bytes_max() {
            config = config.with_datagram_bytes_max(transport.max_datagram());
        }
        let started = Some(unix_now());
        let settings =
            Settings { id, cluster, address, name, metadata, config, codec, seed, saved, started };
        let node = Node::new(settings, NodeTime::ZERO)?;

        let mirror = Arc::new(Mirror::new(node.local()));
        let notices = Arc::new(NoticeBoard::default());
        let inbox = Arc::new(Inbox::default());
        let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
        let (stopping, stopped) = watch::channel(false);
        let (join_done, joined) = oneshot::channel();
        let transport = Arc::new(transport);
        let counters = TransportCounters::of(&transport);
        let mut driver = Driver::new(
            node,
            transport,
            receiver,
            Arc::clone(&mirror),
            Arc::clone(&notices),
            Arc::clone(&inbox),
            folder,
            stopping,
            (seeds, self.join_policy, join_done),
        );
        if let Some(machine) = machine {
            driver.follow(Roaming::new(machine, advertised_by));
        }
        let min_members = self.min_members;
        let shared = Shared {
            commands,
            mirror,
            notices,
            inbox,
            stopped,
            id,
            local_addr,
            advertised_by,
            min_members,
            counters,
        };
        Ok((Cluster { shared: Arc::new(shared) }, driver, joined))
    }
}

/// Tells how the first join has ended, as far as its policy waits for it.
type Joined = oneshot::Receiver<Result<(), CommandError>>;

async fn wait_for_join(cluster: Cluster, joined: Joined) -> Result<Cluster, StartError> {
    match joined.await {
        Ok(Ok(())) => Ok(cluster),
        Ok(Err(_)) => {
            cluster.shutdown().await;
            Err(StartError::NotJoined)
        }
        Err(_) => Err(StartError::System(io::Error::other("the node was stopped"))),
    }
}

impl From<SeedError> for StartError {
    fn from(error: SeedError) -> Self {
        match error {
            SeedError::NoHostPort(seed) => Self::Seed(seed),
            SeedError::Zone(seed) => Self::Zone(seed),
        }
    }
}

/// Whether an address has a zone, or is of no use without one.
pub(super) fn has_zone(address: SocketAddr) -> bool {
    match address {
        SocketAddr::V4(_) => false,
        SocketAddr::V6(v6) => v6.scope_id() != 0 || v6.ip().is_unicast_link_local(),
    }
}

pub(super) fn with_port(address: SocketAddr, port: u16) -> SocketAddr {
    if address.port() == 0 { SocketAddr::new(address.ip(), port) } else { address }
}

/// The address to advertise of a wildcard. Names of seeds are looked up only where they may change the
/// choice, and waited for no longer than that is worth: others say later where they see this node.
async fn choose_address(
    listen: SocketAddr,
    seeds: &Seeds,
    machine: &Machine,
) -> (SocketAddr, AdvertisedBy) {
    let (known, are_all) = (seeds.known().collect(), seeds.are_known());
    let mut choice = Choice { listen, machine, seeds: known, are_all };
    if choice.is_open() {
        let mut found = look_up_once(seeds);
        let until = Instant::now() + LOOK_UP_MAX;
        while choice.is_open()
            && let Ok(Some(found)) = timeout_at(until, found.recv()).await
        {
            choice.seeds.extend(found);
        }
    }
    choice.advertised()
}

fn check_record(
    name: &str,
    metadata: &[u8],
    advertise: Option<SocketAddr>,
) -> Result<(), RecordError> {
    let mut address = advertise.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 1).into());
    if address.port() == 0 {
        address.set_port(1);
    }
    let versions = Versions::default();
    RecordFields { address, versions, name, metadata, later: &[] }.build().map(drop)
}

fn random_seed() -> io::Result<u64> {
    getrandom::u64().map_err(io::Error::other)
}
