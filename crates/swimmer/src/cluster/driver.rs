//! The loop: wait, take input, do what the node says, until it says wait.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use swim_membership::{Instant, Now};
use swim_proto::{NodeId, RecordError};
use swim_transport::{Batch, Incoming, Responder, Transport};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant as Clock, sleep, sleep_until, timeout_at};

use super::clock::Clocks;
use super::data_folder::DataFolder;
use super::joining::{JoinPolicy, Waiters};
use super::machine::Machine;
use super::messages::Inbox;
use super::mirror::{Mirror, Progress};
use super::notices::NoticeBoard;
use super::roaming::Roaming;
use super::seeds::{Finder, Found, Seeds};
use super::withheld::{Done, Withheld};
use super::{CommandError, LeaveReport};
use crate::event::{Event, Message, Notice};
use crate::node::{
    Answer, Completion, ExchangeId, Node, OfferId, Output, RequestId, SavedState, SendId,
    SendOutcome, Taken,
};

/// Commands that wait for the loop; more make their callers wait.
pub(super) const COMMANDS_MAX: usize = 64;
/// Datagrams taken before the node's outputs are done.
const BATCH: usize = 32;
/// The longest datagram that is taken.
const DATAGRAM_BYTES: usize = 65_535;
/// To so many members a route is looked for when this machine has another address.
const MEMBERS_ASKED: usize = 8;
/// How long to rest when a plane fails.
const REST: Duration = Duration::from_millis(20);

/// What a handle asks of the loop.
pub(super) enum Command {
    SetMetadata { metadata: Vec<u8>, done: Done<()> },
    SetAdvertise { address: SocketAddr, done: Done<()> },
    Broadcast { payload: Vec<u8>, done: Done<()> },
    Send { to: NodeId, payload: Vec<u8>, done: Done<()> },
    SendReliable { to: NodeId, payload: Vec<u8>, done: Done<()> },
    Join { seeds: Seeds, policy: JoinPolicy, done: Done<()> },
    Leave { done: Done<LeaveReport> },
    Stop,
}

/// What has come of an exchange, as the transport says it.
type Reply = std::io::Result<Option<Vec<u8>>>;

/// One thing that came in.
enum Input {
    Datagrams(std::io::Result<()>),
    Request(std::io::Result<Incoming>),
    Replied(ExchangeId, Reply),
    Command(Option<Command>),
    Seeds(Found),
    Saved(Result<(), String>),
    JoinTooLong,
    LookAtMachine,
    Timeout,
}

/// Tells all who wait that the loop has ended, however it did: also when its runtime is gone.
struct Ending {
    mirror: Arc<Mirror>,
    notices: Arc<NoticeBoard>,
    inbox: Arc<Inbox>,
    stopping: watch::Sender<bool>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.mirror.close();
        self.notices.close();
        self.inbox.close();
        self.stopping.send_replace(true);
    }
}

/// The task that owns a node.
pub(super) struct Driver<T> {
    node: Node,
    transport: Arc<T>,
    commands: mpsc::Receiver<Command>,
    mirror: Arc<Mirror>,
    notices: Arc<NoticeBoard>,
    inbox: Arc<Inbox>,
    /// What the node has offered in this turn.
    offers: Vec<(OfferId, Message)>,
    /// Holds the lock of the data folder; so does whoever writes there.
    folder: Option<Arc<DataFolder>>,
    /// The write under way, one at most.
    saving: JoinSet<Result<(), String>>,
    saved: Option<SavedState>,
    ending: Ending,
    clocks: Clocks,
    exchanges: JoinSet<(ExchangeId, Reply)>,
    responders: BTreeMap<RequestId, Responder>,
    next_request: u64,
    leaves: Vec<Done<LeaveReport>>,
    sends: HashMap<SendId, Done<()>>,
    events: Vec<Event>,
    withheld: Withheld,
    seeds: mpsc::Receiver<Found>,
    resolver: Option<JoinHandle<()>>,
    first_join: (Seeds, JoinPolicy, Done<()>),
    joins: Waiters,
    /// Whether nobody has answered yet, and of some seed no address was looked for, or of none one was
    /// found.
    unresolved: bool,
    /// Follows the addresses of the machine, if this node listens on all of them.
    roaming: Option<Roaming>,
    wake_at: Instant,
}

impl<T: Transport> Driver<T> {
    // One call, from the builder, which has each of them at hand.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn new(
        node: Node,
        transport: Arc<T>,
        commands: mpsc::Receiver<Command>,
        mirror: Arc<Mirror>,
        notices: Arc<NoticeBoard>,
        inbox: Arc<Inbox>,
        folder: Option<DataFolder>,
        stopping: watch::Sender<bool>,
        first_join: (Seeds, JoinPolicy, Done<()>),
    ) -> Self {
        Self {
            node,
            transport,
            commands,
            ending: Ending {
                mirror: Arc::clone(&mirror),
                notices: Arc::clone(&notices),
                inbox: Arc::clone(&inbox),
                stopping,
            },
            mirror,
            notices,
            inbox,
            offers: Vec::new(),
            folder: folder.map(Arc::new),
            saving: JoinSet::new(),
            saved: None,
            clocks: Clocks::start(),
            exchanges: JoinSet::new(),
            responders: BTreeMap::new(),
            next_request: 0,
            leaves: Vec::new(),
            sends: HashMap::new(),
            events: Vec::new(),
            withheld: Withheld::default(),
            seeds: mpsc::channel(1).1,
            resolver: None,
            first_join,
            joins: Waiters::default(),
            unresolved: false,
            roaming: None,
            wake_at: Instant::NEVER,
        }
    }

    /// Has the node take up the addresses of its machine.
    pub(super) fn follow(&mut self, roaming: Roaming) {
        self.node.handle_interfaces(self.clocks.now(), &roaming.machine().addresses);
        self.roaming = Some(roaming);
    }

    /// Runs until it is told to stop or nobody holds a handle any more.
    pub(super) async fn run(mut self) {
        self.drain().await;
        // The first numbers are kept before anybody hears of them.
        if let Some(saved) = self.saving.join_next().await {
            let now = self.clocks.now();
            self.handle_saved(now, outcome(saved));
        }
        let (nothing, _) = oneshot::channel();
        let first = (Seeds::default(), JoinPolicy::default(), nothing);
        let (seeds, policy, done) = std::mem::replace(&mut self.first_join, first);
        self.join(seeds, policy, done);
        self.drain().await;
        let mut batch = Batch::new(BATCH, DATAGRAM_BYTES);
        loop {
            let input = self.input(&mut batch).await;
            if !self.handle(input, &mut batch).await {
                break;
            }
            self.drain().await;
        }
        self.stop().await;
    }

    /// Waits for what comes first. What is due and what was asked by the user go before the
    /// network, which could keep the loop busy for ever.
    async fn input(&mut self, batch: &mut Batch) -> Input {
        let timeout = sleep_until(self.clocks.at(self.wake_at));
        let join_until = self.joins.deadline();
        let join_too_long = async {
            match join_until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let look_at = self.roaming.as_ref().map(Roaming::deadline);
        let look = async {
            match look_at {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            command = self.commands.recv() => Input::Command(command),
            () = timeout => Input::Timeout,
            Some(replied) = self.exchanges.join_next() => match replied {
                Ok((id, reply)) => Input::Replied(id, reply),
                // Exchanges are neither aborted while the loop runs, nor do they panic; the
                // node's own deadline would end one that did.
                Err(_) => Input::Timeout,
            },
            Some(found) = self.seeds.recv() => Input::Seeds(found),
            Some(saved) = self.saving.join_next() => Input::Saved(outcome(saved)),
            () = join_too_long => Input::JoinTooLong,
            () = look => Input::LookAtMachine,
            input = from_network(&*self.transport, batch) => input,
        }
    }

    /// Hands an input to the node. Returns whether the loop goes on.
    async fn handle(&mut self, input: Input, batch: &mut Batch) -> bool {
        let now = self.clocks.now();
        match input {
            Input::Datagrams(Ok(())) => self.on_datagrams(now, batch).await,
            Input::Request(Ok(incoming)) => self.on_request(now, incoming),
            Input::Datagrams(Err(_)) | Input::Request(Err(_)) => {
                self.mirror.count(|counters| counters.receives_failed += 1);
                sleep(REST).await;
            }
            Input::Replied(id, mut reply) => self.node.handle_reply(now, id, answer(&mut reply)),
            Input::Command(Some(command)) => return self.on_command(now, command),
            Input::Command(None) => return false,
            Input::Seeds(found) => self.on_seeds(now, &found),
            Input::Saved(result) => self.handle_saved(now, result),
            Input::JoinTooLong => self.on_join_too_long(now),
            Input::LookAtMachine => self.look_at_machine(now),
            Input::Timeout => {}
        }
        if now.monotonic >= self.wake_at {
            self.node.handle_timeout(now);
        }
        true
    }

    async fn on_datagrams(&mut self, now: Now, batch: &mut Batch) {
        for (from, bytes) in batch.iter_mut() {
            self.node.handle_datagram(now, from, bytes);
            self.act().await;
        }
    }

    fn on_request(&mut self, now: Now, incoming: Incoming) {
        let Incoming { from, mut frame, responder } = incoming;
        self.next_request += 1;
        let id = RequestId(self.next_request);
        self.responders.insert(id, responder);
        self.node.handle_request(now, from, id, &mut frame);
    }

    fn on_command(&mut self, now: Now, command: Command) -> bool {
        match command {
            Command::SetMetadata { metadata, done } => {
                let result: Result<(), RecordError> = self.node.set_metadata(now, &metadata);
                self.withheld.command(done, result.map_err(CommandError::from));
            }
            Command::SetAdvertise { address, done } => {
                let result = self.set_advertise(now, address);
                self.withheld.command(done, result);
            }
            Command::Broadcast { payload, done } => {
                let result = self.node.broadcast(now, &payload);
                self.withheld.command(done, result.map_err(CommandError::from));
            }
            Command::Send { to, payload, done } => {
                let result = self.node.send(now, to, &payload);
                self.withheld.command(done, result.map_err(CommandError::from));
            }
            Command::SendReliable { to, payload, done } => {
                match self.node.send_reliable(now, to, &payload) {
                    Ok(id) => drop(self.sends.insert(id, done)),
                    Err(error) => self.withheld.command(done, Err(error.into())),
                }
            }
            Command::Join { seeds, policy, done } => self.join(seeds, policy, done),
            Command::Leave { done } => {
                self.stop_resolving();
                self.joins.end(&Err(CommandError::NotJoined), &mut self.withheld);
                self.leaves.push(done);
                self.node.leave(now);
            }
            Command::Stop => return false,
        }
        true
    }

    /// Begins to join by these seeds. Addresses are tried at once; those of names come from a task
    /// that looks them up.
    fn join(&mut self, seeds: Seeds, policy: JoinPolicy, done: Done<()>) {
        self.stop_resolving();
        // It replaces an earlier join, and whoever waits for that one.
        self.joins.end(&Err(CommandError::NotJoined), &mut self.withheld);
        let now = self.clocks.now();
        self.node.join(now, &[]);
        if !seeds.is_empty() {
            self.unresolved = true;
            let listen = self.transport.local_addr();
            // Whoever looks names up does not keep the transport from ending.
            let transport = Arc::downgrade(&self.transport);
            let reaches = move |to| transport.upgrade().is_some_and(|it| it.reaches(to));
            let finder = Finder::new(seeds, listen, reaches, Arc::clone(&self.notices));
            self.on_seeds(now, &finder.found());
            if !finder.is_done() {
                let (sink, receiver) = mpsc::channel(1);
                self.seeds = receiver;
                self.resolver = Some(tokio::spawn(finder.run(sink)));
            }
        }
        self.joins.add(policy, done, &mut self.withheld);
    }

    fn on_seeds(&mut self, now: Now, found: &Found) {
        if found.addresses.is_empty() {
            // There is none yet.
        } else if self.unresolved {
            self.node.join(now, &found.addresses);
            // The only one so far may be this node itself: then others are waited for.
            self.unresolved = !found.complete;
        } else {
            self.node.update_seeds(now, &found.addresses);
        }
    }

    /// An address that the user gives stays, whatever the machine does.
    fn set_advertise(&mut self, now: Now, address: SocketAddr) -> Result<(), CommandError> {
        if !self.transport.reaches(address) {
            return Err(CommandError::Family(address));
        }
        self.node.set_address(now, address)?;
        self.node.handle_interfaces(now, &[]);
        self.roaming = None;
        Ok(())
    }

    fn look_at_machine(&mut self, now: Now) {
        let Some(roaming) = &mut self.roaming else { return };
        if !roaming.look(Machine::look()) {
            return;
        }
        self.node.handle_interfaces(now, &roaming.machine().addresses);
        let present = self.node.members().filter(|member| member.state.is_present());
        let members = present.map(|member| member.address).take(MEMBERS_ASKED).collect();
        let (listen, advertised) = (self.transport.local_addr(), self.node.local().address);
        if let Some(address) = roaming.replace(listen, advertised, members) {
            // It is one of the machine's interfaces, so that it makes a record.
            let _ = self.node.move_to(now, address);
        }
    }

    fn progress(&self) -> Progress {
        Progress {
            joined: self.node.is_joined() && !self.unresolved,
            synced: self.node.is_synced(),
            present: self.node.present(),
            left: !self.node.is_running(),
            stopped: false,
        }
    }

    fn on_join_too_long(&mut self, now: Now) {
        if self.joins.expire(Clock::now(), &mut self.withheld) {
            self.stop_resolving();
            self.node.join(now, &[]);
        }
    }

    fn handle_saved(&mut self, now: Now, result: Result<(), String>) {
        if result.is_err() {
            self.saved = None;
        }
        self.node.handle_persisted(now, result);
    }

    fn stop_resolving(&mut self) {
        self.unresolved = false;
        if let Some(resolver) = self.resolver.take() {
            resolver.abort();
        }
        self.seeds = mpsc::channel(1).1;
    }

    /// Does what the node wants, publishes what has changed, and then answers.
    async fn drain(&mut self) {
        self.act().await;
        self.mirror.publish(&mut self.node, &mut self.events);
        if !self.offers.is_empty() {
            self.offer();
            // What became of the messages is to be told to their senders.
            self.act().await;
        }
        // Requests without an answer by now get none.
        self.responders.clear();
        let progress = self.progress();
        self.mirror.note_progress(progress);
        if progress.joined {
            self.joins.end(&Ok(()), &mut self.withheld);
        }
        self.withheld.release(&self.notices);
    }

    /// Does what the node wants, to its last word.
    async fn act(&mut self) {
        self.wake_at = loop {
            match self.node.poll_output() {
                Output::Datagram { to, payload } => {
                    // The network may lose it anyway: whoever misses it will ask again.
                    if self.transport.send_to(payload, to).await.is_err() {
                        self.mirror.count(|counters| counters.datagrams_unsent += 1);
                    }
                }
                Output::Exchange { id, to, request, deadline } => {
                    let request = request.to_vec();
                    self.start_exchange(id, to, request, deadline);
                }
                Output::Reply { id, frame } => {
                    if let Some(responder) = self.responders.remove(&id) {
                        self.withheld.reply(responder, frame.to_vec());
                    }
                }
                Output::Event(event) => self.events.push(event),
                Output::Message { id, message } => self.offers.push((id, message)),
                Output::Notice(notice) => {
                    if matches!(notice, Notice::JoinedBy { .. }) {
                        self.unresolved = false;
                    }
                    self.withheld.notice(notice);
                }
                Output::Persist(state) => self.start_saving(state),
                Output::Completed(completion) => self.on_completed(completion),
                Output::Wait(at) => break at,
            }
        };
    }

    /// Offers the messages of this turn to their readers, who find their senders among the members.
    fn offer(&mut self) {
        for (id, message) in std::mem::take(&mut self.offers) {
            let taken = self.inbox.offer(message);
            self.mirror.count(|counters| match taken {
                Taken::Taken => {}
                Taken::NoReader => counters.messages_no_reader += 1,
                Taken::NoRoom => counters.messages_no_room += 1,
            });
            self.node.handle_offered(id, taken);
        }
    }

    /// Disks may take their time, so the loop does not wait for them.
    fn start_saving(&mut self, state: SavedState) {
        let Some(folder) = self.folder.clone() else { return };
        self.saved = Some(state.clone());
        self.saving.spawn_blocking(move || folder.save(&state).map_err(|error| error.to_string()));
    }

    /// The last write: what has changed since the one before.
    async fn finish_saving(&mut self) {
        if let Some(saved) = self.saving.join_next().await
            && outcome(saved).is_err()
        {
            self.saved = None;
        }
        if let Some(state) = self.node.state_to_save()
            && self.saved.as_ref() != Some(&state)
        {
            self.start_saving(state);
            self.saving.join_next().await;
        }
    }

    fn start_exchange(&mut self, id: ExchangeId, to: SocketAddr, request: Vec<u8>, at: Instant) {
        let (transport, deadline) = (Arc::clone(&self.transport), self.clocks.at(at));
        self.exchanges.spawn(async move {
            let reply = timeout_at(deadline, transport.exchange(to, request)).await;
            (id, reply.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())))
        });
    }

    fn on_completed(&mut self, completion: Completion) {
        match completion {
            Completion::Left { acknowledged, told } => {
                for done in self.leaves.drain(..) {
                    self.withheld.leave(done, LeaveReport { acknowledged, told });
                }
            }
            Completion::Sent { id, outcome } => {
                if let Some(done) = self.sends.remove(&id) {
                    self.withheld.command(done, result_of(outcome));
                }
            }
        }
    }

    async fn stop(mut self) {
        self.stop_resolving();
        self.exchanges.shutdown().await;
        self.responders.clear();
        self.mirror.keep_transport(self.transport.counters());
        self.transport.close().await;
        self.finish_saving().await;
        drop(self.transport);
        drop(self.folder.take());
        self.commands.close();
        drop(self.ending);
    }
}

fn result_of(outcome: SendOutcome) -> Result<(), CommandError> {
    match outcome {
        SendOutcome::Taken => Ok(()),
        SendOutcome::NoReader => Err(CommandError::NoReader),
        SendOutcome::NoRoom => Err(CommandError::NoRoom),
        SendOutcome::Unanswered => Err(CommandError::NotDelivered),
    }
}

fn answer(reply: &mut Reply) -> Answer<'_> {
    match reply {
        Ok(Some(frame)) => Answer::Frame(frame),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Answer::Refused,
        Ok(None) | Err(_) => Answer::Nothing,
    }
}

/// What has come of a write. One that was broken off has failed.
fn outcome(saved: Result<Result<(), String>, JoinError>) -> Result<(), String> {
    saved.unwrap_or_else(|error| Err(error.to_string()))
}

/// What comes first on either plane; where both have something, either, so that neither plane can
/// keep the other waiting for ever.
async fn from_network<T: Transport>(transport: &T, batch: &mut Batch) -> Input {
    tokio::select! {
        request = transport.accept() => Input::Request(request),
        received = transport.recv_batch(batch) => Input::Datagrams(received),
    }
}
