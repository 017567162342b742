//! What must hold after every step, whatever the network does: the invariants of
//! `docs/PROTOCOL.md`, section 13, by their numbers.

mod agree;
mod events;
mod packets;
mod storms;
mod suspicions;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use swim_membership::Instant;
use swim_proto::{Claim, ClusterName, Incarnation, NodeId, State};
use swimmer::Member;
use swimmer::node::{Node, Stats};

use crate::names::Names;
use events::Views;
use packets::Packets;
use storms::Sent;
use suspicions::Suspicions;

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
    /// How often its user told it something that may raise it, or its clock leapt over the time
    /// between two raises.
    commands: u64,
    /// How many of the commands were looked at.
    commands_seen: u64,
    /// What it holds of others.
    claims: BTreeMap<NodeId, Claim>,
    /// What it has told its user of others.
    views: Views,
    suspicions: Suspicions,
    sent: Sent,
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
    lives: BTreeMap<u32, Life>,
    words: BTreeMap<NodeId, Word>,
    /// Whether there is somebody who forges.
    pub(crate) liar: bool,
    packets: Packets,
    /// Broadcasts that were begun, by what they say.
    broadcasts: BTreeMap<Vec<u8>, u64>,
    /// What an event of this step has broken.
    broken: Option<String>,
}

impl Checker {
    pub(crate) fn new(name: ClusterName, datagram_bytes_max: usize) -> Self {
        Self {
            lives: BTreeMap::new(),
            words: BTreeMap::new(),
            liar: false,
            packets: Packets::new(name, datagram_bytes_max),
            broadcasts: BTreeMap::new(),
            broken: None,
        }
    }

    pub(crate) fn on_start(&mut self, ix: u32, node: &Node, now: Instant) {
        let claims = node.members().map(|m| (m.id, Claim::new(m.incarnation, m.state))).collect();
        let life = Life {
            started: now,
            own: node.local_claim(),
            raises: 0,
            commands: 0,
            commands_seen: 0,
            views: Views::of(&claims),
            suspicions: Suspicions::default(),
            sent: Sent::default(),
            claims,
        };
        self.lives.insert(ix, life);
        self.hear(node);
    }

    pub(crate) fn on_command(&mut self, ix: u32) {
        if let Some(life) = self.lives.get_mut(&ix) {
            life.commands += 1;
        }
    }

    pub(crate) fn on_jump(&mut self, ix: u32) {
        self.on_command(ix);
    }

    /// What a node has said of itself, for later comparison with what others hold of it.
    fn hear(&mut self, node: &Node) {
        let local = node.local();
        let word = self.words.entry(local.id).or_default();
        word.incarnation = word.incarnation.max(local.incarnation);
        word.records.insert((local.address, local.metadata.to_vec()));
    }

    /// Looks at a node that has just done a step; `local` is its own clock.
    pub(crate) fn after_step(
        &mut self,
        now: Instant,
        local: Instant,
        ix: u32,
        node: &mut Node,
        names: &Names,
    ) -> Result<(), String> {
        node.check();
        self.broken.take().map_or(Ok(()), Err)?;
        self.check_own(now, ix, node)?;
        self.check_views(ix, node, names)?;
        self.check_suspicions(ix, local, node, names)?;
        let stats = node.stats();
        check_bounds(ix, &stats)?;
        self.check_storms(now, ix, &stats)?;
        self.packets.check(ix, node, &stats, names)
    }

    /// I2, I4, I14: a node raises its own number only, never lets it fall, and at most once a
    /// second but for what its user asks; and not while it has left.
    fn check_own(&mut self, now: Instant, ix: u32, node: &Node) -> Result<(), String> {
        let own = node.local_claim();
        let life = self.lives.get_mut(&ix).expect("a host that steps was started");
        let commanded = std::mem::replace(&mut life.commands_seen, life.commands) < life.commands;
        if own == life.own {
            return Ok(());
        }
        if own < life.own && own.incarnation <= life.own.incarnation {
            return Err(format!("h{ix} lets its own claim fall from {:?} to {own:?}", life.own));
        }
        if life.own.state == State::Left && !commanded {
            return Err(format!("h{ix} has left and yet turns from {:?} to {own:?}", life.own));
        }
        if !matches!(own.state, State::Alive | State::Left) {
            return Err(format!("h{ix} believes itself {}", own.state));
        }
        life.raises += u64::from(own.incarnation > life.own.incarnation);
        life.own = own;
        // Its clock may be fast.
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

    /// I1, I2, I3, I9, I13: what is held of others never falls, never says more than its owner
    /// said, and is what the user was told.
    fn check_views(&mut self, ix: u32, node: &mut Node, names: &Names) -> Result<(), String> {
        let life = self.lives.get_mut(&ix).expect("a host that steps was started");
        let (words, liar) = (&self.words, self.liar);
        let mut broken = None;
        let complete = node.drain_changes(|id, member| {
            let before = life.claims.get(&id).copied();
            let result = match &member {
                Some(member) => {
                    let claim = Claim::new(member.incarnation, member.state);
                    life.claims.insert(id, claim);
                    check_change(before, claim, member, words.get(&id), liar)
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
            let told = life.views.compare(id, member.map(|member| member.state));
            if let Err(what) = result.and(told) {
                broken.get_or_insert(format!("h{ix} about {}: {what}", names.id(id)));
            }
        });
        assert!(complete, "changes are drained after every step");
        broken.map_or(Ok(()), Err)
    }

    /// I17: nobody makes a storm.
    fn check_storms(&mut self, now: Instant, ix: u32, stats: &Stats) -> Result<(), String> {
        let life = self.lives.get_mut(&ix).expect("a host that steps was started");
        let (exchanges, datagrams) = self.packets.take_sent();
        life.sent.add(exchanges, datagrams);
        life.sent.check(now, stats.members_held).map_err(|what| format!("h{ix} {what}"))
    }

    /// I11: suspicions run for their time.
    fn check_suspicions(
        &mut self,
        ix: u32,
        local: Instant,
        node: &Node,
        names: &Names,
    ) -> Result<(), String> {
        let life = self.lives.get_mut(&ix).expect("a host that steps was started");
        let checked = life.suspicions.compare(local, node);
        checked.map_err(|(id, what)| format!("h{ix} suspects {}: {what}", names.id(id)))
    }
}

/// I5: queues within their bounds. The tables are looked at by the node itself.
fn check_bounds(ix: u32, stats: &Stats) -> Result<(), String> {
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
