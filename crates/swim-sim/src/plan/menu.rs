//! The menu of faults: what each draws of chance, and when it ends.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::SliceRandom;

use super::Size;
use crate::cluster::{Data, HostIx, Place};
use crate::fault::{Fault, Isolation};
use crate::lie::Lie;
use crate::link::{Conditions, Tampering};

/// All that can happen, what should happen more often more than once.
pub(super) const MENU: [fn(&mut Draw); 33] = [
    Draw::crash,
    Draw::crash_and_restart,
    Draw::crash_and_restart,
    Draw::quick_restart,
    Draw::mass_restart,
    Draw::rolling_move,
    Draw::pause,
    Draw::pause_many,
    Draw::block,
    Draw::stick,
    Draw::overflow,
    Draw::jump,
    Draw::wall_clock,
    Draw::leave,
    Draw::leave_and_join,
    Draw::metadata,
    Draw::metadata,
    Draw::broadcast,
    Draw::twin,
    Draw::cut,
    Draw::cut,
    Draw::filter,
    Draw::isolate,
    Draw::isolate,
    Draw::swizzle,
    Draw::flap,
    Draw::clog,
    Draw::split,
    Draw::bridge,
    Draw::network,
    Draw::tamper,
    Draw::tamper,
    Draw::rate,
];

pub(super) fn draw_network(rng: &mut Xoshiro256PlusPlus, loss_max: u32) -> Conditions {
    let delay_max = match rng.random_range(0..4) {
        0 => Duration::from_millis(rng.random_range(5..150)),
        _ => Duration::from_millis(1),
    };
    let some = |rng: &mut Xoshiro256PlusPlus, max: u32| match rng.random_range(0..3) {
        0 => rng.random_range(0..=max),
        _ => 0,
    };
    Conditions {
        delay_min: Duration::from_micros(100),
        delay_max,
        tail: some(rng, 20),
        loss: some(rng, loss_max),
        duplication: some(rng, 100),
    }
}

/// One fault that is being drawn and, for most, its end.
pub(super) struct Draw {
    pub(super) rng: Xoshiro256PlusPlus,
    pub(super) hosts: u32,
    pub(super) liar: bool,
    pub(super) size: Size,
    pub(super) at: Duration,
    pub(super) faults: Vec<(Duration, Fault)>,
}

impl Draw {
    fn host(&mut self) -> HostIx {
        HostIx(self.rng.random_range(0..self.hosts))
    }

    /// Two different ones.
    fn pair(&mut self) -> (HostIx, HostIx) {
        let first = self.host();
        let other = (first.0 + self.rng.random_range(1..self.hosts)) % self.hosts;
        (first, HostIx(other))
    }

    /// Some of them, in a random order.
    fn some(&mut self) -> Vec<HostIx> {
        let mut hosts: Vec<HostIx> = (0..self.hosts).map(HostIx).collect();
        hosts.shuffle(&mut self.rng);
        hosts.truncate(self.rng.random_range(2..=self.hosts.max(3) as usize / 2 + 1));
        hosts
    }

    fn now(&mut self, fault: Fault) {
        self.faults.push((self.at, fault));
    }

    /// At a whole millisecond, for people to read.
    fn later(&mut self, after: Duration, fault: Fault) {
        let after = Duration::from_millis(after.as_millis() as u64);
        self.faults.push((self.at + after, fault));
    }

    /// How long it lasts.
    fn some_time(&mut self) -> Duration {
        let max = if self.size == Size::Full { 12_000 } else { 5_000 };
        Duration::from_millis(self.rng.random_range(100..max))
    }

    /// Sometimes long enough that all is over before it ends.
    fn long_time(&mut self) -> Duration {
        let once = self.some_time();
        if self.rng.random_range(0..2) == 0 { once } else { once * 3 }
    }

    fn data(&mut self) -> Data {
        if self.rng.random_range(0..4) == 0 { Data::Lost } else { Data::Kept }
    }

    pub(super) fn crash(&mut self) {
        let host = self.host();
        self.end(Duration::ZERO, host);
    }

    /// The process ends: in half of the cases alone, else with its host. The millisecond that was
    /// drawn decides, so that this needs no draw of its own.
    fn end(&mut self, after: Duration, host: HostIx) {
        let alone = (self.at + after).as_millis().is_multiple_of(2);
        let fault = if alone { Fault::Kill(host) } else { Fault::Crash(host) };
        self.later(after, fault);
    }

    fn crash_and_restart(&mut self) {
        let (host, data, after) = (self.host(), self.data(), self.some_time());
        let place = match self.rng.random_range(0..4) {
            0 | 1 => Place::Same,
            2 => Place::New,
            _ => Place::Back,
        };
        self.end(Duration::ZERO, host);
        self.later(after, Fault::Restart(host, data, place));
    }

    /// A crash, quick as a supervisor is.
    fn quick_restart(&mut self) {
        let (host, data) = (self.host(), Data::Kept);
        let after = Duration::from_millis(self.rng.random_range(1..300));
        self.end(Duration::ZERO, host);
        self.later(after, Fault::Restart(host, data, Place::Same));
    }

    fn mass_restart(&mut self) {
        let (data, after) = (Data::Kept, self.some_time());
        for host in self.some() {
            self.end(Duration::ZERO, host);
            self.later(after, Fault::Restart(host, data, Place::Same));
        }
    }

    /// One after the other starts at another port.
    fn rolling_move(&mut self) {
        let (data, each) = (Data::Kept, self.some_time() / 4);
        for (position, host) in self.some().into_iter().enumerate() {
            self.end(each * position as u32, host);
            self.later(each * (position as u32 + 1), Fault::Restart(host, data, Place::New));
        }
    }

    fn pause(&mut self) {
        let (host, after) = (self.host(), self.some_time());
        self.now(Fault::Pause(host));
        self.later(after, Fault::Resume(host));
    }

    fn pause_many(&mut self) {
        for host in self.some() {
            let after = self.some_time() / 3;
            self.now(Fault::Pause(host));
            self.later(after, Fault::Resume(host));
        }
    }

    fn block(&mut self) {
        let (host, after) = (self.host(), self.some_time());
        self.now(Fault::Block(host));
        self.later(after, Fault::Resume(host));
    }

    fn stick(&mut self) {
        let (host, after) = (self.host(), self.some_time());
        self.now(Fault::Stick(host));
        self.later(after, Fault::Resume(host));
    }

    /// It stands still with little room for what comes.
    fn overflow(&mut self) {
        let (host, after, packets) = (self.host(), self.some_time(), self.rng.random_range(0..12));
        self.now(Fault::Inbox(host, packets));
        let still = if self.rng.random_range(0..2) == 0 { Fault::Pause } else { Fault::Block };
        self.now(still(host));
        self.later(after, Fault::Resume(host));
    }

    /// A sleep of seconds to hours, in which nothing is lost but time.
    fn jump(&mut self) {
        let seconds = match self.rng.random_range(0..3) {
            0 => self.rng.random_range(1..10),
            1 => self.rng.random_range(10..600),
            _ => self.rng.random_range(600..10_000),
        };
        let host = self.host();
        self.now(Fault::Jump(host, Duration::from_secs(seconds)));
    }

    /// Set by an operator, or by who keeps clocks right.
    fn wall_clock(&mut self) {
        let millis = match self.rng.random_range(0..2) {
            0 => self.rng.random_range(1..5_000),
            _ => self.rng.random_range(5_000..7_200_000),
        };
        let (host, by) = (self.host(), Duration::from_millis(millis));
        let fault = match self.rng.random_range(0..2) {
            0 => Fault::ClockForward(host, by),
            _ => Fault::ClockBack(host, by),
        };
        self.now(fault);
    }

    fn leave(&mut self) {
        let host = self.host();
        self.now(Fault::Leave(host));
    }

    fn leave_and_join(&mut self) {
        let (host, after) = (self.host(), self.some_time());
        self.now(Fault::Leave(host));
        self.later(after, Fault::Join(host));
    }

    fn metadata(&mut self) {
        let (host, value) = (self.host(), self.rng.random());
        self.now(Fault::Metadata(host, value));
    }

    fn broadcast(&mut self) {
        let host = self.host();
        self.now(Fault::Broadcast(host));
    }

    /// A copied data folder: two with one identity, until one of them gets its own. Once in a plan:
    /// the records of two twins could name one address for two members, and no true one of either.
    fn twin(&mut self) {
        let again = self.faults.iter().any(|(_, fault)| matches!(fault, Fault::Twin(..)));
        if self.liar || again {
            return self.crash();
        }
        let ((twin, of), after) = (self.pair(), self.long_time());
        self.now(Fault::Twin(twin, of));
        self.later(after, Fault::Restart(twin, Data::Lost, Place::Same));
    }

    fn cut(&mut self) {
        let ((from, to), after) = (self.pair(), self.long_time());
        self.now(Fault::Cut(from, to));
        self.later(after, Fault::Mend(from, to));
    }

    /// Datagrams do not pass, as with a firewall or a path for small packets only.
    fn filter(&mut self) {
        let ((from, to), after) = (self.pair(), self.long_time());
        self.now(Fault::Filter(from, to));
        self.later(after, Fault::Mend(from, to));
    }

    fn isolate(&mut self) {
        let how = match self.rng.random_range(0..3) {
            0 => Isolation::Deaf,
            1 => Isolation::Mute,
            _ => Isolation::Both,
        };
        let (host, after) = (self.host(), self.long_time());
        self.now(Fault::Isolate(host, how));
        self.later(after, Fault::Reconnect(host));
    }

    /// Some are cut off one by one, and come back in another order.
    fn swizzle(&mut self) {
        let (mut hosts, each) = (self.some(), self.some_time() / 4);
        let count = hosts.len() as u32;
        for (position, &host) in hosts.iter().enumerate() {
            self.later(each * position as u32, Fault::Isolate(host, Isolation::Both));
        }
        hosts.shuffle(&mut self.rng);
        for (position, &host) in hosts.iter().enumerate() {
            self.later(each * (count + position as u32), Fault::Reconnect(host));
        }
    }

    /// Near the time between two probes, so that one falls into a gap again and again.
    fn flap(&mut self) {
        let ((a, b), after) = (self.pair(), self.long_time());
        let each = Duration::from_millis(self.rng.random_range(200..2_500));
        self.now(Fault::Flap(a, b, each));
        self.later(after, Fault::Heal);
    }

    /// One link, or all that lead to a host.
    fn clog(&mut self) {
        let ((from, to), time) = (self.pair(), self.some_time());
        if self.rng.random_range(0..2) == 0 {
            self.now(Fault::Clog(from, to, time));
        } else {
            for from in (0..self.hosts).map(HostIx).filter(|&from| from != to) {
                self.now(Fault::Clog(from, to, time));
            }
        }
    }

    fn split(&mut self) {
        let (sides, after) = (self.sides(), self.long_time());
        self.now(Fault::Split(sides));
        self.later(after, Fault::Heal);
    }

    /// A split that one host does not see: A and B hear each other, B and C do, A and C do not.
    fn bridge(&mut self) {
        let (sides, host, after) = (self.sides(), self.host(), self.long_time());
        self.now(Fault::Split(sides));
        self.now(Fault::Bridge(host));
        self.later(after, Fault::Heal);
    }

    /// One against all, or anyhow.
    fn sides(&mut self) -> u32 {
        match self.rng.random_range(0..3) {
            0 => 1 << self.host().0,
            _ => self.rng.random_range(1..1 << self.hosts),
        }
    }

    fn network(&mut self) {
        let conditions = draw_network(&mut self.rng, 300);
        self.now(Fault::Network(conditions));
    }

    fn tamper(&mut self) {
        let some = |rng: &mut Xoshiro256PlusPlus| match rng.random_range(0..2) {
            0 => rng.random_range(1..=200),
            _ => 0,
        };
        let rng = &mut self.rng;
        let (flips, cuts, splices) = (some(rng), some(rng), some(rng));
        let (replays, foreign, later) = (some(rng), some(rng), some(rng));
        let after = self.long_time();
        self.now(Fault::Tamper(Tampering { flips, cuts, splices, replays, foreign, later }));
        self.later(after, Fault::Tamper(Tampering::default()));
    }

    fn rate(&mut self) {
        let (host, after) = (self.host(), self.some_time());
        let rate = self.rng.random_range(200..20_000);
        self.now(Fault::Rate(host, rate));
        self.later(after, Fault::Heal);
    }

    pub(super) fn lie(&mut self) {
        let lie = Lie::random(&mut self.rng, self.hosts);
        self.now(Fault::Lie(lie));
    }
}
