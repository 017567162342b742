//! What is particular to UDP and TCP: ports, families, framings, buffers, what the system says.

#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use swim_transport::{FrameEnd, Framing, LengthPrefixed, Transport, UdpTcp, UdpTcpConfig};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::timeout;

/// Longer than anything takes that works, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// Sends until it is received, for a datagram may be lost.
async fn deliver(from: &UdpTcp, to: &UdpTcp, address: SocketAddr) -> SocketAddr {
    let mut buffer = [0; 8];
    let received = timeout(PATIENCE, async {
        loop {
            from.send_to(b"datagram", address).await.unwrap();
            let received = timeout(Duration::from_millis(500), to.recv_from(&mut buffer)).await;
            if let Ok(received) = received {
                return received.unwrap();
            }
        }
    });
    let (length, source) = received.await.unwrap();
    assert_eq!(&buffer[..length], b"datagram");
    source
}

async fn exchange(from: &UdpTcp, to: &UdpTcp, address: SocketAddr) -> SocketAddr {
    let request = [3, 0, 0, 0, 1, 2, 3];
    let answer = async {
        let incoming = to.accept().await.unwrap();
        incoming.responder.reply(incoming.frame);
        incoming.from
    };
    let ask = from.exchange(address, request.to_vec());
    let both = timeout(PATIENCE, async { tokio::join!(ask, answer) });
    let (reply, source) = both.await.unwrap();
    assert_eq!(reply.unwrap().unwrap(), request);
    source
}

#[tokio::test]
async fn a_port_that_is_taken_on_either_plane_is_an_error() {
    let udp = UdpSocket::bind(loopback()).await.unwrap();
    assert!(UdpTcp::bind(udp.local_addr().unwrap()).await.is_err());
    let tcp = TcpListener::bind(loopback()).await.unwrap();
    assert!(UdpTcp::bind(tcp.local_addr().unwrap()).await.is_err());
    let both = UdpTcp::bind(loopback()).await.unwrap();
    assert!(UdpTcp::bind(both.local_addr()).await.is_err());
}

#[tokio::test]
async fn a_wildcard_of_ipv6_reaches_ipv4_peers_and_names_them_plainly() {
    let wide = UdpTcp::bind("[::]:0".parse().unwrap()).await.unwrap();
    let narrow = UdpTcp::bind(loopback()).await.unwrap();
    let at_v4 = SocketAddr::new(loopback().ip(), wide.local_addr().port());
    assert_eq!(deliver(&narrow, &wide, at_v4).await, narrow.local_addr());
    assert_eq!(deliver(&wide, &narrow, narrow.local_addr()).await, at_v4);
    assert_eq!(exchange(&narrow, &wide, at_v4).await.ip(), narrow.local_addr().ip());
    exchange(&wide, &narrow, narrow.local_addr()).await;

    let v6 = UdpTcp::bind("[::1]:0".parse().unwrap()).await.unwrap();
    let at_v6 = SocketAddr::new(v6.local_addr().ip(), wide.local_addr().port());
    assert_eq!(deliver(&v6, &wide, at_v6).await, v6.local_addr());
    assert_eq!(exchange(&v6, &wide, at_v6).await.ip(), v6.local_addr().ip());
}

#[tokio::test]
async fn a_receive_buffer_shows_what_was_asked_and_what_was_granted() {
    // Small enough for any system to grant, and too large for any.
    for (asked, granted) in [(64 << 10, true), (1 << 30, false)] {
        let config = UdpTcpConfig { receive_buffer: asked, ..UdpTcpConfig::default() };
        let bound = UdpTcp::bind_with(loopback(), LengthPrefixed::default(), config).await;
        let stats = bound.unwrap().stats();
        assert_eq!(stats.receive_buffer_asked, asked);
        assert_eq!(stats.receive_buffer_granted >= asked, granted, "{stats:?}");
        assert!(stats.receive_buffer_granted > 0);
    }
}

#[tokio::test]
async fn a_datagram_to_a_closed_port_fails_neither_the_next_receive_nor_the_next_send() {
    let (one, two) =
        (UdpTcp::bind(loopback()).await.unwrap(), UdpTcp::bind(loopback()).await.unwrap());
    let closed = UdpTcp::bind(loopback()).await.unwrap();
    let nobody = closed.local_addr();
    closed.close().await;
    for _ in 0..10 {
        one.send_to(b"anybody?", nobody).await.unwrap();
        let received = timeout(Duration::from_millis(5), one.recv_from(&mut [0; 8])).await;
        assert!(received.is_err(), "{received:?}");
    }
    deliver(&two, &one, one.local_addr()).await;
    deliver(&one, &two, two.local_addr()).await;
}

#[tokio::test]
async fn a_host_where_nobody_listens_any_more_refuses() {
    let (one, gone) =
        (UdpTcp::bind(loopback()).await.unwrap(), UdpTcp::bind(loopback()).await.unwrap());
    let nobody = gone.local_addr();
    gone.close().await;
    let refused = timeout(PATIENCE, one.exchange(nobody, vec![1, 0, 0, 0, 7])).await.unwrap();
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_datagram_that_cannot_be_sent_is_an_error_and_counted() {
    let one = UdpTcp::bind(loopback()).await.unwrap();
    // A socket of IPv4 has no way to an address of IPv6.
    assert!(one.send_to(b"x", "[::1]:9".parse().unwrap()).await.is_err());
    assert_eq!(one.stats().send_failed, 1);
}

/// Lines of text: the frame ends with the line, whatever its length, up to a bound. It counts the
/// bytes that it looks at.
#[derive(Debug, Default)]
struct Lines {
    looked_at: Arc<AtomicUsize>,
}

const LINE_MAX: usize = 10_000_000;

impl Framing for Lines {
    /// So many bytes hold no end of a line.
    type Progress = usize;

    fn frame_end(&self, read: &[u8], searched: &mut usize) -> FrameEnd {
        let end = read[*searched..].iter().position(|&byte| byte == b'\n');
        let until = end.map_or(read.len(), |end| *searched + end + 1);
        self.looked_at.fetch_add(until - *searched, Ordering::Relaxed);
        *searched = until;
        match end {
            Some(_) => FrameEnd::Complete(until),
            None if read.len() < LINE_MAX => FrameEnd::Incomplete,
            None => FrameEnd::Invalid,
        }
    }
}

#[tokio::test]
async fn another_protocol_frames_its_messages_in_its_own_way() {
    let (asked, answered) = (Lines::default(), Lines::default());
    let looked_at = [&asked, &answered].map(|lines| Arc::clone(&lines.looked_at));
    let bind = async |framing| {
        UdpTcp::bind_with(loopback(), framing, UdpTcpConfig::default()).await.unwrap()
    };
    let (one, two) = (bind(answered).await, bind(asked).await);
    for length in [0, 1, 90_000, 9_600_000] {
        let line = [&vec![b'x'; length][..], b"\n"].concat();
        let answer = async {
            let incoming = two.accept().await.unwrap();
            assert!(incoming.frame == line, "another request");
            incoming.responder.reply([b"re: ", &line[..]].concat());
        };
        let ask = one.exchange(two.local_addr(), line.clone());
        let both = timeout(PATIENCE, async { tokio::join!(ask, answer) });
        let (reply, ()) = both.await.unwrap();
        assert!(reply.unwrap().unwrap() == [b"re: ", &line[..]].concat(), "another reply");
        // Each byte was looked at once, however many pieces it came in.
        let [asked, answered] = looked_at.each_ref().map(|count| count.swap(0, Ordering::Relaxed));
        assert_eq!((asked, answered), (line.len(), line.len() + 4));
    }
    // What has no end is given up at the bound that the framing sets.
    let endless = one.exchange(two.local_addr(), vec![b'x'; 2 * LINE_MAX]);
    let reply = timeout(PATIENCE, endless).await.unwrap();
    assert!(!matches!(reply, Ok(Some(_))), "{reply:?}");
    assert_eq!(two.stats().invalid, 1);
}

/// A framing with a bug.
#[derive(Debug)]
struct Panics;

impl Framing for Panics {
    type Progress = usize;

    fn frame_end(&self, read: &[u8], searched: &mut usize) -> FrameEnd {
        assert_ne!(read, b"panic\n", "as asked");
        Lines::default().frame_end(read, searched)
    }
}

#[tokio::test]
async fn a_framing_that_panics_loses_its_connection_and_nothing_else() {
    let config = UdpTcpConfig { connections_max: 1, ..UdpTcpConfig::default() };
    let two = UdpTcp::bind_with(loopback(), Panics, config).await.unwrap();
    let one =
        UdpTcp::bind_with(loopback(), Lines::default(), UdpTcpConfig::default()).await.unwrap();
    for _ in 0..3 {
        let ask = one.exchange(two.local_addr(), b"panic\n".to_vec());
        assert!(!matches!(timeout(PATIENCE, ask).await.unwrap(), Ok(Some(_))));
    }
    let ask = one.exchange(two.local_addr(), b"fine\n".to_vec());
    let answer = async { two.accept().await.unwrap().responder.reply(b"fine\n".to_vec()) };
    let (reply, ()) = timeout(PATIENCE, async { tokio::join!(ask, answer) }).await.unwrap();
    assert_eq!(reply.unwrap().unwrap(), b"fine\n");
    assert_eq!(two.stats().broken, 3);
}
