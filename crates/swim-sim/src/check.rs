//! What must hold after every step, whatever the network does (the invariants I1 to I9 of
//! `docs/PROTOCOL.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use swim_membership::Instant;
use swim_proto::{
    BincodeCodec, Claim, ClusterName, Codec, Datagram, Incarnation, NodeId, Part, State, Subject,
};
use swimmer::Member;
use swimmer::node::{Node, Stats};

use crate::cluster::{Cluster, HostIx};
use crate::host::Condition;

/// An invariant that was broken, and the run that broke it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("seed {seed} at {at}: {what}")]
pub struct Violation {
    /// The seed of the run.
    pub seed: u64,
    /// When.
    pub at: Instant,
    /// What was broken, and by whom.
    pub what: String,
}

/// What one process has shown of itself so far.
#[derive(Debug)]
struct Life {
    started: Instant,
    own: Claim,
    /// How often the incarnation rose.
    raises: u64,
    /// How often its user told it something that raises it.
    commands: u64,
    /// What it holds of others.
    claims: BTreeMap<NodeId, Claim>,
}

/// What the owner of an identity has ever said.
#[derive(Debug, Default)]
struct Word {
    incarnation: Incarnation,
    records: BTreeSet<(SocketAddr, Vec<u8>)>,
}

/// Looks at each node after each step. It keeps what each has held, so that it looks only at what
/// has changed.
#[derive(Debug)]
pub(crate) struct Checker {
    datagram_bytes_max: usize,
    lives: BTreeMap<u32, Life>,
    words: BTreeMap<NodeId, Word>,
    /// Whether there is somebody who forges.
    pub(crate) liar: bool,
    codec: BincodeCodec,
    read: Vec<u8>,
    scratch: Vec<u8>,
    /// Who has sent the datagram of this step, if a stranger, and its length.
    stranger: Option<(SocketAddr, usize)>,
    answered: usize,
    too_long: Option<usize>,
    /// What the datagram of this step says of members that the node holds.
    heard: Vec<(NodeId, Claim)>,
    /// How many unexpected acks the node must have counted after this step.
    unexpected_acks: u64,
}

impl Checker {
    pub(crate) fn new(name: ClusterName, datagram_bytes_max: usize) -> Self {
        Self {
            datagram_bytes_max,
            lives: BTreeMap::new(),
            words: BTreeMap::new(),
            liar: false,
            codec: BincodeCodec::new(name),
            read: Vec::new(),
            scratch: Vec::new(),
            stranger: None,
            answered: 0,
            too_long: None,
            heard: Vec::new(),
            unexpected_acks: 0,
        }
    }

    pub(crate) fn on_start(&mut self, ix: u32, node: &Node, now: Instant) {
        let claims = node.members().map(|m| (m.id, Claim::new(m.incarnation, m.state))).collect();
        let own = node.local_claim();
        self.lives.insert(ix, Life { started: now, own, raises: 0, commands: 0, claims });
        self.hear(node);
    }

    pub(crate) fn on_command(&mut self, ix: u32) {
        if let Some(life) = self.lives.get_mut(&ix) {
            life.commands += 1;
        }
    }

    pub(crate) fn before_datagram(&mut self, node: &Node, from: SocketAddr, bytes: &[u8]) {
        self.stranger = (!has_present(node, from)).then_some((from, bytes.len()));
        self.answered = 0;
        if !self.liar && node.is_running() {
            self.read_datagram(node, bytes);
        }
    }

    /// Notes what the node must have taken from a datagram once it has handled it.
    fn read_datagram(&mut self, node: &Node, bytes: &[u8]) {
        self.read.clear();
        self.read.extend_from_slice(bytes);
        let Ok(packet) = self.codec.decode_datagram(&mut self.read, &mut self.scratch) else {
            return;
        };
        if let Datagram::Ack { seq, .. } = packet.message
            && !node.awaits_ack(seq)
        {
            self.unexpected_acks = node.stats().membership.acks_unexpected + 1;
        }
        let correction = matches!(packet.message, Datagram::Correction);
        for part in packet.parts.map_while(Result::ok) {
            let (subject, incarnation, state) = match part {
                Part::Alive { id, incarnation, .. } => {
                    (Subject::Full(id), incarnation, State::Alive)
                }
                // By a correction a death is looked into first.
                Part::Dead { .. } if correction => continue,
                Part::Suspect { subject, incarnation, .. }
                | Part::Dead { subject, incarnation, .. } => (subject, incarnation, State::Suspect),
                Part::Left { subject, incarnation } => (subject, incarnation, State::Left),
                Part::Broadcast { .. } => continue,
            };
            if let Some((id, _)) = node.find(subject) {
                self.heard.push((id, Claim::new(incarnation, state)));
            }
        }
    }

    pub(crate) fn on_datagram_sent(&mut self, to: SocketAddr, bytes: usize) {
        if bytes > self.datagram_bytes_max {
            self.too_long = Some(bytes);
        }
        if self.stranger.is_some_and(|(from, _)| from == to) {
            self.answered += bytes;
        }
    }

    /// What a node has said of itself, for later comparison with what others hold of it.
    fn hear(&mut self, node: &Node) {
        let local = node.local();
        let word = self.words.entry(local.id).or_default();
        word.incarnation = word.incarnation.max(local.incarnation);
        word.records.insert((local.address, local.metadata.to_vec()));
    }

    pub(crate) fn after_step(
        &mut self,
        now: Instant,
        ix: u32,
        node: &mut Node,
    ) -> Result<(), String> {
        node.check();
        self.check_own(now, ix, node)?;
        self.check_views(ix, node)?;
        let stats = node.stats();
        self.check_bounds(ix, &stats)?;
        self.check_heard(ix, node, &stats)?;
        self.check_answers(ix, node)
    }

    /// I2, I4: a node raises its own number only, never lets it fall, and at most once a second
    /// but for what its user asks.
    fn check_own(&mut self, now: Instant, ix: u32, node: &Node) -> Result<(), String> {
        let own = node.local_claim();
        let life = self.lives.get_mut(&ix).expect("a host that steps was started");
        if own == life.own {
            return Ok(());
        }
        if own < life.own && own.incarnation <= life.own.incarnation {
            return Err(format!("h{ix} lets its own claim fall from {:?} to {own:?}", life.own));
        }
        if !matches!(own.state, State::Alive | State::Left) {
            return Err(format!("h{ix} believes itself {}", own.state));
        }
        life.raises += u64::from(own.incarnation > life.own.incarnation);
        life.own = own;
        let seconds = (now - life.started).as_millis() as u64 * 11 / 10 / 1_000;
        if life.raises > life.commands + seconds + 2 {
            return Err(format!(
                "h{ix} raised its incarnation {} times in {seconds} s",
                life.raises
            ));
        }
        self.hear(node);
        Ok(())
    }

    /// I1, I2, I3: what is held of others never falls, and never says more than its owner said.
    fn check_views(&mut self, ix: u32, node: &mut Node) -> Result<(), String> {
        let life = self.lives.get_mut(&ix).expect("a host that steps was started");
        let (words, liar) = (&self.words, self.liar);
        let mut broken = None;
        let complete = node.drain_changes(|id, member| {
            let before = life.claims.get(&id).copied();
            let result = match member {
                Some(member) => {
                    let claim = Claim::new(member.incarnation, member.state);
                    life.claims.insert(id, claim);
                    check_change(before, claim, &member, words.get(&id), liar)
                }
                None => {
                    life.claims.remove(&id);
                    match before {
                        Some(claim) if claim.state.is_present() => {
                            Err("forgets one present".into())
                        }
                        _ => Ok(()),
                    }
                }
            };
            if let Err(what) = result {
                broken.get_or_insert(format!("h{ix} about {id}: {what}"));
            }
        });
        assert!(complete, "changes are drained after every step");
        broken.map_or(Ok(()), Err)
    }

    /// I5: queues and tables within their bounds.
    fn check_bounds(&mut self, ix: u32, stats: &Stats) -> Result<(), String> {
        if let Some(bytes) = self.too_long.take() {
            return Err(format!("h{ix} sent a datagram of {bytes} bytes"));
        }
        for (what, value, max) in [
            ("updates queued", stats.updates_queued, stats.members_held + 1),
            ("broadcasts queued", stats.broadcasts_queued, 1_024),
            ("exchanges open", stats.exchanges_open, 64),
            ("suspicions", stats.suspicions, stats.members_held),
        ] {
            if value > max {
                return Err(format!("h{ix} has {value} {what}, more than {max}"));
            }
        }
        Ok(())
    }

    /// I8: nothing that was said in time is lost, and an ack counts for its own probe only.
    fn check_heard(&mut self, ix: u32, node: &Node, stats: &Stats) -> Result<(), String> {
        if stats.membership.acks_unexpected < std::mem::take(&mut self.unexpected_acks) {
            return Err(format!("h{ix} took an ack for another probe than its own"));
        }
        for (id, heard) in self.heard.drain(..) {
            if let Some(held) = node.claim(id)
                && held < heard
            {
                return Err(format!("h{ix} was told {heard:?} of {id} and holds {held:?}"));
            }
        }
        Ok(())
    }

    /// I6: a stranger gets no more than it has sent.
    fn check_answers(&mut self, ix: u32, node: &Node) -> Result<(), String> {
        let Some((from, bytes)) = self.stranger.take() else { return Ok(()) };
        // The datagram itself may have said who its sender is.
        if self.answered > bytes && !has_present(node, from) {
            let answered = self.answered;
            return Err(format!("h{ix} answered {bytes} bytes of a stranger with {answered}"));
        }
        Ok(())
    }
}

fn has_present(node: &Node, address: SocketAddr) -> bool {
    node.members().any(|member| member.state.is_present() && member.address == address)
}

fn check_change(
    before: Option<Claim>,
    claim: Claim,
    member: &Member,
    word: Option<&Word>,
    liar: bool,
) -> Result<(), String> {
    if before.is_some_and(|before| claim < before) {
        return Err(format!("a claim falls from {before:?} to {claim:?}"));
    }
    if liar {
        return Ok(());
    }
    let Some(word) = word else { return Err("is nobody who ever ran".into()) };
    if claim.incarnation > word.incarnation {
        return Err(format!("{claim:?} was never said by its owner: {}", word.incarnation));
    }
    if !word.records.contains(&(member.address, member.metadata.to_vec())) {
        return Err("has a record that its owner never made".into());
    }
    Ok(())
}

impl Cluster {
    /// Who of the members sees what otherwise than it is (I7), or `None`: all agree.
    pub fn disagreement(&self) -> Option<String> {
        let honest = |ix: &HostIx| self.liar != Some(*ix);
        let running: Vec<_> =
            self.hosts().filter(honest).filter(|&ix| self.is_member(ix)).collect();
        let truth: BTreeMap<NodeId, Member> = running
            .iter()
            .filter_map(|&ix| self.node(ix).map(Node::local))
            .map(|local| (local.id, local))
            .collect();
        for &observer in &running {
            if self.condition(observer) != Condition::Running {
                continue;
            }
            let Some(node) = self.node(observer) else { continue };
            let held: BTreeMap<NodeId, Member> = node
                .members()
                .filter(|member| member.state.is_present())
                .map(|member| (member.id, member))
                .collect();
            let own = node.local_claim();
            let expected = truth.iter().filter(|(id, _)| **id != self.id(observer));
            for (id, member) in expected {
                let of = self.host_with(*id);
                match held.get(id) {
                    None => return Some(format!("h{} misses {of}", observer.0)),
                    Some(held) if held != member => {
                        let (is, seen) = (member.incarnation, held.incarnation);
                        let state = held.state;
                        return Some(format!(
                            "h{} holds {of} {state} #{seen}, not alive #{is}",
                            observer.0
                        ));
                    }
                    Some(_) => {}
                }
            }
            let ghost = held.keys().find(|id| !truth.contains_key(id));
            if let (Some(ghost), None) = (ghost, self.liar) {
                let of = self.host_with(*ghost);
                return Some(format!("h{} (at {own:?}) holds the ghost {of}", observer.0));
            }
        }
        self.different_digest(&running)
    }

    /// Who has another digest than the first though it sees the same (I16).
    fn different_digest(&self, agreeing: &[HostIx]) -> Option<String> {
        if self.liar.is_some() {
            return None;
        }
        let mut nodes = agreeing.iter().filter(|&&ix| self.condition(ix) == Condition::Running);
        let digest = |ix: &HostIx| self.node(*ix).map(Node::digest);
        let first = nodes.next().and_then(digest);
        let other = nodes.find(|ix| digest(ix) != first)?;
        Some(format!("h{} sees what all see, and has another digest", other.0))
    }

    fn host_with(&self, id: NodeId) -> String {
        let found = self.hosts().find(|&ix| self.id(ix) == id);
        found.map_or_else(|| id.to_string(), |ix| format!("h{}", ix.0))
    }
}
