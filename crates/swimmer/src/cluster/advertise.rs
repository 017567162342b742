//! Which address to tell others, when the one that is listened on is a wildcard.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// How the advertised address was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvertisedBy {
    /// The user gave it.
    Given,
    /// It is the one that is listened on.
    Listen,
    /// It is this machine's on the route to the first seed.
    RouteToSeed,
    /// It is the first of this machine that is not loopback.
    FirstAddress,
    /// This machine has no other than loopback.
    Loopback,
}

/// The address to advertise for a socket at `listen`.
pub(super) fn advertised(
    listen: SocketAddr,
    given: Option<SocketAddr>,
    first_seed: Option<SocketAddr>,
) -> (SocketAddr, AdvertisedBy) {
    if let Some(mut given) = given {
        if given.port() == 0 {
            given.set_port(listen.port());
        }
        return (given, AdvertisedBy::Given);
    }
    if !listen.ip().is_unspecified() {
        return (listen, AdvertisedBy::Listen);
    }
    let found = |ip: IpAddr, by| (SocketAddr::new(ip, listen.port()), by);
    if let Some(ip) = first_seed.and_then(source_towards) {
        return found(ip, AdvertisedBy::RouteToSeed);
    }
    // Addresses kept for documentation: nothing is sent, the system only says whence it would be.
    let outside: [IpAddr; 2] =
        [Ipv4Addr::new(192, 0, 2, 1).into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()];
    let ours = outside.into_iter().filter(|ip| ip.is_ipv4() || listen.is_ipv6());
    let ours = ours.filter_map(|ip| source_towards(SocketAddr::new(ip, 9)));
    match ours.into_iter().find(|ip| !ip.is_loopback()) {
        Some(ip) => found(ip, AdvertisedBy::FirstAddress),
        None if listen.is_ipv4() => found(Ipv4Addr::LOCALHOST.into(), AdvertisedBy::Loopback),
        None => found(Ipv6Addr::LOCALHOST.into(), AdvertisedBy::Loopback),
    }
}

/// This machine's address on the route to `to`. Connecting a datagram socket sends nothing.
fn source_towards(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}
