//! What a node tells its user (I13, I12, I14, G5): events follow the states of a member, each once.

use std::collections::BTreeMap;

use swim_membership::Instant;
use swim_proto::limits::ACCUSERS_MAX;
use swim_proto::{Claim, NodeId, State};
use swimmer::{DeathPath, Delivery, Event};

use super::{Checker, Life};
use crate::names::Names;

/// What the user believes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Alive,
    Suspect,
    Dead,
}

/// What the user believes of all members; who was never met, or has left, is not in it.
#[derive(Debug, Default)]
pub(super) struct Views {
    members: BTreeMap<NodeId, View>,
    /// How often each broadcast was delivered.
    delivered: BTreeMap<Vec<u8>, u64>,
}

impl Views {
    /// What somebody knows who was there all the time.
    pub(super) fn of(claims: &BTreeMap<NodeId, Claim>) -> Self {
        let view = |state| match state {
            State::Alive => Some(View::Alive),
            State::Suspect => Some(View::Suspect),
            State::Dead => Some(View::Dead),
            State::Left => None,
        };
        let known = claims.iter().filter_map(|(&id, claim)| Some((id, view(claim.state)?)));
        Self { members: known.collect(), delivered: BTreeMap::new() }
    }

    /// Compares what was told with what the node holds now.
    pub(super) fn compare(&mut self, id: NodeId, held: Option<State>) -> Result<(), String> {
        let view = self.members.get(&id).copied();
        match (held, view) {
            (Some(State::Alive), Some(View::Alive))
            | (Some(State::Suspect), Some(View::Suspect))
            | (Some(State::Dead), Some(View::Dead))
            | (Some(State::Left) | None, None) => Ok(()),
            // Between the dead and the left there is nothing to tell, nor when they are forgotten.
            (Some(State::Left) | None, Some(View::Dead)) => {
                self.members.remove(&id);
                Ok(())
            }
            (Some(State::Dead), None) => {
                self.members.insert(id, View::Dead);
                Ok(())
            }
            (held, view) => Err(format!("it holds it {held:?}, and has told {view:?}")),
        }
    }

    /// Moves on with an event about a member. `buried`: it may have turned from dead to left in this
    /// step, or from left to dead, without a word.
    fn follow(&mut self, id: NodeId, event: &Event, buried: bool) -> Result<(), String> {
        let before = self.members.get(&id).copied();
        let after = match (event, before) {
            (Event::Joined(_), None) => Some(View::Alive),
            (Event::Joined(_), Some(View::Dead)) if buried => Some(View::Alive),
            (Event::Up(_), None) if buried => Some(View::Alive),
            (Event::Up(_), Some(View::Suspect | View::Dead)) => Some(View::Alive),
            (Event::Suspected(_), Some(View::Alive)) => Some(View::Suspect),
            (Event::Down(..), Some(View::Alive | View::Suspect)) => Some(View::Dead),
            (Event::Left(_), Some(View::Alive | View::Suspect)) => None,
            (Event::Updated(_), Some(View::Alive | View::Suspect)) => before,
            _ => return Err(format!("was {before:?} to its user, and then came {event:?}")),
        };
        match after {
            Some(view) => self.members.insert(id, view),
            None => self.members.remove(&id),
        };
        Ok(())
    }
}

impl Checker {
    /// A broadcast is begun.
    pub(crate) fn on_broadcast(&mut self, payload: &[u8]) {
        *self.broadcasts.entry(payload.to_vec()).or_default() += 1;
    }

    pub(crate) fn on_event(&mut self, ix: u32, local: Instant, event: &Event, names: &Names) {
        let Some(life) = self.lives.get_mut(&ix) else { return };
        let result = match event {
            // It hears of others that leave, too, and passes that on.
            Event::Left(member) if life.own.state == State::Left => {
                life.views.follow(member.id, event, false)
            }
            _ if life.own.state == State::Left && life.commands == life.commands_seen => {
                Err("after it had left".into())
            }
            Event::Joined(member)
            | Event::Up(member)
            | Event::Suspected(member)
            | Event::Left(member)
            | Event::Updated(member) => {
                let buried = self.liar || self.packets.bury(member.id);
                life.views.follow(member.id, event, buried)
            }
            Event::Down(member, death) => {
                let own = death.path == DeathPath::Suspicion;
                let in_time = if own { check_death(life, local, member.id) } else { Ok(()) };
                in_time.and(life.views.follow(member.id, event, false))
            }
            Event::Message { delivery: Delivery::Broadcast, payload, .. } => {
                let delivered = life.views.delivered.entry(payload.to_vec()).or_default();
                *delivered += 1;
                match *delivered > self.broadcasts.get(&payload[..]).copied().unwrap_or(0) {
                    true if !self.liar => Err(format!("a broadcast came {delivered} times")),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        };
        if let Err(what) = result {
            let about = subject_of(event).map_or_else(String::new, |id| names.id(id));
            self.broken.get_or_insert(format!("h{ix} tells its user about {about}: {what}"));
        }
    }
}

/// I12: a death that a node declares itself follows a suspicion of some length.
fn check_death(life: &Life, local: Instant, id: NodeId) -> Result<(), String> {
    let Some(suspicion) = life.suspicions.of(id) else {
        return Err("it is declared dead without a suspicion".into());
    };
    let accusers = suspicion.accusers().as_slice().len();
    if !(1..=ACCUSERS_MAX).contains(&accusers) {
        return Err(format!("it is declared dead by {accusers} accusers"));
    }
    let waited = local - suspicion.started();
    if waited < suspicion.times().min {
        return Err(format!("it is declared dead after {waited:?}"));
    }
    Ok(())
}

fn subject_of(event: &Event) -> Option<NodeId> {
    match event {
        Event::Joined(member)
        | Event::Up(member)
        | Event::Suspected(member)
        | Event::Down(member, _)
        | Event::Left(member)
        | Event::Updated(member)
        | Event::Message { from: member, .. }
        | Event::Conflict { local: member, .. }
        | Event::MemberConflict { member, .. } => Some(member.id),
        _ => None,
    }
}
