//! What the operating system says of this machine: its addresses, and which of them a route begins at.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use if_addrs::{IfOperStatus, Interface, get_if_addrs};
use swim_proto::Scope;

/// More addresses than this are not looked at.
const ADDRESSES_MAX: usize = 256;

/// This machine's addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Machine {
    /// Those of its interfaces, in its order. Without those of IPv6 that are link-local, for they are of
    /// no use without a zone.
    pub(super) addresses: Vec<IpAddr>,
    /// Those of interfaces without a carrier: an unplugged cable, a bridge that nobody uses.
    pub(super) idle: Vec<IpAddr>,
    /// Those at which the default routes begin.
    pub(super) default_routes: Vec<IpAddr>,
}

impl Machine {
    /// Looks at the machine. Where its interfaces cannot be read it has only its default routes.
    pub(super) fn look() -> Self {
        // Addresses kept for documentation: nothing is sent, the system only says whence it would be.
        let outside: [IpAddr; 2] = [
            Ipv4Addr::new(192, 0, 2, 1).into(),
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
        ];
        let default_routes = outside.into_iter().map(|ip| SocketAddr::new(ip, 9));
        let default_routes = default_routes.filter_map(source_towards).collect();
        let found = addresses().unwrap_or_else(|| (Vec::clone(&default_routes), Vec::new()));
        let (addresses, idle) = found;
        Self { addresses, idle, default_routes }
    }

    /// Whether this is an address of this machine.
    pub(super) fn has(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        Scope::of(ip) == Scope::Host || self.addresses.contains(&ip) || self.idle.contains(&ip)
    }
}

/// The addresses of interfaces with a carrier, and those of the others.
fn addresses() -> Option<(Vec<IpAddr>, Vec<IpAddr>)> {
    let mut interfaces = get_if_addrs().ok()?;
    interfaces.retain(|it| it.ip().is_ipv4() || Scope::of(it.ip()) != Scope::Link);
    interfaces.truncate(ADDRESSES_MAX);
    let (up, idle): (Vec<_>, Vec<_>) =
        interfaces.into_iter().partition(|it| it.oper_status == IfOperStatus::Up);
    let ips = |interfaces: Vec<Interface>| interfaces.iter().map(Interface::ip).collect();
    Some((ips(up), ips(idle)))
}

/// This machine's address on the route to `to`. Connecting a datagram socket sends nothing.
pub(super) fn source_towards(to: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(to).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_of_this_machine_and_where_a_route_begins_too() {
        let machine = Machine::look();
        for ip in ["127.0.0.1", "127.0.1.1", "::1"] {
            assert!(machine.has(ip.parse().unwrap()));
        }
        assert!(!machine.has("192.0.2.1".parse().unwrap()));
        assert!(machine.default_routes.iter().all(|&ip| machine.has(ip)), "{machine:?}");
        let loopback = source_towards("127.0.0.1:9".parse().unwrap());
        assert_eq!(loopback, Some(Ipv4Addr::LOCALHOST.into()));
    }
}
