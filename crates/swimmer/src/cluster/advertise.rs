//! Which address to tell others, when the one that is listened on is a wildcard.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use swim_proto::Scope;

use super::machine::{Machine, source_towards};

/// How the advertised address was found. Of a wildcard the first of these that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdvertisedBy {
    /// The user gave it.
    Given,
    /// It is the one that is listened on.
    Listen,
    /// It is this machine's on the route to a seed on another machine.
    RouteToSeed,
    /// It is this machine's, and one of the seeds has it.
    Seed,
    /// It is loopback, because all seeds are at other ports of loopback.
    LoopbackSeeds,
    /// It is this machine's first private one; before others one at which a default route begins.
    Private,
    /// It is this machine's first that is neither private nor good for its link or itself alone;
    /// before others one at which a default route begins.
    Public,
    /// It is link-local: this machine has no other than that and loopback.
    LinkLocal,
    /// It is loopback: this machine has no other.
    Loopback,
}

/// Finds the address to advertise for a socket at a wildcard.
pub(super) struct Choice<'a> {
    pub(super) listen: SocketAddr,
    pub(super) machine: &'a Machine,
    /// The seeds, as far as they are known.
    pub(super) seeds: Vec<SocketAddr>,
    /// Whether there are no others.
    pub(super) are_all: bool,
}

impl Choice<'_> {
    /// The address, and how it was found.
    pub(super) fn advertised(&self) -> (SocketAddr, AdvertisedBy) {
        let (ip, by) = self.by_seeds().unwrap_or_else(|| self.by_machine());
        (SocketAddr::new(ip, self.listen.port()), by)
    }

    /// Whether the seeds that are not known yet could say more than is known: there is more than one
    /// address to choose from, and no seed has chosen.
    pub(super) fn is_open(&self) -> bool {
        let wide = self.candidates().filter(|&ip| Scope::of(ip) == Scope::Wide);
        !self.are_all && self.by_seeds().is_none() && wide.count() > 1
    }

    fn by_seeds(&self) -> Option<(IpAddr, AdvertisedBy)> {
        let elsewhere = self.seeds.iter().filter(|seed| !self.machine.has(seed.ip()));
        let mut routes = elsewhere.filter_map(|&seed| source_towards(seed));
        if let Some(ip) = routes.find(|&ip| self.is_usable(ip) && Scope::of(ip) != Scope::Host) {
            return Some((ip, AdvertisedBy::RouteToSeed));
        }
        let mut own = self.seeds.iter().map(SocketAddr::ip).filter(|&ip| self.machine.has(ip));
        if let Some(ip) = own.find(|&ip| self.is_usable(ip) && Scope::of(ip) == Scope::Wide) {
            return Some((ip, AdvertisedBy::Seed));
        }
        let other_port = |seed: &SocketAddr| seed.port() != self.listen.port();
        let local = |seed: &SocketAddr| Scope::of(seed.ip()) == Scope::Host && other_port(seed);
        let all_local = self.are_all && self.seeds.iter().all(local);
        let first = self.seeds.first().filter(|seed| all_local && self.is_usable(seed.ip()));
        first.map(|seed| (loopback(seed.ip()), AdvertisedBy::LoopbackSeeds))
    }

    fn by_machine(&self) -> (IpAddr, AdvertisedBy) {
        let find = |wanted: &dyn Fn(IpAddr) -> bool| self.candidates().find(|&ip| wanted(ip));
        let is_wide = |ip| Scope::of(ip) == Scope::Wide;
        let ours = if self.listen.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        };
        find(&is_private)
            .map(|ip| (ip, AdvertisedBy::Private))
            .or_else(|| find(&is_wide).map(|ip| (ip, AdvertisedBy::Public)))
            .or_else(|| {
                let link = find(&|ip| Scope::of(ip) == Scope::Link);
                link.map(|ip| (ip, AdvertisedBy::LinkLocal))
            })
            .unwrap_or((ours, AdvertisedBy::Loopback))
    }

    /// The addresses of this machine that this socket listens on, in the order in which they are
    /// preferred: default routes first, IPv4 before IPv6.
    fn candidates(&self) -> impl Iterator<Item = IpAddr> {
        let mut all: Vec<IpAddr> = self.machine.default_routes.clone();
        all.extend(&self.machine.addresses);
        if !all.iter().any(|&ip| Scope::of(ip) == Scope::Wide && self.is_usable(ip)) {
            // Its cable may be plugged in later.
            all.extend(&self.machine.idle);
        }
        all.retain(|&ip| self.is_usable(ip));
        all.sort_by_key(IpAddr::is_ipv6);
        let mut seen = Vec::new();
        all.retain(|ip| {
            let new = !seen.contains(ip);
            seen.push(*ip);
            new
        });
        all.into_iter()
    }

    /// Whether the socket listens on this address of this machine.
    fn is_usable(&self, ip: IpAddr) -> bool {
        ip.is_ipv4() || self.listen.is_ipv6()
    }
}

fn loopback(like: IpAddr) -> IpAddr {
    if like.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() }
}

/// RFC 1918, RFC 4193 and the shared space of RFC 6598, which is as little routed outside.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// What is chosen by a node at this wildcard, on a machine with these addresses of which a default
    /// route begins at some, with these seeds, all known.
    fn chosen(
        listen: &str,
        addresses: &[&str],
        routes: &[&str],
        seeds: &[&str],
    ) -> (String, AdvertisedBy) {
        let (addresses, default_routes) = (ips(addresses), ips(routes));
        let machine = Machine { addresses, default_routes, ..Machine::default() };
        let seeds = seeds.iter().map(|seed| seed.parse().unwrap()).collect();
        let listen = listen.parse().unwrap();
        let choice = Choice { listen, machine: &machine, seeds, are_all: true };
        let (address, by) = choice.advertised();
        assert_eq!(address.port(), listen.port());
        (address.ip().to_string(), by)
    }

    #[test]
    fn a_machine_without_a_default_route_has_more_than_loopback() {
        let addresses = &["127.0.0.1", "10.81.0.1"];
        let found = chosen("0.0.0.0:7", addresses, &[], &[]);
        assert_eq!(found, ("10.81.0.1".into(), AdvertisedBy::Private));
        let found = chosen("[::]:7", addresses, &[], &[]);
        assert_eq!(found, ("10.81.0.1".into(), AdvertisedBy::Private));
    }

    #[test]
    fn private_goes_before_public_and_public_before_what_leads_no_further_than_the_link() {
        let all = &["127.0.0.1", "169.254.1.1", "198.51.100.7", "172.17.0.1", "10.0.0.1"];
        for (addresses, routes, ip, by) in [
            (&all[..], &[][..], "172.17.0.1", AdvertisedBy::Private),
            (all, &["10.0.0.1"], "10.0.0.1", AdvertisedBy::Private),
            (&all[..3], &[], "198.51.100.7", AdvertisedBy::Public),
            (&all[..2], &[], "169.254.1.1", AdvertisedBy::LinkLocal),
            (&all[..1], &[], "127.0.0.1", AdvertisedBy::Loopback),
            (&["100.64.0.9"], &[], "100.64.0.9", AdvertisedBy::Private),
        ] {
            assert_eq!(chosen("0.0.0.0:7", addresses, routes, &[]), (ip.into(), by));
        }
    }

    #[test]
    fn a_socket_of_ipv4_takes_no_address_of_ipv6_and_a_wildcard_of_ipv6_prefers_ipv4() {
        let addresses = &["::1", "2001:db8::7", "fd00::7", "127.0.0.1", "10.0.0.1"];
        let found = chosen("0.0.0.0:7", addresses, &["2001:db8::7"], &[]);
        assert_eq!(found, ("10.0.0.1".into(), AdvertisedBy::Private));
        let found = chosen("[::]:7", &addresses[..3], &["2001:db8::7"], &[]);
        assert_eq!(found, ("fd00::7".into(), AdvertisedBy::Private));
        let found = chosen("[::]:7", &["::1"], &[], &[]);
        assert_eq!(found, ("::1".into(), AdvertisedBy::Loopback));
    }

    #[test]
    fn seeds_on_this_machine_do_not_make_it_advertise_loopback() {
        let addresses = &["127.0.0.1", "10.0.0.1", "10.9.0.1"];
        // Where a name of the own host comes first, or is the only one.
        for seeds in [&["127.0.0.1:7"][..], &["127.0.1.1:7", "10.9.0.1:7"], &["[::1]:7"]] {
            let (ip, by) = chosen("0.0.0.0:7", addresses, &[], seeds);
            assert_ne!(ip, "127.0.0.1", "{seeds:?}");
            let by_seed = ip == "10.9.0.1" && by == AdvertisedBy::Seed;
            assert!(by_seed || by == AdvertisedBy::Private, "{ip} {by:?}");
        }
    }

    #[test]
    fn a_cluster_of_which_all_seeds_are_on_loopback_is_one_of_this_machine() {
        let addresses = &["127.0.0.1", "10.0.0.1"];
        let found = chosen("0.0.0.0:8", addresses, &[], &["127.0.0.1:7", "127.0.0.1:9"]);
        assert_eq!(found, ("127.0.0.1".into(), AdvertisedBy::LoopbackSeeds));
        let (ip, _) = chosen("0.0.0.0:8", addresses, &[], &["127.0.0.1:7", "127.0.0.1:8"]);
        assert_eq!(ip, "10.0.0.1", "the same list on all machines");
    }

    #[test]
    fn an_interface_that_nobody_uses_is_the_last_choice() {
        let (listen, idle) = ("0.0.0.0:7".parse().unwrap(), ips(&["172.17.0.1"]));
        for (addresses, ip) in
            [(&["127.0.0.1", "198.51.100.7"][..], "198.51.100.7"), (&["127.0.0.1"], "172.17.0.1")]
        {
            let machine =
                Machine { addresses: ips(addresses), idle: idle.clone(), ..Machine::default() };
            let choice = Choice { listen, machine: &machine, seeds: Vec::new(), are_all: true };
            assert_eq!(choice.advertised().0.ip().to_string(), ip);
        }
    }

    #[test]
    fn names_are_of_use_only_where_there_is_a_choice() {
        let machine =
            |addresses: &[&str]| Machine { addresses: ips(addresses), ..Machine::default() };
        let is_open = |machine: &Machine, listen: &str| {
            let listen = listen.parse().unwrap();
            Choice { listen, machine, seeds: Vec::new(), are_all: false }.is_open()
        };
        assert!(!is_open(&machine(&["127.0.0.1", "10.0.0.1"]), "0.0.0.0:7"));
        assert!(!is_open(&machine(&["127.0.0.1", "10.0.0.1", "fd00::1"]), "0.0.0.0:7"));
        assert!(is_open(&machine(&["127.0.0.1", "10.0.0.1", "fd00::1"]), "[::]:7"));
        assert!(is_open(&machine(&["10.0.0.1", "10.1.0.1"]), "0.0.0.0:7"));
    }
}
