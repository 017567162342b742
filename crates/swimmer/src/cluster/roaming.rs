//! A node on a wildcard follows its machine, whose addresses change: a lease ends, a machine moves (J3).

use std::net::SocketAddr;
use std::time::Duration;

use swim_proto::Scope;
use tokio::time::Instant;

use super::advertise::{AdvertisedBy, Choice};
use super::machine::Machine;

/// How often the machine is looked at. A look costs less than a tenth of a millisecond.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);

/// What is known of the machine, and when to look again.
pub(super) struct Roaming {
    machine: Machine,
    by: AdvertisedBy,
    look_at: Instant,
}

impl Roaming {
    /// The advertised address was found so on this machine.
    pub(super) fn new(machine: Machine, by: AdvertisedBy) -> Self {
        Self { machine, by, look_at: Instant::now() + LOOK_INTERVAL }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.look_at
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Takes over what the machine is now. Returns whether that is another than before.
    pub(super) fn look(&mut self, machine: Machine) -> bool {
        self.look_at = Instant::now() + LOOK_INTERVAL;
        let changed = machine != self.machine;
        self.machine = machine;
        changed
    }

    /// The address to advertise in place of one that the machine has no more, or that was loopback for
    /// want of another; `None` while there is none that others reach.
    pub(super) fn replace(
        &mut self,
        listen: SocketAddr,
        advertised: SocketAddr,
        members: Vec<SocketAddr>,
    ) -> Option<SocketAddr> {
        let makeshift = matches!(self.by, AdvertisedBy::Loopback | AdvertisedBy::LinkLocal);
        if self.machine.has(advertised.ip()) && !makeshift {
            return None;
        }
        let choice = Choice { listen, machine: &self.machine, seeds: members, are_all: true };
        let (address, by) = choice.advertised();
        if Scope::of(address.ip()) != Scope::Wide || address == advertised {
            return None;
        }
        self.by = by;
        Some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(addresses: &[&str]) -> Machine {
        let addresses = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        Machine { addresses, ..Machine::default() }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn j3_an_address_that_the_machine_has_no_more_is_replaced_by_one_that_it_has() {
        let (listen, old) = (address("0.0.0.0:7"), address("10.0.0.1:7"));
        let first = machine(&["127.0.0.1", "10.0.0.1"]);
        let mut roaming = Roaming::new(first.clone(), AdvertisedBy::Private);
        assert!(!roaming.look(first));
        assert!(roaming.look(machine(&["127.0.0.1", "10.0.0.9", "10.0.0.1"])));
        assert_eq!(roaming.replace(listen, old, Vec::new()), None, "it is there");
        assert!(roaming.look(machine(&["127.0.0.1"])));
        assert_eq!(roaming.replace(listen, old, Vec::new()), None, "there is none for now");
        assert!(roaming.look(machine(&["127.0.0.1", "10.0.0.9"])));
        assert_eq!(roaming.replace(listen, old, Vec::new()), Some(address("10.0.0.9:7")));
    }

    #[tokio::test]
    async fn j3_loopback_for_want_of_another_address_is_replaced_when_there_is_one() {
        let (listen, loopback) = (address("0.0.0.0:7"), address("127.0.0.1:7"));
        for (by, replaced) in [
            (AdvertisedBy::Loopback, Some(address("10.0.0.9:7"))),
            (AdvertisedBy::LoopbackSeeds, None),
        ] {
            let mut roaming = Roaming::new(machine(&["127.0.0.1"]), by);
            assert_eq!(roaming.replace(listen, loopback, Vec::new()), None);
            roaming.look(machine(&["127.0.0.1", "10.0.0.9"]));
            assert_eq!(roaming.replace(listen, loopback, Vec::new()), replaced);
        }
    }
}
