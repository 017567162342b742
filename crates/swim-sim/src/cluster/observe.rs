//! What hosts see of each other.

use swim_membership::Instant;
use swim_proto::NodeId;
use swimmer::{Event, Message, Notice};

use super::{Cluster, HostIx};

/// A change that one host saw in another: what experiments measure by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When.
    pub at: Instant,
    /// Who saw it.
    pub observer: HostIx,
    /// About whom.
    pub subject: NodeId,
    /// What.
    pub change: Seen,
}

/// A process that has crashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Instant,
    /// Where it ran.
    pub host: HostIx,
    /// Its identity.
    pub id: NodeId,
}

/// A leave that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// When.
    pub at: Instant,
    /// Who has left.
    pub host: HostIx,
    /// How many lasting members have acknowledged it.
    pub acknowledged: u32,
}

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// Newly present.
    Joined,
    /// Alive again.
    Up,
    /// Suspected.
    Suspected,
    /// Held dead; whether by the observer's own suspicion that ran out.
    Down {
        /// Else it was told.
        own: bool,
    },
    /// It left.
    Left,
    /// Its record changed.
    Updated,
    /// Two processes use its id.
    Conflict,
    /// A message of it came.
    Message,
    /// Round trips are too long for its preset. The observer is the subject.
    SlowNetwork,
    /// Of two processes with its id, it has started later. The observer is the subject.
    StartedLater,
}

impl Cluster {
    pub(super) fn note_end(&mut self, host: HostIx) {
        if self.observing {
            self.ended.push(Ended { at: self.now, host, id: self.id(host) });
        }
    }

    pub(super) fn on_event(&mut self, ix: u32, event: &Event) {
        let (subject, change) = match event {
            Event::Joined(member) => (member, Seen::Joined),
            Event::Up(member) => (member, Seen::Up),
            Event::Suspected(member) => (member, Seen::Suspected),
            Event::Down(member, death) => {
                let own = death.path == swimmer::DeathPath::Suspicion;
                (member, Seen::Down { own })
            }
            Event::Left(member) => (member, Seen::Left),
            Event::Updated(member) => (member, Seen::Updated),
            Event::Message { from, .. } => (from, Seen::Message),
            Event::Conflict { local: member, .. } | Event::MemberConflict { member, .. } => {
                (member, Seen::Conflict)
            }
            _ => return,
        };
        if let Some(checker) = &mut self.checker {
            let local = self.hosts[ix as usize].skew.local(self.now);
            checker.on_event(ix, local, event, &self.names);
        }
        let who = self.names.id(subject.id);
        let number = subject.incarnation;
        self.transcript.event(self.now, format_args!("h{ix} sees {who} #{number} {change}"));
        self.note_seen(ix, subject.id, change);
    }

    pub(super) fn on_message(&mut self, ix: u32, message: &Message) {
        let from = &message.from;
        let who = self.names.id(from.id);
        let number = from.incarnation;
        self.transcript
            .event(self.now, format_args!("h{ix} sees {who} #{number} {}", Seen::Message));
        self.note_seen(ix, from.id, Seen::Message);
    }

    pub(super) fn on_notice(&mut self, ix: u32, notice: &Notice) {
        let change = match notice {
            Notice::SlowNetwork { round_trip, .. } => {
                let millis = round_trip.as_millis();
                self.transcript.event(self.now, format_args!("h{ix} finds {millis} ms too long"));
                Seen::SlowNetwork
            }
            Notice::StartedLater { .. } => {
                self.transcript.event(self.now, format_args!("h{ix} has started later"));
                Seen::StartedLater
            }
            _ => return,
        };
        self.note_seen(ix, self.id(HostIx(ix)), change);
    }

    fn note_seen(&mut self, ix: u32, subject: NodeId, change: Seen) {
        if self.observing {
            let at = self.now;
            self.observations.push(Observation { at, observer: HostIx(ix), subject, change });
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Joined => "joined",
            Self::Up => "up",
            Self::Suspected => "suspected",
            Self::Down { own: true } => "down",
            Self::Down { own: false } => "down (told)",
            Self::Left => "left",
            Self::Updated => "updated",
            Self::Conflict => "in conflict",
            Self::Message => "speak",
            Self::SlowNetwork => "on a slow network",
            Self::StartedLater => "started later",
        })
    }
}
