//! Datagrams and requests from peers: one method a kind.

use core::net::SocketAddr;

use swim_proto::limits::INCARNATION_JUMP_MAX;
use swim_proto::{Datagram, Held, Seq, State, Subject, TinyId};

use super::{Membership, Source};
use crate::action::{Action, Tell, Who};
use crate::config::{Buddy, Nacks};
use crate::known_bug::KnownBug;
use crate::local::Cause;
use crate::relay::Relay;
use crate::table::{Lookup, MemberIx};
use crate::time::Instant;

/// Senders that get an answer to a stale claim in one period; the rest waits for the next.
const ANSWERED_MAX: usize = 64;

impl Membership {
    /// A datagram's message. Its parts come before it, by [`handle_part`](Self::handle_part): they may
    /// say who the sender is (W8).
    /// Application messages are not for this layer.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, message: &Datagram<'_>) {
        // What this node sends to a former identity of its own comes back to it, and says nothing.
        let from_other = from != self.local.address();
        let others = self.table.present();
        if from_other && self.isolation.on_spoken(now, others, self.config.period()) {
            // What has waited in the silence does not tell how long its way is.
            self.trips.ignore_before(now);
        }
        self.patience.on_heard(now);
        self.places.on_heard_from(from);
        if self.local.state == State::Left {
            self.handle_datagram_left(now, from, message);
            return;
        }
        match *message {
            Datagram::Ping { seq, target, from: asker, held, .. } => {
                self.on_ping(now, from, seq, target, asker, held);
            }
            Datagram::Ack { seq, .. } => self.on_ack_from(now, from, seq),
            Datagram::PingReq { seq, from: asker, target } => {
                self.on_ping_req(now, from, seq, asker, target);
            }
            Datagram::Nack { seq } => self.on_nack(now, from, seq),
            Datagram::RecordRequest { from: asker, subject } => {
                self.on_record_request(from, asker, subject);
            }
            Datagram::Leave { seq, id, incarnation } => {
                self.on_leave(now, from, seq, id, incarnation);
            }
            Datagram::Gossip
            | Datagram::Correction
            | Datagram::LeaveAck { .. }
            | Datagram::User { .. } => {}
        }
    }

    /// A ping over the reliable plane. Returns whether to answer it with an ack (P6).
    #[must_use]
    pub fn handle_ping_request(&mut self, now: Instant, target: TinyId, held: Held) -> bool {
        if self.local.state == State::Left || target != self.local.tiny {
            self.counters.pings_misdirected += 1;
            return false;
        }
        self.on_held(now, held);
        true
    }

    fn on_ping(
        &mut self,
        now: Instant,
        from: SocketAddr,
        seq: Seq,
        target: TinyId,
        asker: TinyId,
        held: Held,
    ) {
        if target != self.local.tiny {
            self.counters.pings_misdirected += 1;
            return;
        }
        if asker == self.local.tiny && self.local.rival.has_asked(seq) {
            // The other process is said to be at an address of this one.
            self.counters.pings_misdirected += 1;
            return;
        }
        let known = self.held_at(asker, from);
        let present = known.is_some_and(|ix| self.table.held(ix).claim().state.is_present());
        if let Some(ix) = known.filter(|_| present) {
            self.isolation.on_heard(ix);
        }
        let stale = self.on_held(now, held);
        if present && self.is_beyond(held.claim.incarnation, INCARNATION_JUMP_MAX) {
            // Anybody can send this in its name; it is asked itself.
            self.verify(now, from);
        }
        let tell = match (known, present) {
            (Some(_), true) if stale => Tell::First(Who::Local),
            (Some(_), true) => Tell::News,
            // It is held dead or left, and yet it speaks: it must learn that, to refute (R1).
            (Some(ix), false) => Tell::Verdict(ix),
            (None, _) => self.on_ping_from_elsewhere(now, from, asker),
        };
        self.send(from, Datagram::Ack { seq, note: None }, tell);
    }

    /// What a peer holds of us. Returns whether it must be told better.
    fn on_held(&mut self, now: Instant, held: Held) -> bool {
        let told = match self.config.buddy() {
            Buddy::All => true,
            Buddy::Suspicion => held.claim.state == State::Suspect,
            Buddy::Nothing => false,
        };
        if !told {
            return false;
        }
        let own = self.local.claim();
        if held.claim.supersedes(own) {
            let heard = held.claim.incarnation;
            self.on_accusation(now, heard, INCARNATION_JUMP_MAX, Cause::Accused);
            if held.claim.state != State::Alive {
                self.on_suspected(now);
            }
        }
        held.claim != self.local.claim() || held.record != self.local.record.hash() as u16
    }

    fn on_ack_from(&mut self, now: Instant, from: SocketAddr, seq: Seq) {
        let mut seq = seq;
        if self.has_bug(KnownBug::AcksWithoutNumbers)
            && let Some(open) = self.probes.to(|target| self.address(target) == from)
        {
            seq = open;
        }
        if let Some(probe) = self.probes.take(seq) {
            self.on_sender_heard(from);
            self.on_probe_answered(now, Some(from), seq, &probe);
        } else if let Some(relay) = self.relays.take(seq) {
            let ack = Datagram::Ack { seq: relay.asked, note: None };
            self.send(relay.asker, ack, Tell::Nothing);
        } else if self.local.rival.is_answer(from, seq) {
            self.actions.push_back(Action::StartedLater { other: from });
        } else {
            self.on_late_ack(now, from, seq);
        }
    }

    /// The reliable plane has answered a probe's ping.
    pub fn handle_reliable_ack(&mut self, now: Instant, seq: Seq) {
        match self.probes.take(seq) {
            Some(probe) => {
                self.on_probe_answered(now, None, seq, &probe);
                // A datagram's ack may still come, and shows that datagrams get through (E8).
                self.probes.on_over(&probe);
            }
            None => self.counters.acks_unexpected += 1,
        }
    }

    /// A relay has not reached the target yet. That it says so in time shows that this node hears
    /// from others (S5).
    fn on_nack(&mut self, now: Instant, from: SocketAddr, seq: Seq) {
        let answer_time = self.answer_time();
        let table = &self.table;
        let Some(probe) = self.probes.find(seq) else {
            self.counters.acks_unexpected += 1;
            return;
        };
        let relays = probe.silent_relays.len();
        probe.silent_relays.retain(|&relay| table.held(relay).record().address() != from);
        if probe.silent_relays.len() == relays {
            return;
        }
        if now - probe.others_asked_at() <= answer_time {
            probe.heard = true;
            self.isolation.on_answered(now);
        }
        self.on_sender_heard(from);
    }

    fn on_ping_req(
        &mut self,
        now: Instant,
        from: SocketAddr,
        seq: Seq,
        asker: TinyId,
        target: Subject,
    ) {
        if self.present_at(asker, from).is_none() {
            // Only members are helped: nobody else can make us send.
            self.counters.claims_unknown += 1;
            return;
        }
        if self.is_local(target) {
            self.send(from, Datagram::Ack { seq, note: None }, Tell::Nothing);
            return;
        }
        let Lookup::Found(ix) = self.table.find_subject(target) else {
            if self.config.nacks() != Nacks::Never {
                self.send(from, Datagram::Nack { seq }, Tell::Nothing);
            }
            return;
        };
        if !self.is_reachable(ix) {
            self.counters.addresses_unusable += 1;
            if self.config.nacks() != Nacks::Never {
                self.send(from, Datagram::Nack { seq }, Tell::Nothing);
            }
            return;
        }
        if self.relays.is_full() {
            self.counters.relays_full += 1;
            return;
        }
        self.counters.relayed += 1;
        let own_seq = self.probes.next_seq();
        let rest = self.config.period() - self.config.base_timeout();
        let wait = rest.min(self.config.base_timeout()) * 3 / 5;
        self.relays.push(Relay {
            seq: own_seq,
            target: ix,
            asker: from,
            asked: seq,
            nack_at: match self.config.nacks() {
                // So that the nack is there before the asker gives up.
                Nacks::Early => now + wait,
                Nacks::Late => now + self.config.base_timeout(),
                Nacks::Never => Instant::NEVER,
            },
            ends_at: now + self.answer_time(),
        });
        self.send_ping(ix, own_seq);
    }

    pub(super) fn on_relays_due(&mut self, now: Instant) {
        while let Some(relay) = self.relays.pop_nack(now) {
            self.send(relay.asker, Datagram::Nack { seq: relay.asked }, Tell::Nothing);
        }
        self.relays.expire(now);
    }

    fn on_record_request(&mut self, from: SocketAddr, asker: TinyId, subject: Subject) {
        if self.present_at(asker, from).is_none() {
            self.counters.claims_unknown += 1;
            return;
        }
        if self.is_local(subject) {
            self.send(from, Datagram::Gossip, Tell::Only(Who::Local));
        } else if let Lookup::Found(ix) = self.table.find_subject(subject)
            && self.table.held(ix).claim().state.is_present()
        {
            // Of the absent no more than their absence could be told, and that to nobody who
            // never held them (T1).
            self.send(from, Datagram::Gossip, Tell::Record(ix));
        }
    }

    pub(super) fn is_local(&self, subject: Subject) -> bool {
        match subject {
            Subject::Full(id) => id == self.local.id,
            Subject::Short(short) => short == self.short(),
        }
    }

    pub(super) fn send_ping(&mut self, ix: MemberIx, seq: Seq) {
        let (target, from, held) = (self.table.tiny(ix), self.local.tiny, self.held_of(ix));
        let present = self.table.held(ix).claim().state.is_present();
        let tell = if present { Tell::News } else { Tell::Nothing };
        let ping = Datagram::Ping { seq, target, from, held, note: None };
        self.send(self.address(ix), ping, tell);
    }

    pub(super) fn send(&mut self, to: SocketAddr, message: Datagram<'static>, tell: Tell) {
        self.actions.push_back(Action::Send { to, message, tell });
    }

    /// Answers what somebody has said in a datagram: a present member, once a period (G6).
    pub(super) fn answer(
        &mut self,
        now: Instant,
        source: Source,
        message: Datagram<'static>,
        tell: Tell,
    ) {
        if self.may_answer(now, source.address) {
            self.send(source.address, message, tell);
        }
    }

    /// Asks whoever spoke of a member for its record, once per sender and period (M4).
    pub(super) fn ask_record(&mut self, now: Instant, source: Source, subject: Subject) {
        if source.via.peer().is_none() {
            let from = self.local.tiny;
            self.answer(now, source, Datagram::RecordRequest { from, subject }, Tell::Nothing);
        }
    }

    fn may_answer(&mut self, now: Instant, to: SocketAddr) -> bool {
        if now >= self.answered_until {
            self.answered.clear();
            self.answered_until = now + self.config.period();
        }
        if self.answered.contains(&to) {
            return false;
        }
        if self.answered.len() == ANSWERED_MAX {
            self.counters.answers_full += 1;
            return false;
        }
        self.answered.push(to);
        // The look through the table is dear, so that it comes last: at most 64 times a period.
        self.present_with(to).is_some()
    }
}
