//! The environment in which a cluster lives, and the meter of what its hosts send and get.

use std::net::SocketAddr;

use swim_membership::Instant;

use super::{Cluster, Happening, HostIx};
use crate::environment::{Carried, Draft, Drafted, Environment, Health, Kind, Packet, Verdict};
use crate::host::host_of;
use crate::meter::Meter;

impl Cluster {
    /// From now on the cluster, with the hosts that it has now, lives in this environment, and no
    /// longer in the one before.
    pub fn enter(&mut self, environment: Environment) {
        if let Some(mut course) = self.course.take() {
            self.air = None;
            course.end(self);
        }
        if environment.is_clean() {
            return;
        }
        self.transcript.event(self.now, format_args!("environment {environment}"));
        self.courses += 1;
        let number = self.courses;
        let Drafted { air, course, first_turns } = Draft::draw(environment, self, number);
        (self.air, self.course) = (Some(air), Some(course));
        for (routine, after) in first_turns.into_iter().enumerate() {
            let turn = Happening::Turn { course: number, routine: routine as u32 };
            self.queue.push(self.now + after, turn);
        }
    }

    /// How well a host is in its environment while it runs.
    pub fn health(&self, ix: HostIx) -> Health {
        self.course.as_ref().map_or(Health::Healthy, |course| course.health(ix.0))
    }

    /// Begins to count what each host sends and gets, anew.
    pub fn start_meter(&mut self) {
        self.meter = Some(Box::default());
    }

    /// Ends that, and returns what was counted.
    pub fn take_meter(&mut self) -> Meter {
        self.meter.take().map(|meter| *meter).unwrap_or_default()
    }

    pub(super) fn on_turn(&mut self, number: u32, routine: u32) {
        let Some(mut course) = self.course.take_if(|course| course.number() == number) else {
            return;
        };
        if let Some(after) = course.turn(routine, self) {
            self.queue.push(self.now + after, Happening::Turn { course: number, routine });
        }
        self.course = Some(course);
    }

    /// What the environment does to a datagram that is sent now.
    pub(super) fn judge_datagram(&mut self, from: u32, to: SocketAddr, bytes: &[u8]) -> Verdict {
        let Some(to) = host_of(to) else { return Verdict::default() };
        let carried = Carried::Datagram(Kind::of(bytes));
        self.judge(Packet { from, to, at: self.now, carried })
    }

    /// What it does to a packet of an exchange that leaves at this moment.
    pub(super) fn judge_stream(&mut self, from: u32, to: u32, at: Instant) -> Verdict {
        self.judge(Packet { from, to, at, carried: Carried::Stream })
    }

    fn judge(&mut self, packet: Packet) -> Verdict {
        self.air.as_mut().map_or(Verdict::default(), |air| air.judge(packet))
    }

    pub(super) fn meter_sent(&mut self, host: u32, datagram: &[u8], bytes: u64) {
        if let Some(meter) = &mut self.meter {
            meter.on_sent(host, Kind::of(datagram), bytes);
        }
    }

    pub(super) fn meter_got(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        if let (Some(meter), Some(from), Some(to)) = (&mut self.meter, host_of(from), host_of(to)) {
            let carried = Carried::Datagram(Kind::of(datagram));
            meter.on_got(Packet { from, to, at: self.now, carried });
        }
    }
}
