//! What a step says and hears: lengths (I5), answers to strangers (I6), what was said and must be
//! held, acks and their probes (I8), silence of who has left (I14), damaged bytes (I15).

use std::net::SocketAddr;

use swim_proto::limits::FRAME_BYTES_MAX;
use swim_proto::{
    BincodeCodec, Claim, ClusterName, Codec, Datagram, NodeId, Part, Parts, Request, State, Subject,
};
use swimmer::node::{Node, Stats};

use super::Checker;
use crate::names::Names;

/// Who is not a present member, and what the node has sent there in answer.
#[derive(Debug)]
struct Stranger {
    address: SocketAddr,
    bytes: usize,
    answered: usize,
}

/// The packets of the step that is being done.
#[derive(Debug)]
pub(super) struct Packets {
    datagram_bytes_max: usize,
    codec: BincodeCodec,
    read: Vec<u8>,
    scratch: Vec<u8>,
    stranger: Option<Stranger>,
    /// What the datagram of this step says of members that the node holds.
    heard: Vec<(NodeId, Claim)>,
    /// Who is dead or has left as the packet of this step says.
    buried: Vec<NodeId>,
    /// How many unexpected acks the node must have counted after this step.
    unexpected_acks: u64,
    /// What the node had counted before bytes that it must drop as a whole.
    dropped: Option<Stats>,
    /// What was done, and may not be.
    wrong: Option<String>,
    /// Exchanges begun and datagrams sent in this step.
    sent: (u64, u64),
}

impl Packets {
    pub(super) fn new(name: ClusterName, datagram_bytes_max: usize) -> Self {
        Self {
            datagram_bytes_max,
            codec: BincodeCodec::new(name),
            read: Vec::new(),
            scratch: Vec::new(),
            stranger: None,
            heard: Vec::new(),
            buried: Vec::new(),
            unexpected_acks: 0,
            dropped: None,
            wrong: None,
            sent: (0, 0),
        }
    }

    /// Whether the packet of this step says that a member is dead or has left.
    pub(super) fn bury(&self, id: NodeId) -> bool {
        self.buried.contains(&id)
    }

    /// Exchanges begun and datagrams sent since the last call.
    pub(super) fn take_sent(&mut self) -> (u64, u64) {
        std::mem::take(&mut self.sent)
    }

    /// What a step has said and heard is as it should be.
    pub(super) fn check(
        &mut self,
        ix: u32,
        node: &Node,
        stats: &Stats,
        names: &Names,
    ) -> Result<(), String> {
        self.buried.clear();
        if let Some(what) = self.wrong.take() {
            return Err(format!("h{ix} {what}"));
        }
        self.check_heard(ix, node, stats, names)?;
        self.check_answers(ix, node)
    }

    /// I8: nothing that was said in time is lost, and an ack counts for its own probe only.
    fn check_heard(
        &mut self,
        ix: u32,
        node: &Node,
        stats: &Stats,
        names: &Names,
    ) -> Result<(), String> {
        if stats.membership.acks_unexpected < std::mem::take(&mut self.unexpected_acks) {
            return Err(format!("h{ix} took an ack for another probe than its own"));
        }
        for (id, heard) in self.heard.drain(..) {
            if let Some(held) = node.claim(id)
                && held < heard
            {
                let who = names.id(id);
                return Err(format!("h{ix} was told {heard:?} of {who} and holds {held:?}"));
            }
        }
        Ok(())
    }

    /// I6: a stranger gets no more than it has sent.
    fn check_answers(&mut self, ix: u32, node: &Node) -> Result<(), String> {
        let Some(Stranger { address, bytes, answered }) = self.stranger.take() else {
            return Ok(());
        };
        // The datagram itself may have said who its sender is.
        if answered <= bytes || has_present(node, address) {
            return Ok(());
        }
        Err(format!("h{ix} answered {bytes} bytes of a stranger with {answered}"))
    }

    /// Notes what the node must have taken from a datagram once it has handled it.
    fn hear(&mut self, node: &Node, bytes: &[u8], liar: bool) {
        self.read.clear();
        self.read.extend_from_slice(bytes);
        let Ok(packet) = self.codec.decode_datagram(&mut self.read, &mut self.scratch) else {
            self.dropped = Some(node.stats());
            return;
        };
        if liar || !node.is_running() {
            return;
        }
        match packet.message {
            Datagram::Ack { seq, .. } if !node.awaits_ack(seq) => {
                self.unexpected_acks = node.stats().membership.acks_unexpected + 1;
            }
            Datagram::Leave { id, .. } => self.buried.push(id),
            _ => {}
        }
        let correction = matches!(packet.message, Datagram::Correction);
        hear_burials(node, packet.parts.clone(), &mut self.buried);
        for part in packet.parts.map_while(Result::ok) {
            let (subject, incarnation, state) = match part {
                Part::Alive { id, incarnation, .. } => {
                    (Subject::Full(id), incarnation, State::Alive)
                }
                // By a correction a death is looked into first, and so is one that nobody answers for.
                Part::Dead { accusers, .. } if correction || accusers.as_slice().is_empty() => {
                    continue;
                }
                Part::Suspect { subject, incarnation, .. }
                | Part::Dead { subject, incarnation, .. } => (subject, incarnation, State::Suspect),
                Part::Left { subject, incarnation } => (subject, incarnation, State::Left),
                Part::Broadcast { .. } | Part::Seen { .. } | Part::Room { .. } => continue,
            };
            if let Some((id, _)) = node.find(subject) {
                self.heard.push((id, Claim::new(incarnation, state)));
            }
        }
    }
}

/// Who is dead or has left as a packet says, as far as the node knows them.
fn hear_burials(node: &Node, parts: Parts<'_>, buried: &mut Vec<NodeId>) {
    buried.extend(parts.map_while(Result::ok).filter_map(|part| match part {
        Part::Left { subject, .. } | Part::Dead { subject, .. } => match subject {
            Subject::Full(id) => Some(id),
            short => node.find(short).map(|(id, _)| id),
        },
        _ => None,
    }));
}

fn has_present(node: &Node, address: SocketAddr) -> bool {
    node.members().any(|member| member.state.is_present() && member.address == address)
}

impl Checker {
    pub(crate) fn before_datagram(&mut self, node: &Node, from: SocketAddr, bytes: &[u8]) {
        let packets = &mut self.packets;
        packets.stranger = (!has_present(node, from)).then_some(Stranger {
            address: from,
            bytes: bytes.len(),
            answered: 0,
        });
        packets.hear(node, bytes, self.liar);
    }

    pub(crate) fn before_request(&mut self, node: &Node, frame: &[u8]) {
        let packets = &mut self.packets;
        packets.read.clear();
        packets.read.extend_from_slice(frame);
        match packets.codec.decode_request(&mut packets.read, &mut packets.scratch) {
            Ok(packet) => hear_burials(node, packet.parts, &mut packets.buried),
            Err(_) => packets.dropped = Some(node.stats()),
        }
    }

    pub(crate) fn before_reply(&mut self, node: &Node, frame: &[u8]) {
        let packets = &mut self.packets;
        packets.read.clear();
        packets.read.extend_from_slice(frame);
        let read = packets.codec.decode_reply(&mut packets.read, &mut packets.scratch);
        if let Ok(packet) = read {
            hear_burials(node, packet.parts, &mut packets.buried);
        }
    }

    /// I15: a datagram or request that is dropped as a whole changes nothing but a counter.
    pub(crate) fn after_input(&mut self, node: &Node) {
        if let Some(before) = self.packets.dropped.take()
            && but_for_drops(node.stats()) != but_for_drops(before)
        {
            self.packets.wrong = Some("was changed by bytes that it dropped".into());
        }
    }

    /// I5, I6, I14: what a node sends.
    pub(crate) fn on_datagram_sent(&mut self, running: bool, to: SocketAddr, bytes: &[u8]) {
        let packets = &mut self.packets;
        packets.sent.1 += 1;
        if bytes.len() > packets.datagram_bytes_max {
            packets.wrong = Some(format!("sent a datagram of {} bytes", bytes.len()));
        }
        if let Some(stranger) = packets.stranger.as_mut().filter(|found| found.address == to) {
            stranger.answered += bytes.len();
        }
        if !running {
            packets.read.clear();
            packets.read.extend_from_slice(bytes);
            let read = packets.codec.decode_datagram(&mut packets.read, &mut packets.scratch);
            let leave = read.is_ok_and(|packet| matches!(packet.message, Datagram::Leave { .. }));
            if !leave {
                packets.wrong = Some("has left and yet sends more than its leave".into());
            }
        }
    }

    /// I5, I14: what a node asks over the reliable plane.
    pub(crate) fn on_request_sent(&mut self, running: bool, frame: &[u8]) {
        let packets = &mut self.packets;
        packets.sent.0 += 1;
        if !running {
            packets.read.clear();
            packets.read.extend_from_slice(frame);
            let read = packets.codec.decode_request(&mut packets.read, &mut packets.scratch);
            let leave = read.is_ok_and(|packet| matches!(packet.message, Request::Leave { .. }));
            if !leave {
                packets.wrong = Some("has left and yet asks for more than its leave".into());
            }
        }
        self.on_frame_sent(frame);
    }

    /// I5: what a node answers over the reliable plane.
    pub(crate) fn on_frame_sent(&mut self, frame: &[u8]) {
        if frame.len() > FRAME_BYTES_MAX {
            self.packets.wrong = Some(format!("sent a frame of {} bytes", frame.len()));
        }
    }
}

/// What is counted, without what is counted of bytes that come and are dropped.
fn but_for_drops(mut stats: Stats) -> Stats {
    let wire = &mut stats.wire;
    (wire.datagrams_in, wire.bytes_in) = (0, 0);
    (wire.datagrams_foreign, wire.datagrams_malformed) = (0, 0);
    (wire.frames_foreign, wire.frames_malformed, wire.kinds_unknown) = (0, 0, 0);
    stats
}
