//! The environment of a cluster, and the meter of what its hosts send and receive.

use std::net::SocketAddr;

use swim_membership::Instant;

use super::{Cluster, Happening, HostIx};
use crate::environment::{Carried, Environment, Health, Kind, Packet, Prepared, Setup, Verdict};
use crate::host::host_of;
use crate::meter::Meter;

impl Cluster {
    /// Ends the environment in progress and begins this one, for the hosts that there are now.
    pub fn enter(&mut self, environment: Environment) {
        if let Some(mut ended) = self.environment.take() {
            self.judges = None;
            ended.end(self);
        }
        if environment.is_clean() {
            return;
        }
        self.transcript.event(self.now, format_args!("environment {environment}"));
        self.environments += 1;
        let number = self.environments;
        let Prepared { judges, active, first } = Setup::prepare(environment, self, number);
        (self.judges, self.environment) = (Some(judges), Some(active));
        for (routine, after) in (0..).zip(first) {
            let due = Happening::Routine { environment: number, routine };
            self.queue.push(self.now + after, due);
        }
    }

    /// The health of a host in its environment, while it runs.
    pub fn health(&self, ix: HostIx) -> Health {
        self.environment.as_ref().map_or(Health::Healthy, |active| active.health(ix.0))
    }

    /// Starts to count what each host sends and receives.
    pub fn start_meter(&mut self) {
        self.meter = Some(Box::default());
    }

    /// Stops to count, and returns the counts since [`start_meter`](Self::start_meter).
    pub fn take_meter(&mut self) -> Meter {
        self.meter.take().map(|meter| *meter).unwrap_or_default()
    }

    pub(super) fn on_routine(&mut self, environment: u32, routine: u32) {
        let is_due = |active: &mut crate::environment::Active| active.number() == environment;
        let Some(mut active) = self.environment.take_if(is_due) else { return };
        if let Some(after) = active.act(routine, self) {
            self.queue.push(self.now + after, Happening::Routine { environment, routine });
        }
        self.environment = Some(active);
    }

    /// What the environment does to a datagram that is sent now.
    pub(super) fn judge_datagram(&mut self, from: u32, to: SocketAddr, bytes: &[u8]) -> Verdict {
        let Some(to) = host_of(to) else { return Verdict::default() };
        let carried = Carried::Datagram(Kind::of(bytes));
        self.judge(Packet { from, to, at: self.now, carried })
    }

    /// What it does to a packet of an exchange that is sent at this moment.
    pub(super) fn judge_stream(&mut self, from: u32, to: u32, at: Instant) -> Verdict {
        self.judge(Packet { from, to, at, carried: Carried::Stream })
    }

    fn judge(&mut self, packet: Packet) -> Verdict {
        self.judges.as_mut().map_or(Verdict::default(), |judges| judges.judge(packet))
    }

    pub(super) fn meter_sent(&mut self, host: u32, datagram: &[u8], bytes: u64) {
        if let Some(meter) = &mut self.meter {
            meter.on_sent(host, Kind::of(datagram), bytes);
        }
    }

    pub(super) fn meter_received(&mut self, to: SocketAddr, datagram: &[u8]) {
        if let (Some(meter), Some(to)) = (&mut self.meter, host_of(to)) {
            meter.on_received(to, Kind::of(datagram), self.now);
        }
    }
}
