//! A node on real sockets: the handle, and the one loop behind it that touches the world.

mod advertise;
mod blocking;
mod builder;
mod clock;
mod data_folder;
mod driver;
mod joining;
mod log;
mod machine;
mod messages;
mod mirror;
mod notices;
mod roaming;
mod saved_file;
mod seeds;
mod subscription;
#[cfg(test)]
mod visible_tests;
mod withheld;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use swim_proto::{NodeId, RecordError};
use swim_transport::Transport;
use tokio::sync::{mpsc, oneshot, watch};

pub use advertise::AdvertisedBy;
pub use blocking::block_on;
pub use builder::{Builder, StartError};
pub use data_folder::DataFolderError;
pub use joining::JoinPolicy;
pub use log::{RecvTimeoutError, TryRecvError};
pub use messages::Messages;
pub use mirror::Snapshot;
pub use notices::Notices;
pub use subscription::{Change, Subscription, Update};

use crate::Member;
use crate::node::{SendError, Stats};
use driver::Command;
use messages::Inbox;
use mirror::{Mirror, Progress};
use notices::NoticeBoard;
use seeds::{SeedError, Seeds};

/// A running node, and the cluster as it sees it.
///
/// Handles are cheap clones, and any method may be called from anywhere: an event handler or a
/// destructor included. Dropping the last handle stops the node without a leave. The futures need
/// no tokio; a program without async can use [`block_on`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use swimmer::Cluster;
///
/// let first = Cluster::builder("cluster1").listen("127.0.0.1:0".parse()?).start().await?;
/// let seed = first.local().address.to_string();
/// let second = Cluster::builder("cluster1")
///     .listen("127.0.0.1:0".parse()?)
///     .seeds([seed])
///     .start()
///     .await?;
///
/// let mut events = first.subscribe();
/// while first.members().present_count() < 2 {
///     events.recv().await;
/// }
/// second.leave().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Cluster {
    shared: Arc<Shared>,
}

/// What all handles share. When the last goes, the loop sees its commands end.
#[derive(Debug)]
struct Shared {
    commands: mpsc::Sender<Command>,
    mirror: Arc<Mirror>,
    notices: Arc<NoticeBoard>,
    inbox: Arc<Inbox>,
    stopped: watch::Receiver<bool>,
    id: NodeId,
    local_addr: SocketAddr,
    advertised_by: AdvertisedBy,
    min_members: usize,
    counters: TransportCounters,
}

/// Reads what the transport counts, without knowing its type and without keeping it open.
struct TransportCounters(Box<dyn Fn() -> Vec<(&'static str, u64)> + Send + Sync>);

impl TransportCounters {
    fn of<T: Transport>(transport: &Arc<T>) -> Self {
        let transport = Arc::downgrade(transport);
        let counters = |transport: Arc<T>| transport.counters();
        Self(Box::new(move || Weak::upgrade(&transport).map_or_else(Vec::new, counters)))
    }
}

impl fmt::Debug for TransportCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransportCounters")
    }
}

/// How a leave went (L2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaveReport {
    /// How many lasting members have acknowledged it, those that leave as well not counted: 5 are
    /// enough. With 0 of some that were told, those that stay may take this node for dead.
    pub acknowledged: u32,
    /// How many were told: 5, more where some of these leave as well or are silent, at most 256.
    pub told: u32,
}

/// Why a command was not carried out. The node's state is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The node was stopped.
    #[error("the node was stopped")]
    Stopped,
    /// The metadata does not fit a record, or the address is none that a member can be reached at.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The message does not fit, has no receiver, or this node has left.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Nobody reads messages at that member.
    #[error("nobody reads messages at that member")]
    NoReader,
    /// Too many messages wait for their readers at that member.
    #[error("that member's readers are behind; no more messages wait for them")]
    NoRoom,
    /// The member did not acknowledge the message in time; it may have got it.
    #[error("the member did not acknowledge the message")]
    NotDelivered,
    /// A seed is no `host:port`.
    #[error("the seed {0:?} is no host:port")]
    Seed(String),
    /// A seed or an address to advertise has a zone, or is link-local in IPv6 and so would need one.
    #[error("{0:?} has or needs a zone: {ZONES}")]
    Zone(String),
    /// The address to advertise is of another family, IPv4 or IPv6, than the socket.
    #[error("this node is not reached at {0}: its socket is of the other family, IPv4 or IPv6")]
    Family(SocketAddr),
    /// No seed has taken this node in within the time that [`JoinPolicy::Fail`] gives, or it has left
    /// or leaves. It runs on, without seeds.
    #[error("no seed has taken this node in")]
    NotJoined,
}

/// Why no address may have a zone.
const ZONES: &str = "an address with a zone ('%') means something on this machine only, so that the other \
                     members cannot be told it; give one that needs none";

impl From<SeedError> for CommandError {
    fn from(error: SeedError) -> Self {
        match error {
            SeedError::NoHostPort(seed) => Self::Seed(seed),
            SeedError::Zone(seed) => Self::Zone(seed),
        }
    }
}

impl Cluster {
    /// Sets up a node of the cluster of this name: 1 to 64 bytes without control characters.
    /// Nodes of other names are ignored.
    pub fn builder(cluster: &str) -> Builder {
        Builder::new(cluster)
    }

    /// This node's identity.
    pub fn id(&self) -> NodeId {
        self.shared.id
    }

    /// This node, with the address that it advertises.
    pub fn local(&self) -> Member {
        self.shared.mirror.local()
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local_addr
    }

    /// How the advertised address was found when the node was started.
    pub fn advertised_by(&self) -> AdvertisedBy {
        self.shared.advertised_by
    }

    /// The members as they are held now. It never waits for the node's loop.
    pub fn members(&self) -> Snapshot {
        self.shared.mirror.snapshot()
    }

    /// The members as they are now, and every change from then on.
    pub fn subscribe(&self) -> Subscription {
        Subscription::new(Arc::clone(&self.shared.mirror))
    }

    /// What an operator should know, from the last 256 notices on.
    pub fn notices(&self) -> Notices {
        Notices::new(&self.shared.notices)
    }

    /// The messages to this node alone, from now on. Readers share them. While there is no reader,
    /// messages are not taken, and whoever sends one reliably gets [`CommandError::NoReader`].
    pub fn messages(&self) -> Messages {
        Messages::new(Arc::clone(&self.shared.inbox), Arc::clone(&self.shared.mirror))
    }

    /// Whether the node was stopped, by [`shutdown`](Self::shutdown) or otherwise.
    pub fn is_stopped(&self) -> bool {
        *self.shared.stopped.borrow()
    }

    /// Waits until the node was stopped, by whomever.
    pub async fn stopped(&self) {
        let mut stopped = self.shared.stopped.clone();
        let _ = stopped.wait_for(|&stopped| stopped).await;
    }

    /// What is counted, as of the last input.
    pub fn stats(&self) -> Stats {
        let mut stats = self.shared.mirror.stats();
        let transport = (self.shared.counters.0)();
        if !transport.is_empty() {
            stats.transport = transport;
        }
        stats
    }

    /// Waits until this node has joined: a seed has taken it in, or a member that its data folder
    /// knows; or it has no seed, and of those members nobody answers.
    ///
    /// # Errors
    /// When the node was stopped, or has left or leaves meanwhile.
    pub async fn joined(&self) -> Result<(), CommandError> {
        self.until(|progress| progress.joined).await
    }

    /// Waits until this node is of use: it has joined, has got all that whoever took it in holds,
    /// and at least as many members are present as [`Builder::min_members`] says.
    ///
    /// # Errors
    /// When the node was stopped, or has left or leaves meanwhile.
    pub async fn ready(&self) -> Result<(), CommandError> {
        let least = self.shared.min_members;
        self.until(|progress| progress.joined && progress.synced && progress.present >= least).await
    }

    async fn until(&self, done: impl Fn(&Progress) -> bool) -> Result<(), CommandError> {
        let mut progress = self.shared.mirror.progress();
        let ended = |progress: &Progress| progress.stopped || progress.left;
        match progress.wait_for(|progress| ended(progress) || done(progress)).await {
            Ok(progress) if !ended(&progress) => Ok(()),
            Ok(progress) if !progress.stopped => Err(CommandError::NotJoined),
            _ => Err(CommandError::Stopped),
        }
    }

    /// Replaces this node's metadata, at most 512 bytes, which all members will see.
    ///
    /// # Errors
    /// When it is too long, or the node was stopped.
    pub async fn set_metadata(&self, metadata: impl Into<Vec<u8>>) -> Result<(), CommandError> {
        let metadata = metadata.into();
        self.command(|done| Command::SetMetadata { metadata, done }).await
    }

    /// Says at which address this node is reached from now on, which all members will see; port 0 stands
    /// for the port that is listened on. A node that has followed the addresses of its machine keeps this
    /// one. It helps a node behind an address translation whose outside has changed.
    ///
    /// # Errors
    /// When it is no address at which a member can be reached, is of another family than the socket, has a
    /// zone, or the node was stopped.
    pub async fn set_advertise(&self, address: SocketAddr) -> Result<(), CommandError> {
        if builder::has_zone(address) {
            return Err(CommandError::Zone(address.to_string()));
        }
        let address = builder::with_port(address, self.shared.local_addr.port());
        self.command(|done| Command::SetAdvertise { address, done }).await
    }

    /// Tells all other members something by gossip: best effort, at most once each, in no order, at
    /// most 512 bytes. They get it as [`Event::Message`](crate::Event::Message). This node itself gets
    /// no event of it.
    ///
    /// # Errors
    /// When it is too long, or the node was stopped.
    pub async fn broadcast(&self, payload: impl Into<Vec<u8>>) -> Result<(), CommandError> {
        let payload = payload.into();
        self.command(|done| Command::Broadcast { payload, done }).await
    }

    /// Sends one member a datagram, best effort. It gets it by [`messages`](Self::messages), if
    /// somebody reads them there; so does this node itself.
    ///
    /// # Errors
    /// When the member is not present, the payload does not fit a datagram, or the node was stopped.
    pub async fn send(&self, to: NodeId, payload: impl Into<Vec<u8>>) -> Result<(), CommandError> {
        let payload = payload.into();
        self.command(|done| Command::Send { to, payload, done }).await
    }

    /// Sends one member a message over the reliable plane, and returns when its application has taken
    /// it: it waits there in [`messages`](Self::messages). At most 65,472 bytes. To this node itself
    /// it is put there at once.
    ///
    /// # Errors
    /// When nobody reads messages there, or too many wait; when the member is not present or does not
    /// acknowledge it within the exchange time-out (10 s by default), the payload is too long, or the
    /// node was stopped.
    pub async fn send_reliable(
        &self,
        to: NodeId,
        payload: impl Into<Vec<u8>>,
    ) -> Result<(), CommandError> {
        let payload = payload.into();
        self.command(|done| Command::SendReliable { to, payload, done }).await
    }

    /// Joins by these seeds, each a `host:port`, retried until one answers. It replaces earlier
    /// seeds. After [`leave`](Self::leave) it begins the next life.
    ///
    /// # Errors
    /// When a seed is no `host:port`, or the node was stopped.
    pub async fn join(
        &self,
        seeds: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), CommandError> {
        self.join_with(JoinPolicy::GoOn, seeds).await
    }

    /// As [`join`](Self::join), and waits or fails as the policy says.
    ///
    /// # Errors
    /// As [`join`](Self::join); when no seed has answered in time, if that was asked for; and when
    /// another call has replaced the seeds meanwhile, or the node leaves.
    pub async fn join_with(
        &self,
        policy: JoinPolicy,
        seeds: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), CommandError> {
        let seeds = Seeds::parse(seeds)?;
        self.command(|done| Command::Join { seeds, policy, done }).await
    }

    /// Leaves gently, within about a second: the others will see this node as left. While nobody
    /// who lasts has acknowledged it, it goes on for [`Config::leave_timeout`](crate::Config), 3 s by
    /// default. Any number of members may leave at once. The handle stays good for
    /// [`join`](Self::join).
    ///
    /// # Errors
    /// When the node was stopped.
    pub async fn leave(&self) -> Result<LeaveReport, CommandError> {
        self.command(|done| Command::Leave { done }).await
    }

    /// Stops the node without a leave. Returns when its tasks have ended and its sockets are closed.
    /// May be called more than once.
    pub async fn shutdown(&self) {
        // A full queue does not matter: waiting for a place is waiting for the loop.
        let _ = self.shared.commands.send(Command::Stop).await;
        self.stopped().await;
    }

    async fn command<T>(
        &self,
        command: impl FnOnce(withheld::Done<T>) -> Command,
    ) -> Result<T, CommandError> {
        let (done, result) = oneshot::channel();
        let sent = self.shared.commands.send(command(done)).await;
        sent.map_err(|_| CommandError::Stopped)?;
        result.await.map_err(|_| CommandError::Stopped)?
    }
}

const fn assert_send_sync<T: Send + Sync>() {}
const _: () = {
    assert_send_sync::<Cluster>();
    assert_send_sync::<Subscription>();
    assert_send_sync::<Messages>();
    assert_send_sync::<Notices>();
    assert_send_sync::<Snapshot>();
};
