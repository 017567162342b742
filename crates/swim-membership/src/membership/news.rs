//! News about members: the rules of merging (M1 to M6).

use core::net::SocketAddr;
use core::time::Duration;

use swim_proto::limits::INCARNATION_JUMP_MAX;
use swim_proto::{
    Accusers, Claim, Datagram, Incarnation, NodeId, Part, Record, State, Subject, TinyId,
};

use super::{CONTRADICTIONS_MAX, Membership, Source};
use crate::action::{Action, Ask, Death, EventKind, Tell, Via, Who};
use crate::conflict_times::ConflictTimes;
use crate::isolation::Standing;
use crate::known_bug::KnownBug;
use crate::moves::Verdict;
use crate::probe::Purpose;
use crate::suspicion::{Suspicion, SuspicionTimes};
use crate::table::{Lookup, MemberIx};
use crate::time::Instant;

impl Membership {
    /// A part of a datagram or frame. User broadcasts are not for this layer.
    pub fn handle_part(&mut self, now: Instant, source: Source, part: &Part<'_>) {
        // Before the message of its datagram: it may say that this node is suspected (S6).
        self.patience.on_heard(now);
        if self.is_echo(part) {
            return;
        }
        if self.local.state == State::Left {
            // Of others only that they leave, too (L1).
            if let (Part::Left { subject, incarnation }, Some(_)) = (*part, &self.leaving)
                && !self.is_local(subject)
            {
                self.on_left(now, source, subject, incarnation);
            }
            return;
        }
        match *part {
            Part::Alive { id, incarnation, record } => {
                self.on_alive(now, source, id, incarnation, record);
            }
            Part::Suspect { subject, incarnation, accusers } => {
                self.on_suspect(now, source, subject, incarnation, accusers);
            }
            Part::Dead { subject, incarnation, accusers } => {
                self.on_dead(now, source, subject, incarnation, accusers);
            }
            Part::Left { subject, incarnation } => self.on_left(now, source, subject, incarnation),
            // None of them is about a member.
            Part::Broadcast { .. } | Part::Seen { .. } | Part::Room { .. } => {}
        }
    }

    /// Whether a part says just what is held: nearly all that is said at rest.
    fn is_echo(&self, part: &Part<'_>) -> bool {
        let Part::Alive { id, incarnation, record } = *part else { return false };
        let found = self.table.find(id);
        found.is_some_and(|ix| self.table.held(ix).is_word(incarnation, record))
    }

    /// What is held of those of whom an exchange said what is older: to be told back in it (E3). The
    /// own word stands in every frame anyway.
    pub fn contradictions(&self) -> impl Iterator<Item = Part<'_>> {
        let others = self.contradictions.iter().filter(|&&who| who != Who::Local);
        others.filter_map(|&who| self.part(who))
    }

    /// So many of the [`contradictions`](Self::contradictions) were told; the others are dropped.
    pub fn end_contradictions(&mut self, told: usize) {
        self.counters.contradictions_full += (self.contradictions().count() - told) as u64;
        self.contradictions.clear();
    }

    /// Whether an exchange has left something to be told back.
    pub fn has_contradictions(&self) -> bool {
        !self.contradictions.is_empty()
    }

    fn on_alive(
        &mut self,
        now: Instant,
        source: Source,
        id: NodeId,
        incarnation: Incarnation,
        record: &[u8],
    ) {
        if id == self.local.id {
            self.on_own_alive(now, source, incarnation, record);
        } else if let Some(ix) = self.table.find(id) {
            self.on_known_alive(now, source, ix, incarnation, record);
        } else {
            self.on_new_alive(now, source, id, incarnation, record);
        }
    }

    fn on_new_alive(
        &mut self,
        now: Instant,
        source: Source,
        id: NodeId,
        incarnation: Incarnation,
        record: &[u8],
    ) {
        if self.table.present() >= self.config.members_max() as usize {
            self.counters.members_full += 1;
            return;
        }
        if self.table.is_crowded(id) {
            self.counters.ids_crowded += 1;
            return;
        }
        let Ok(record) = Record::parse(record) else {
            self.counters.records_bad += 1;
            return;
        };
        // One who was never held counts as held at 0, or the first rumour could burn its identity.
        if incarnation.0 > INCARNATION_JUMP_MAX && !source.is_owner(id, &record) {
            self.counters.claims_jumped += 1;
            self.verify(now, record.address());
            return;
        }
        let claim = Claim::new(incarnation, State::Alive);
        let ix = self.table.insert(id, claim, record);
        self.order.insert(ix, &mut self.rng);
        self.arm_probe(now);
        self.on_company();
        self.on_changed(ix);
        self.emit(ix, EventKind::Joined);
        self.tell_news(ix);
        self.look_at_timing(ix, true);
    }

    /// All members of a cluster should use one timing: who does not is told (W7).
    fn look_at_timing(&mut self, ix: MemberIx, record_changed: bool) {
        let entry = self.table.held(ix);
        let timing = entry.record().timing();
        if record_changed && entry.claim().state.is_present() && timing != self.config.timing() {
            self.actions.push_back(Action::OtherTiming { member: ix });
        }
    }

    fn on_known_alive(
        &mut self,
        now: Instant,
        source: Source,
        ix: MemberIx,
        incarnation: Incarnation,
        record: &[u8],
    ) {
        let entry = self.table.held(ix);
        let (id, held) = (entry.id, entry.claim());
        let claim = Claim::new(incarnation, State::Alive);
        let newer = claim.supersedes(held);
        let known = incarnation <= entry.record_incarnation();
        if known && record == entry.record().as_bytes() && !newer {
            // The common case at rest: an echo of what is held.
            self.on_not_newer(now, source, ix, claim);
            return;
        }
        if self.has_bug(KnownBug::LeftForGood) && held.state == State::Left {
            return;
        }
        let Ok(record) = Record::parse(record) else {
            self.counters.records_bad += 1;
            return;
        };
        if self.jumps(ix, incarnation) && !source.is_owner(id, &record) {
            self.counters.claims_jumped += 1;
            self.verify(now, record.address());
            return;
        }
        if newer && self.has_no_room_for(held) {
            self.counters.members_full += 1;
            return;
        }
        let replaces = self.record_replaces(ix, incarnation, &record);
        let held_record = self.table.held(ix).record();
        let record_changed = replaces && record != *held_record;
        let updated = record_changed && record.visible() != held_record.visible();
        let moved = record.address() != held_record.address();
        let former = Some(held_record.clone()).filter(|_| replaces && moved);
        let rises = incarnation > self.table.held(ix).record_incarnation();
        if newer {
            self.set_claim(now, ix, claim, None);
        }
        if replaces {
            if moved {
                // The ping under way has gone to where the member is no more (P2).
                self.probes.forget(ix);
            }
            // After the claim, which bounds the record's number.
            self.table.set_record(ix, record, incarnation);
        }
        match held.state {
            State::Suspect | State::Dead if newer => self.emit(ix, EventKind::Up),
            State::Left if newer => self.emit(ix, EventKind::Joined),
            _ => {}
        }
        if record_changed {
            self.on_changed(ix);
        }
        if updated && self.table.held(ix).claim().state.is_present() && held.state != State::Left {
            self.emit(ix, EventKind::Updated);
        }
        if newer || record_changed {
            self.tell_news(ix);
        }
        if let Some(former) = former.filter(|_| held.state.is_present()) {
            self.on_moved(now, source, ix, &former, rises);
        }
        self.look_at_timing(ix, record_changed);
        if !newer {
            // A restarted member may bring a new record in the incarnation in which it died.
            self.on_not_newer(now, source, ix, claim);
        }
    }

    /// A present member's record has another address than before. It may be another process that uses
    /// its id, which members are told (R4), and the process at the former address, too: by the one to
    /// which the member itself has said so, for all others do not look there any more (J1).
    fn on_moved(
        &mut self,
        now: Instant,
        source: Source,
        ix: MemberIx,
        former: &Record,
        rises: bool,
    ) {
        let entry = self.table.held(ix);
        let (id, present) = (entry.id, entry.claim().state.is_present());
        if !present {
            return;
        }
        if source.via == Via::Request(id) {
            self.send(former.address(), Datagram::Gossip, Tell::Record(ix));
        }
        if !rises {
            return;
        }
        let times = ConflictTimes::of(&self.config);
        let moves = (former, self.table.held(ix).record());
        let counters = &mut self.counters;
        let full = || counters.moves_full += 1;
        if self.moves.on_move(now, times, ix, moves, full) == Verdict::Conflict {
            self.counters.conflicts_of_members += 1;
            self.emit(ix, EventKind::Conflict { other: former.address() });
        }
    }

    /// The record register: the larger of (incarnation, hash of the bytes) (M1).
    fn record_replaces(&self, ix: MemberIx, incarnation: Incarnation, record: &Record) -> bool {
        let entry = self.table.held(ix);
        (incarnation, record.hash()) > (entry.record_incarnation(), entry.record().hash())
    }

    /// Whether a member that comes back would be one too many (T2).
    fn has_no_room_for(&self, held: Claim) -> bool {
        !held.state.is_present() && self.table.present() >= self.config.members_max() as usize
    }

    pub(super) fn on_suspect(
        &mut self,
        now: Instant,
        source: Source,
        subject: Subject,
        incarnation: Incarnation,
        accusers: Accusers,
    ) {
        if self.is_local(subject) {
            self.on_accused(now, source, incarnation);
            return;
        }
        let Some(ix) = self.find_or_ask(now, source, subject) else { return };
        let claim = Claim::new(incarnation, State::Suspect);
        let held = self.table.held(ix).claim();
        if claim == held {
            self.confirm(ix, accusers);
        } else if !claim.supersedes(held) {
            self.on_not_newer(now, source, ix, claim);
        } else if self.jumps(ix, incarnation.next()) {
            self.counters.claims_jumped += 1;
        } else if self.has_no_room_for(held) {
            self.counters.members_full += 1;
        } else {
            self.suspect(now, now, ix, incarnation, accusers);
            self.corroborate(now, ix);
            self.ask_newer_record(now, source, ix, incarnation);
        }
    }

    /// Asks for the record of one of whom a suspicion is newer than the record that is held (M4).
    fn ask_newer_record(
        &mut self,
        now: Instant,
        source: Source,
        ix: MemberIx,
        incarnation: Incarnation,
    ) {
        if incarnation > self.table.held(ix).record_incarnation() {
            let subject = self.table.subject(ix);
            self.ask_record(now, source, subject);
        }
    }

    /// Enters a suspicion that supersedes what is held; its time runs since `since`.
    pub(super) fn suspect(
        &mut self,
        now: Instant,
        since: Instant,
        ix: MemberIx,
        incarnation: Incarnation,
        accusers: Accusers,
    ) {
        let held = self.table.held(ix).claim().state;
        let times = SuspicionTimes::new(&self.config, self.present());
        let times = times.with_patience(&self.config, self.patience_of(ix));
        let Some((&first, others)) = accusers.as_slice().split_first() else { return };
        let mut suspicion = Suspicion::new(since, times, first);
        for &other in others {
            suspicion.confirm(other);
        }
        self.set_claim(now, ix, Claim::new(incarnation, State::Suspect), None);
        self.refusing.remove(ix);
        self.watch(ix, suspicion);
        self.limit_confirmations();
        match held {
            // It must have raised its incarnation itself, so it is back, if in doubt.
            State::Dead => self.emit(ix, EventKind::Up),
            State::Left => self.emit(ix, EventKind::Joined),
            State::Alive | State::Suspect => {}
        }
        if held != State::Suspect {
            self.emit(ix, EventKind::Suspected);
        }
        self.tell_news(ix);
    }

    /// Further accusers, by hearsay, of the suspicion that is held.
    fn confirm(&mut self, ix: MemberIx, accusers: Accusers) {
        let counted = self.counted(ix, accusers);
        self.add_accusers(ix, counted);
    }

    /// The accusers, by hearsay, that count: those that are held alive and are neither the suspect
    /// nor this node, which knows best whether it has looked (S3).
    fn counted(&self, ix: MemberIx, accusers: Accusers) -> Accusers {
        let counts = |&accuser: &TinyId| match self.table.find_tiny(accuser) {
            _ if !self.config.corroboration() => true,
            Lookup::Found(by) => by != ix && self.table.held(by).claim().state == State::Alive,
            Lookup::Unknown | Lookup::Ambiguous => false,
        };
        accusers.as_slice().iter().copied().filter(counts).collect()
    }

    pub(super) fn add_accusers(&mut self, ix: MemberIx, accusers: Accusers) {
        let mut confirmed = false;
        self.change_suspicion(ix, |suspicion| {
            for &accuser in accusers.as_slice() {
                confirmed |= suspicion.confirm(accuser);
            }
        });
        if confirmed {
            self.tell_news(ix);
        }
    }

    pub(super) fn on_dead(
        &mut self,
        now: Instant,
        source: Source,
        subject: Subject,
        incarnation: Incarnation,
        accusers: Accusers,
    ) {
        if self.is_local(subject) {
            self.on_accused(now, source, incarnation);
            return;
        }
        let Some(ix) = self.find_held(subject) else { return };
        let claim = Claim::new(incarnation, State::Dead);
        let held = self.table.held(ix).claim();
        if !claim.supersedes(held) {
            self.on_not_newer(now, source, ix, claim);
        } else if self.jumps(ix, incarnation.next()) {
            self.counters.claims_jumped += 1;
        } else if !held.state.is_present() || self.believes_death(now, source, ix, accusers) {
            self.declare_dead(now, ix, incarnation, accusers, None);
        } else {
            self.doubt(now, source, ix, incarnation, accusers);
        }
    }

    /// Whether a death that a peer reports is believed (M5): the member has had half of the minimum to
    /// refute, and this node is connected, or at least hears from others and as many accuse the
    /// member as its own suspicion needs. Else it is a suspicion.
    fn believes_death(
        &mut self,
        now: Instant,
        source: Source,
        ix: MemberIx,
        accusers: Accusers,
    ) -> bool {
        if !self.config.isolation_guard() {
            return source.via.is_gossip();
        }
        let Some(suspicion) = self.suspicions.value(ix) else { return false };
        let ripe = suspicion.is_ripe(now, self.allowance());
        let enough =
            suspicion.times().confirmations < self.counted(ix, accusers).as_slice().len() as u32;
        let connected = self.look_at_isolation(now) == Standing::Connected;
        ripe && (connected || self.is_heard(now) && enough)
    }

    /// A death that came by exchange or correction may be of a partition that is over: it is a
    /// suspicion, and we look ourselves (M5). Else two halves that meet again bury each other.
    fn doubt(
        &mut self,
        now: Instant,
        source: Source,
        ix: MemberIx,
        incarnation: Incarnation,
        accusers: Accusers,
    ) {
        let accusers = match source.via.peer() {
            Some(peer) => Accusers::from_iter([peer.short(self.tag).tiny()]),
            None => accusers,
        };
        let suspicion = Claim::new(incarnation, State::Suspect);
        let held = self.table.held(ix).claim();
        if suspicion == held {
            self.confirm(ix, accusers);
            return;
        }
        if suspicion.supersedes(held) {
            self.suspect(now, now, ix, incarnation, accusers);
            self.ask_newer_record(now, source, ix, incarnation);
        }
        match source.via.is_gossip() {
            true => self.corroborate(now, ix),
            false => self.start_probe(now, ix, Purpose::Doubt),
        }
    }

    /// With the suspicion of this node that has run out, if it was that.
    pub(super) fn declare_dead(
        &mut self,
        now: Instant,
        ix: MemberIx,
        incarnation: Incarnation,
        accusers: Accusers,
        ran_out: Option<Suspicion>,
    ) {
        let held = self.table.held(ix).claim();
        let present = held.state.is_present();
        let incarnation = match self.has_bug(KnownBug::DeathKeepsNumber) {
            true => held.incarnation,
            false => incarnation,
        };
        let suspicion = ran_out.as_ref().or_else(|| self.suspicions.value(ix));
        let death = Death {
            accusers,
            own: ran_out.is_some(),
            suspected_for: suspicion.map(|suspicion| suspicion.lasted(now)),
            at: Duration::from_micros(self.clock.unix_micros(now)),
            health: self.health.score(),
        };
        self.set_claim(now, ix, Claim::new(incarnation, State::Dead), Some(death));
        if present {
            self.emit(ix, EventKind::Down(death));
        }
        self.tell_news(ix);
    }

    pub(super) fn on_left(
        &mut self,
        now: Instant,
        source: Source,
        subject: Subject,
        incarnation: Incarnation,
    ) {
        if self.is_local(subject) {
            self.on_accused(now, source, incarnation);
            return;
        }
        let Some(ix) = self.find_held(subject) else { return };
        let claim = Claim::new(incarnation, State::Left);
        let held = self.table.held(ix).claim();
        if !claim.supersedes(held) {
            self.on_not_newer(now, source, ix, claim);
        } else if self.jumps(ix, incarnation.next()) {
            self.counters.claims_jumped += 1;
        } else {
            self.set_claim(now, ix, claim, None);
            if held.state.is_present() {
                self.emit(ix, EventKind::Left);
            }
            self.on_member_left(ix);
            self.actions.push_back(Action::News { who: Who::Member(ix), urgent: true });
        }
    }

    /// Nothing new. If it contradicts a tombstone, or calls dead one who is not, the sender is told
    /// (M6, G6). A stale suspicion needs no answer: whoever holds it will ping the suspect.
    fn on_not_newer(&mut self, now: Instant, source: Source, ix: MemberIx, claim: Claim) {
        let held = self.table.held(ix).claim();
        if claim == held {
            return;
        }
        self.counters.claims_stale += 1;
        let buried = !held.state.is_present() && claim.state.is_present();
        let revived = held.state.is_present() && claim.state == State::Dead;
        match source.via {
            Via::Gossip | Via::Ack(_) if !self.config.corrections() => {}
            Via::Gossip | Via::Ack(_) if buried => {
                self.counters.corrections += 1;
                self.answer(now, source, Datagram::Correction, Tell::Only(Who::Member(ix)));
            }
            Via::Gossip | Via::Ack(_) if revived => {
                self.counters.corrections += 1;
                self.answer(now, source, Datagram::Gossip, Tell::Record(ix));
            }
            Via::Request(_) | Via::Reply(_) if buried => self.contradict(Who::Member(ix)),
            // Tables that are compared hold the present anyway; and a correction is never
            // answered, so that two tables do not argue for ever.
            _ => {}
        }
    }

    pub(super) fn contradict(&mut self, who: Who) {
        if self.contradictions.contains(&who) {
            return;
        }
        if self.contradictions.len() < CONTRADICTIONS_MAX {
            self.contradictions.push(who);
        } else {
            self.counters.contradictions_full += 1;
        }
    }

    /// Asks the member itself whether a number that is a jump is its own (M3): at most one a period.
    pub(super) fn verify(&mut self, now: Instant, at: SocketAddr) {
        if now >= self.verify_at && self.leads(at) {
            self.verify_at = now + self.config.period();
            self.actions.push_back(Action::Exchange { to: at, ask: Ask::Sync });
        }
    }

    /// Whether an incarnation is further above the member's own last word than one life could
    /// explain (M3), so that no packet burns an identity. Of an accusation it is the refutation
    /// above it that must not be so far.
    fn jumps(&self, ix: MemberIx, incarnation: Incarnation) -> bool {
        let own_word = self.table.held(ix).record_incarnation();
        incarnation.0 > own_word.0.saturating_add(INCARNATION_JUMP_MAX)
    }

    fn find_held(&mut self, subject: Subject) -> Option<MemberIx> {
        match self.table.find_subject(subject) {
            Lookup::Found(ix) => return Some(ix),
            Lookup::Unknown => self.counters.claims_unknown += 1,
            Lookup::Ambiguous => self.counters.ids_ambiguous += 1,
        }
        None
    }

    fn find_or_ask(&mut self, now: Instant, source: Source, subject: Subject) -> Option<MemberIx> {
        let found = self.find_held(subject);
        if found.is_none() {
            self.ask_record(now, source, subject);
        }
        found
    }

    pub(super) fn tell_own_news(&mut self) {
        self.actions.push_back(Action::News { who: Who::Local, urgent: true });
    }
}
