//! How far an address is good for.

use core::net::IpAddr;

/// From where an address leads to the host that it was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// From that host alone: loopback.
    Host,
    /// From hosts on the same link: link-local.
    Link,
    /// From wherever there is a route.
    Wide,
}

impl Scope {
    /// That of an address.
    pub fn of(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        let link = match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        match (ip.is_loopback(), link) {
            (true, _) => Self::Host,
            (_, true) => Self::Link,
            _ => Self::Wide,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_leads_to_the_host_alone_and_link_local_no_further_than_the_link() {
        for (ip, scope) in [
            ("127.0.0.1", Scope::Host),
            ("127.0.1.1", Scope::Host),
            ("::1", Scope::Host),
            ("::ffff:127.0.0.1", Scope::Host),
            ("169.254.3.4", Scope::Link),
            ("fe80::1", Scope::Link),
            ("febf::1", Scope::Link),
            ("10.0.0.1", Scope::Wide),
            ("fd00::1", Scope::Wide),
            ("192.0.2.1", Scope::Wide),
        ] {
            assert_eq!(Scope::of(ip.parse().unwrap()), scope, "{ip}");
        }
    }
}
