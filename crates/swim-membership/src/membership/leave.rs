//! Leaving (L1, L2): telling it, hearing that others leave, too, and coming back.

use alloc::vec::Vec;
use core::net::SocketAddr;

use swim_proto::{Datagram, Incarnation, NodeId, Seq, State, Subject};

use super::{Membership, Source};
use crate::action::{Action, Ask, Tell, Via, Who};
use crate::leaving::Leaving;
use crate::relay::Relays;
use crate::table::MemberIx;
use crate::time::Instant;

/// A node that leaves tells of so many others that have just left.
const YOUNG_MAX: usize = 256;
/// Seeds that are told while no seed has answered, members included.
const SEEDS_TOLD_MAX: usize = 5;

impl Membership {
    /// Ends this life (L1). Peers are told, and [`Action::Left`] says how many that last know of it.
    /// A node that has left already stays so.
    pub fn leave(&mut self, now: Instant) {
        if self.local.state == State::Left {
            if self.leaving.is_none() {
                self.actions.push_back(Action::Left { acknowledged: 0, told: 0 });
            }
            return;
        }
        self.local.advance(State::Left);
        let mut leaving = Leaving::new(now, self.config.leave_timeout());
        self.add_members(&mut leaving);
        self.add_seeds(&mut leaving);
        self.seeds.stop();
        self.known.stop();
        self.stop_watching();
        self.tell_young_leaves(now);
        self.leaving = Some(leaving);
        self.on_leaving_due(now);
    }

    /// Whether this node is leaving, or has left.
    pub fn has_left(&self) -> bool {
        self.local.state == State::Left
    }

    /// Members that have left a moment ago may count on this node to tell it, so it passes that on.
    fn tell_young_leaves(&mut self, now: Instant) {
        let (age, young) = (self.config.tombstone_age(), self.config.leave_timeout() * 2);
        let table = &self.table;
        let is_left = |ix| table.held(ix).claim().state == State::Left;
        let by_age = self.tombstones.latest_first();
        let recent = by_age.take_while(|&(until, _)| until + young >= now + age);
        let left = recent.map(|(_, ix)| ix).filter(|&ix| is_left(ix)).take(YOUNG_MAX);
        let news = left.map(|ix| Action::News { who: Who::Member(ix), urgent: true });
        self.actions.extend(news);
    }

    /// Tells further present members, as many as the leave wants now.
    fn add_members(&mut self, leaving: &mut Leaving) {
        let mut members = core::mem::take(&mut self.scratch);
        let (table, places, own) = (&self.table, &self.places, self.local.address());
        let eligible = |ix: MemberIx| {
            let address = table.held(ix).record().address();
            places.leads(own, address) && !leaving.is_told(address)
        };
        table.choose_present(leaving.wanted(), &mut self.rng, eligible, &mut members);
        for ix in members.drain(..) {
            // Two members may be said to be at one address.
            if !leaving.is_told(self.address(ix)) {
                leaving.add(self.probes.next_seq(), self.address(ix), true);
            }
        }
        self.scratch = members;
    }

    /// While nobody has answered the join, one that was asked and has not refused may have taken this
    /// node in already.
    fn add_seeds(&mut self, leaving: &mut Leaving) {
        let room = leaving.wanted().min(SEEDS_TOLD_MAX);
        let asked = self.seeds.unclear().chain(self.known.asked());
        let asked = asked.filter(|&seed| !leaving.is_told(seed));
        let seeds: Vec<SocketAddr> = asked.take(room).collect();
        for seed in seeds {
            leaving.add(self.probes.next_seq(), seed, false);
        }
    }

    /// A node that has left probes, relays and suspects nobody.
    fn stop_watching(&mut self) {
        self.probes.clear();
        self.relays = Relays::default();
        self.probe_at = Instant::NEVER;
        self.isolation.end_report();
        // The suspicions are kept, not executed: the next life goes on with them.
    }

    pub(super) fn on_leaving_due(&mut self, now: Instant) {
        let Some(mut leaving) = self.leaving.take() else { return };
        if now < leaving.deadline() {
            self.leaving = Some(leaving);
            return;
        }
        let over = leaving.is_over(now);
        if !over {
            self.add_members(&mut leaving);
        }
        let over = over || leaving.is_idle();
        if !over {
            self.tell_leave(now, &mut leaving);
        }
        self.leaving = Some(leaving);
        if over {
            self.finish_leave();
        }
    }

    /// The leave carries what this node knows of others that leave.
    fn tell_leave(&mut self, now: Instant, leaving: &mut Leaving) {
        let (incarnation, until) = (self.local.incarnation, leaving.until());
        for telling in leaving.begin_round(now) {
            let (seq, to) = (telling.seq, telling.to);
            let tell = if telling.member { Tell::News } else { Tell::Nothing };
            self.send_leave(to, seq, tell);
            if telling.reliably {
                let ask = Ask::Leave { seq, incarnation, until };
                self.actions.push_back(Action::Exchange { to, ask });
            }
        }
    }

    fn send_leave(&mut self, to: SocketAddr, seq: Seq, tell: Tell) {
        let (id, incarnation) = (self.local.id, self.local.incarnation);
        self.send(to, Datagram::Leave { seq, id, incarnation }, tell);
    }

    /// Ends the leave if nobody is left to be told.
    fn end_leave_if_told(&mut self, now: Instant) {
        let Some(mut leaving) = self.leaving.take() else { return };
        let enough = leaving.is_over(now);
        if !enough && leaving.is_idle() {
            // Others than those that have answered may be there; they are told with the next round.
            self.add_members(&mut leaving);
        }
        let over = enough || leaving.is_idle();
        self.leaving = Some(leaving);
        if over {
            self.finish_leave();
        }
    }

    /// A leave-ack has come, or an ack to a leave over the reliable plane.
    pub fn handle_leave_ack(&mut self, now: Instant, seq: Seq) {
        if let Some(leaving) = &mut self.leaving {
            leaving.on_acknowledged(seq);
            self.end_leave_if_told(now);
        }
    }

    /// Whom this node has told over the reliable plane leaves, too, or its process has ended.
    pub fn handle_leave_refused(&mut self, now: Instant, seq: Seq) {
        if let Some(leaving) = &mut self.leaving {
            leaving.on_refused(seq);
            self.end_leave_if_told(now);
        }
    }

    pub(super) fn finish_leave(&mut self) {
        if let Some(leaving) = self.leaving.take() {
            let (acknowledged, told) = leaving.outcome();
            self.actions.push_back(Action::Left { acknowledged, told });
        }
    }

    /// What a node that leaves, or has left, still hears (L1): who has its leave, and who leaves too.
    pub(super) fn handle_datagram_left(
        &mut self,
        now: Instant,
        from: SocketAddr,
        message: &Datagram<'_>,
    ) {
        match *message {
            Datagram::LeaveAck { seq } => self.handle_leave_ack(now, seq),
            Datagram::Leave { id, incarnation, .. } => {
                self.on_leave_of_another(now, from, id, incarnation);
            }
            Datagram::Ping { target, .. } if target == self.local.tiny => self.on_ping_left(from),
            _ => {}
        }
    }

    /// Another leaves, too. It does not last, so it is not waited for; and it is told that this node
    /// does not either.
    fn on_leave_of_another(
        &mut self,
        now: Instant,
        from: SocketAddr,
        id: NodeId,
        incarnation: Incarnation,
    ) {
        let Some(leaver) = self.table.find(id) else { return };
        let address = self.address(leaver);
        let was_present = self.table.held(leaver).claim().state.is_present();
        let source = Source { address: from, via: Via::Gossip };
        self.on_left(now, source, Subject::Full(id), incarnation);
        // It is believed: else anybody could make this node send, in that member's name.
        let has_left = !self.table.held(leaver).claim().state.is_present();
        let tell = if was_present && has_left { Tell::News } else { Tell::NoLonger };
        if let Some(leaving) = &mut self.leaving
            && leaving.on_told_in_passing(address)
        {
            let seq = self.probes.next_seq();
            self.send_leave(address, seq, tell);
        }
        self.end_leave_if_told(now);
    }

    /// A member that has not heard of the leave yet asks whether this node is there.
    fn on_ping_left(&mut self, from: SocketAddr) {
        if self.present_with(from).is_some() {
            let seq = self.probes.next_seq();
            self.send_leave(from, seq, Tell::Nothing);
        }
    }

    /// A member has left. A node that leaves does not wait for it.
    pub(super) fn on_member_left(&mut self, ix: MemberIx) {
        let Some(mut leaving) = self.leaving.take() else { return };
        let address = self.address(ix);
        if self.present_with(address).is_none() {
            leaving.on_left(address);
        }
        self.leaving = Some(leaving);
    }

    /// A peer leaves, in a datagram.
    pub(super) fn on_leave(
        &mut self,
        now: Instant,
        from: SocketAddr,
        seq: Seq,
        id: NodeId,
        incarnation: Incarnation,
    ) {
        let source = Source { address: from, via: Via::Gossip };
        if self.enter_leave(now, source, id, incarnation) {
            self.send(from, Datagram::LeaveAck { seq }, Tell::Nothing);
        }
    }

    /// A peer says over the reliable plane that it leaves. Returns whether to answer it with an ack.
    #[must_use]
    pub fn handle_leave_request(
        &mut self,
        now: Instant,
        from: SocketAddr,
        id: NodeId,
        incarnation: Incarnation,
    ) -> bool {
        let source = Source { address: from, via: Via::Request(id) };
        self.enter_leave(now, source, id, incarnation)
    }

    /// Takes in that a peer leaves. Returns whether it is held left now.
    fn enter_leave(
        &mut self,
        now: Instant,
        source: Source,
        id: NodeId,
        incarnation: Incarnation,
    ) -> bool {
        if self.table.find(id).is_none() {
            // Its join may still be on its way, and would make a ghost of it: it is to say it again.
            self.counters.claims_unknown += 1;
            return false;
        }
        self.on_left(now, source, Subject::Full(id), incarnation);
        let held = self.table.find(id).map(|ix| self.table.held(ix).claim().state);
        held == Some(State::Left)
    }
}
