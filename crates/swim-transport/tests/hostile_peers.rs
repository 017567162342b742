//! Peers that mean harm: what they do is counted by its reason, and honest ones hardly notice.

#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};
use swim_transport::{LengthPrefixed, Transport, UdpTcp, UdpTcpConfig, UdpTcpStats};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Longer than anything takes that works, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any test: what this bounds is never bounded by it.
const NEVER: Duration = Duration::from_secs(3_600);

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_le_bytes()[..], body].concat()
}

/// A transport that answers each request with itself; and what answers, to be dropped last.
async fn start(framing: LengthPrefixed, config: UdpTcpConfig) -> (Arc<UdpTcp>, JoinSet<()>) {
    let transport = Arc::new(UdpTcp::bind_with(loopback(), framing, config).await.unwrap());
    let (mut answering, answers) = (JoinSet::new(), transport.clone());
    answering.spawn(async move {
        while let Ok(incoming) = answers.accept().await {
            incoming.responder.reply(incoming.frame);
        }
    });
    (transport, answering)
}

/// An honest exchange of a peer of its own.
async fn exchange(to: SocketAddr) {
    let peer = UdpTcp::bind(loopback()).await.unwrap();
    let request = frame(b"an honest request");
    let reply = within("an honest exchange", peer.exchange(to, request.clone())).await;
    assert_eq!(reply.unwrap().unwrap(), request);
}

fn ended(stats: &UdpTcpStats) -> u64 {
    let UdpTcpStats { answered, silent, broken, invalid, .. } = stats;
    let UdpTcpStats { timed_out, displaced, unanswered, .. } = stats;
    answered + silent + broken + invalid + timed_out + displaced + unanswered
}

/// Waits until each connection that was accepted has ended, under one name.
async fn all_ended(transport: &UdpTcp, count: u64) -> UdpTcpStats {
    within("the end of all connections", async {
        loop {
            let stats = transport.stats();
            assert!(ended(&stats) <= stats.accepted, "{stats:?}");
            if stats.accepted == count && ended(&stats) == count {
                return stats;
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

/// Reads until the other side has closed the connection, gently or not.
async fn until_closed(mut stream: TcpStream) {
    let mut rest = [0; 64];
    while matches!(within("a close", stream.read(&mut rest)).await, Ok(1..)) {}
}

#[tokio::test]
async fn random_bytes_are_counted_and_harm_nobody() {
    let (transport, _answering) = start(LengthPrefixed::default(), UdpTcpConfig::default()).await;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    for _ in 0..100 {
        let mut stream = TcpStream::connect(transport.local_addr()).await.unwrap();
        let mut bytes = vec![0; random.random_range(4..3_000)];
        random.fill_bytes(&mut bytes);
        // The other side may have seen enough and closed before all is written.
        let _ = stream.write_all(&bytes).await;
        until_closed(stream).await;
    }
    exchange(transport.local_addr()).await;
    let stats = all_ended(&transport, 101).await;
    assert_eq!((stats.invalid, stats.answered), (100, 1), "{stats:?}");
}

#[tokio::test]
async fn each_bad_end_has_its_own_name() {
    let config = UdpTcpConfig { request_timeout: Duration::from_millis(200), ..Default::default() };
    let (transport, _answering) = start(LengthPrefixed::default(), config).await;
    let connect = async |bytes: &[u8]| {
        let mut stream = TcpStream::connect(transport.local_addr()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    };
    until_closed(connect(&u32::MAX.to_le_bytes()).await).await;
    drop(connect(&[]).await);
    drop(connect(&[9, 0, 0, 0, 1]).await);
    let (_held, _held_too) = (connect(&[9, 0, 0, 0, 1]).await, connect(&[]).await);
    exchange(transport.local_addr()).await;

    let stats = all_ended(&transport, 6).await;
    assert_eq!((stats.invalid, stats.silent, stats.broken), (1, 1, 1), "{stats:?}");
    assert_eq!((stats.timed_out, stats.answered), (2, 1), "{stats:?}");
}

#[tokio::test]
async fn a_request_that_the_node_leaves_lying_is_counted_and_its_asker_let_go() {
    let config = UdpTcpConfig { request_timeout: Duration::from_millis(200), ..Default::default() };
    let transport = UdpTcp::bind_with(loopback(), LengthPrefixed::default(), config).await.unwrap();
    let peer = UdpTcp::bind(loopback()).await.unwrap();
    let ask = peer.exchange(transport.local_addr(), frame(b"anybody?"));
    assert_eq!(within("the end of the exchange", ask).await.unwrap(), None);
    assert_eq!(all_ended(&transport, 1).await.unanswered, 1);
}

/// How much memory the process has asked for, used or not.
#[cfg(target_os = "linux")]
fn reserved_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_length_of_4_gib_reserves_nothing_on_either_side() {
    const PROMISES: u64 = 64;
    let boundless = LengthPrefixed { max: u32::MAX };
    let (transport, _answering) = start(boundless, UdpTcpConfig::default()).await;
    let hostile = TcpListener::bind(loopback()).await.unwrap();
    let to_hostile = hostile.local_addr().unwrap();
    let promise = [&u32::MAX.to_le_bytes()[..], &[7; 100]].concat();
    let before = reserved_bytes();

    let mut held = Vec::new();
    for _ in 0..PROMISES {
        let mut stream = TcpStream::connect(transport.local_addr()).await.unwrap();
        stream.write_all(&promise).await.unwrap();
        held.push(stream);
    }
    let mut asking = JoinSet::new();
    for _ in 0..PROMISES {
        let transport = transport.clone();
        asking.spawn(async move { transport.exchange(to_hostile, frame(b"request")).await });
        let (mut stream, _) = within("our request", hostile.accept()).await.unwrap();
        stream.write_all(&promise).await.unwrap();
        held.push(stream);
    }
    exchange(transport.local_addr()).await;
    sleep(Duration::from_millis(100)).await;
    assert!(asking.try_join_next().is_none(), "they wait for the rest");
    let grown = reserved_bytes().saturating_sub(before);
    assert!(grown < PROMISES << 30, "{grown} bytes for {PROMISES} promises of 4 GiB");
}

/// Few places, and no time-out that would free them.
fn crowded() -> UdpTcpConfig {
    UdpTcpConfig {
        connections_max: 64,
        patience: Duration::from_millis(50),
        request_timeout: NEVER,
        ..UdpTcpConfig::default()
    }
}

/// Sends the beginning of a request byte by byte, and again as soon as it is thrown out.
async fn drip(to: SocketAddr) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(to).await {
            for byte in frame(&[7; 60_000]) {
                if stream.write_all(&[byte]).await.is_err() {
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
        }
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn hundreds_that_drip_and_come_again_do_not_keep_out_an_honest_peer() {
    let (transport, _answering) = start(LengthPrefixed::default(), crowded()).await;
    let mut drips = JoinSet::new();
    for _ in 0..200 {
        drips.spawn(drip(transport.local_addr()));
    }
    within("all places taken", async {
        while transport.stats().displaced == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    for _ in 0..5 {
        exchange(transport.local_addr()).await;
    }
    // An answer is counted after the peer has read it.
    within("all answers counted", async {
        while transport.stats().answered < 5 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let stats = transport.stats();
    assert_eq!((stats.answered, stats.timed_out), (5, 0), "{stats:?}");
}

#[tokio::test]
async fn hundreds_that_never_send_keep_their_places_only_while_nobody_needs_them() {
    let (transport, _answering) = start(LengthPrefixed::default(), crowded()).await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(transport.local_addr()).await.unwrap());
    }
    exchange(transport.local_addr()).await;
    let stats = transport.stats();
    // Behind 200 silent ones in 64 places an honest one comes when 137 have gone.
    assert_eq!((stats.answered, stats.displaced), (1, 200 + 1 - 64), "{stats:?}");
}

#[tokio::test]
async fn peers_that_never_read_their_replies_give_way_too() {
    let config = UdpTcpConfig { connections_max: 4, ..crowded() };
    let long = LengthPrefixed { max: 1 << 26 };
    let (transport, _answering) = start(long, config).await;
    // More than both buffers of a connection hold.
    let request = frame(&vec![7; 1 << 25]);
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(transport.local_addr()).await.unwrap();
        within("the request", stream.write_all(&request)).await.unwrap();
        held.push(stream);
    }
    exchange(transport.local_addr()).await;
    let stats = all_but(&transport, 3).await;
    assert_eq!((stats.answered, stats.displaced), (1, 1), "{stats:?}");
}

/// Waits until all but so many connections have ended.
async fn all_but(transport: &UdpTcp, open: u64) -> UdpTcpStats {
    within("the end of the others", async {
        loop {
            let stats = transport.stats();
            if stats.accepted == ended(&stats) + open {
                return stats;
            }
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test]
async fn an_honest_burst_of_one_address_waits_its_turn_and_nobody_is_refused() {
    let config = UdpTcpConfig { connections_max: 4, patience: NEVER, ..UdpTcpConfig::default() };
    let (transport, _answering) = start(LengthPrefixed::default(), config).await;
    let mut burst = JoinSet::new();
    for _ in 0..150 {
        burst.spawn(exchange(transport.local_addr()));
    }
    within("all of the burst", burst.join_all()).await;
    let stats = all_ended(&transport, 150).await;
    assert_eq!((stats.answered, stats.displaced), (150, 0), "{stats:?}");
}

#[tokio::test]
async fn a_peer_that_answers_badly_is_an_error_of_that_exchange() {
    let hostile = TcpListener::bind(loopback()).await.unwrap();
    let to = hostile.local_addr().unwrap();
    let peer = UdpTcp::bind(loopback()).await.unwrap();
    let answers = [
        (&[0, 0, 0, 0][..], Err(io::ErrorKind::InvalidData)),
        (&[255, 255, 255, 255], Err(io::ErrorKind::InvalidData)),
        (&[9, 0, 0, 0, 1], Err(io::ErrorKind::UnexpectedEof)),
        (&[9, 0], Err(io::ErrorKind::UnexpectedEof)),
        (&[], Ok(None)),
        (&[1, 0, 0, 0, 5, 66, 66], Ok(Some(vec![1, 0, 0, 0, 5]))),
    ];
    for (answer, result) in answers {
        let request = frame(b"request");
        let answering = async {
            let (mut stream, _) = hostile.accept().await.unwrap();
            let mut read = vec![0; request.len()];
            stream.read_exact(&mut read).await.unwrap();
            stream.write_all(answer).await.unwrap();
        };
        let ask = peer.exchange(to, request.clone());
        let (reply, ()) = within("an answer", async { tokio::join!(ask, answering) }).await;
        assert_eq!(reply.map_err(|error| error.kind()), result, "{answer:?}");
    }
}
