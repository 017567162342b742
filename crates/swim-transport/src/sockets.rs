//! Binding UDP and TCP on one port, and how addresses look from outside.

use std::io;
use std::net::{SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpSocket, UdpSocket};

use crate::udp_tcp::UdpTcpConfig;

/// How many pairs of ports are tried when the system is to choose one.
const PORT_TRIES: u32 = 32;
/// What is asked for less than this is not asked for again.
const BUFFER_MIN: usize = 64 * 1_024;
/// Some systems take no longer datagram than this buffer, and have 9 KiB by default.
const SEND_BUFFER: usize = 256 * 1_024;

/// Both planes on one port. TCP is bound first: it is the one that others more often hold.
pub(crate) fn bind_pair(
    address: SocketAddr,
    config: &UdpTcpConfig,
) -> io::Result<(TcpListener, UdpSocket)> {
    // An address of IPv4 in IPv6's clothes is one of IPv4; no socket of IPv6 alone can be bound to it.
    let address = match address.ip().to_canonical() {
        ip if ip == address.ip() => address,
        ip => SocketAddr::new(ip, address.port()),
    };
    let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        match try_bind_pair(address, config) {
            Err(_) if tries > 1 => tries -= 1,
            result => return result,
        }
    }
}

fn try_bind_pair(
    address: SocketAddr,
    config: &UdpTcpConfig,
) -> io::Result<(TcpListener, UdpSocket)> {
    let tcp = bind_tcp(address, config)?;
    let udp = bind_udp(tcp.local_addr()?, config)?;
    Ok((tcp, udp))
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if let SocketAddr::V6(v6) = address {
        // A wildcard takes IPv4 peers too; a given address is that of IPv6 peers alone.
        socket.set_only_v6(!v6.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind_tcp(address: SocketAddr, config: &UdpTcpConfig) -> io::Result<TcpListener> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    // So that the port is free at once after a close; on Windows it would mean another thing.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    limit_segments(&socket, config.segment_bytes_max);
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(config.backlog).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}

/// A socket that connects to `to` for a node at `local`. It speaks from the address that the node
/// listens on, so that others see it there, unless that is a wildcard, or one that cannot speak to `to`.
pub(crate) fn asking_socket(
    local: SocketAddr,
    to: SocketAddr,
    segment_bytes_max: u32,
) -> io::Result<TcpSocket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    limit_segments(&socket, segment_bytes_max);
    let any = local.ip().is_unspecified() || local.is_ipv4() != to.is_ipv4();
    if !any && local.ip().is_loopback() == to.ip().is_loopback() {
        // With its scope, if it has one. Where no port is left there, the system may choose another
        // address rather than not ask at all.
        let mut from = local;
        from.set_port(0);
        let _ = socket.bind(&from.into());
    }
    Ok(TcpSocket::from_std_stream(socket.into()))
}

/// Shorter segments get through where longer ones vanish. It is a help and no condition: a system
/// that does not take it has its own measure.
fn limit_segments(socket: &Socket, bytes_max: u32) {
    #[cfg(unix)]
    let _ = socket.set_tcp_mss(bytes_max);
    #[cfg(not(unix))]
    let _ = (socket, bytes_max);
}

fn bind_udp(address: SocketAddr, config: &UdpTcpConfig) -> io::Result<UdpSocket> {
    let socket = socket(address, Type::DGRAM, Protocol::UDP)?;
    // A smaller grant is no error: it shows in the stats.
    ask(config.receive_buffer, |bytes| socket.set_recv_buffer_size(bytes));
    ask(SEND_BUFFER, |bytes| socket.set_send_buffer_size(bytes));
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// Asks for a buffer. Where the system refuses what is too much instead of granting less, half of
/// it is asked for, and so on.
fn ask(bytes: usize, set: impl Fn(usize) -> io::Result<()>) {
    let mut bytes = bytes;
    while set(bytes).is_err() && bytes > BUFFER_MIN {
        bytes /= 2;
    }
}

/// The receive buffer of a socket in bytes, as it would have been asked for.
pub(crate) fn receive_buffer(udp: &UdpSocket) -> io::Result<usize> {
    let bytes = SockRef::from(udp).recv_buffer_size()?;
    // Linux doubles what it grants, for its own bookkeeping, and says the double.
    let doubled = cfg!(any(target_os = "linux", target_os = "android"));
    Ok(if doubled { bytes / 2 } else { bytes })
}

/// A peer's address as others would write it: an IPv4 peer of a socket that takes both shows as
/// what it is. The scope of a link-local address stays, for without it nobody can answer.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    let SocketAddr::V6(v6) = address else { return address };
    match v6.ip().to_ipv4_mapped() {
        Some(v4) => (v4, v6.port()).into(),
        None => SocketAddrV6::new(*v6.ip(), v6.port(), 0, v6.scope_id()).into(),
    }
}

/// The other way round: a socket of IPv6 names IPv4 peers in its own way.
pub(crate) fn mapped(local: SocketAddr, to: SocketAddr) -> SocketAddr {
    match (local, to) {
        (SocketAddr::V6(_), SocketAddr::V4(v4)) => (v4.ip().to_ipv6_mapped(), v4.port()).into(),
        _ => to,
    }
}

/// Whether a socket that is bound to `local` sends datagrams to an address, and takes some from it.
pub(crate) fn reaches(local: SocketAddr, to: SocketAddr) -> bool {
    match (local, to.ip().to_canonical().is_ipv4()) {
        (SocketAddr::V4(_), ipv4) => ipv4,
        // As it was bound: a wildcard takes both.
        (SocketAddr::V6(v6), ipv4) => v6.ip().is_unspecified() || !ipv4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_ipv4_peer_is_named_plainly_and_reached_by_a_socket_of_ipv6() {
        let (v4, v6) = (address("10.1.2.3:7"), address("[::ffff:10.1.2.3]:7"));
        assert_eq!(plain(v6), v4);
        assert_eq!(mapped(address("[::]:1"), v4), v6);
        assert_eq!(mapped(address("0.0.0.0:1"), v4), v4);
    }

    #[test]
    fn a_wildcard_of_ipv6_reaches_both_families_and_any_other_socket_its_own() {
        let (v4, v6) = (address("10.1.2.3:7"), address("[2001:db8::1]:7"));
        let reached = |local| [v4, v6].map(|to| reaches(address(local), to));
        assert_eq!(reached("[::]:1"), [true, true]);
        assert_eq!(reached("0.0.0.0:1"), [true, false]);
        assert_eq!(reached("127.0.0.1:1"), [true, false]);
        assert_eq!(reached("[::1]:1"), [false, true]);
        assert!(reaches(address("0.0.0.0:1"), address("[::ffff:10.1.2.3]:7")));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn both_sides_of_a_connection_keep_to_the_longest_segment_and_the_asker_to_its_address() {
        let config = UdpTcpConfig::default();
        let (tcp, _udp) = bind_pair(address("127.0.0.1:0"), &config).unwrap();
        let to = tcp.local_addr().unwrap();
        let socket = asking_socket(address("127.0.0.2:7"), to, config.segment_bytes_max).unwrap();
        let (asker, accepted) = tokio::join!(socket.connect(to), tcp.accept());
        let ((accepted, from), asker) = (accepted.unwrap(), asker.unwrap());
        assert_eq!(from.ip(), address("127.0.0.2:7").ip());
        for stream in [&asker, &accepted] {
            let segment = SockRef::from(stream).tcp_mss().unwrap();
            assert!(segment <= config.segment_bytes_max, "{segment}");
        }
        for (local, to) in [("0.0.0.0:7", to), ("10.0.0.1:7", to), ("[::1]:7", to)] {
            let socket = asking_socket(address(local), to, 1_200).unwrap();
            assert!(socket.local_addr().is_ok_and(|at| at.ip().is_unspecified()), "{local}");
        }
    }

    #[tokio::test]
    async fn an_ipv4_address_in_the_clothes_of_ipv6_is_listened_on_as_what_it_is() {
        let asked = address("[::ffff:127.0.0.1]:0");
        let (tcp, udp) = bind_pair(asked, &UdpTcpConfig::default()).unwrap();
        for local in [tcp.local_addr().unwrap(), udp.local_addr().unwrap()] {
            assert_eq!(local.ip(), address("127.0.0.1:1").ip());
        }
    }

    #[test]
    fn a_link_local_peer_keeps_its_scope_and_no_peer_a_flow() {
        let local = "fe80::1".parse().unwrap();
        assert_eq!(
            plain(SocketAddrV6::new(local, 7, 5, 3).into()),
            SocketAddrV6::new(local, 7, 0, 3).into()
        );
        assert_eq!(plain(address("[2001:db8::1]:7")), address("[2001:db8::1]:7"));
    }

    #[test]
    fn a_buffer_that_is_refused_is_asked_for_by_halves() {
        let asked = std::cell::RefCell::new(Vec::new());
        ask(1 << 20, |bytes| {
            asked.borrow_mut().push(bytes);
            if bytes > 300_000 { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(()) }
        });
        assert_eq!(*asked.borrow(), [1 << 20, 1 << 19, 1 << 18]);
        ask(1 << 20, |_| Err(io::ErrorKind::OutOfMemory.into()));
    }
}
