//! The network inside the process: its addresses, its faults, its cuts, its bounds.

#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use swim_transport::{Incoming, MemoryNetwork, MemoryTransport, Transport};
use tokio::time::{Instant, timeout};

const MS: Duration = Duration::from_millis(1);
/// On a paused clock this passes at once when nothing else can happen.
const LONG: Duration = Duration::from_secs(3_600);

fn bind<const N: usize>(network: &MemoryNetwork) -> [MemoryTransport; N] {
    std::array::from_fn(|_| network.bind_any().unwrap())
}

/// Sends numbered datagrams.
async fn send(from: &MemoryTransport, to: &MemoryTransport, count: u16) {
    for number in 0..count {
        from.send_to(&number.to_be_bytes(), to.local_addr()).await.unwrap();
    }
}

/// The numbers that arrive, with how long after `since` each does, until nothing more comes.
async fn arrivals(at: &MemoryTransport, since: Instant) -> Vec<(u16, Duration)> {
    let (mut arrived, mut buffer) = (Vec::new(), [0; 2]);
    while let Ok(received) = timeout(LONG, at.recv_from(&mut buffer)).await {
        received.unwrap();
        arrived.push((u16::from_be_bytes(buffer), since.elapsed()));
    }
    arrived
}

async fn reaches(from: &MemoryTransport, to: &MemoryTransport) -> bool {
    send(from, to, 1).await;
    !arrivals(to, Instant::now()).await.is_empty()
}

/// Whether an exchange succeeds. If not, it hangs.
async fn exchanges(from: &MemoryTransport, to: &MemoryTransport) -> bool {
    let answer = async { to.accept().await.unwrap().responder.reply(b"reply".to_vec()) };
    let ask = from.exchange(to.local_addr(), b"request".to_vec());
    let both = timeout(LONG, async { tokio::join!(ask, answer) }).await;
    both.is_ok_and(|(reply, ())| reply.unwrap().unwrap() == b"reply")
}

fn set_faults(network: &MemoryNetwork) {
    network.lose(200);
    network.duplicate(200);
    network.delay(MS..50 * MS);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_and_sends_have_the_same_faults_whatever_others_send() {
    let mut runs = Vec::new();
    for (seed, noise) in [(1, 0), (1, 500), (2, 0)] {
        let network = MemoryNetwork::new(seed);
        let [one, two, other] = bind(&network);
        set_faults(&network);
        let start = Instant::now();
        send(&other, &one, noise).await;
        send(&one, &two, 500).await;
        runs.push(arrivals(&two, start).await);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test(start_paused = true)]
async fn loss_doubling_and_delay_are_as_set_and_unequal_delays_reorder() {
    let network = MemoryNetwork::new(3);
    let [one, two] = bind(&network);
    set_faults(&network);
    send(&one, &two, 1_000).await;
    let arrived = arrivals(&two, Instant::now()).await;
    let stats = network.stats();
    assert_eq!(stats.sent, 1_000);
    assert_eq!(arrived.len() as u64, 1_000 - stats.lost + stats.doubled);
    assert!((150..250).contains(&stats.lost), "{stats:?}");
    assert!((110..210).contains(&stats.doubled), "{stats:?}");
    assert!(arrived.iter().all(|(_, late)| (MS..51 * MS).contains(late)));
    assert!(!arrived.is_sorted_by_key(|(number, _)| *number));
}

#[tokio::test(start_paused = true)]
async fn an_exchange_is_delayed_both_ways_and_never_lost() {
    let network = MemoryNetwork::new(3);
    let [one, two] = bind(&network);
    network.lose(1_000);
    network.delay(20 * MS..20 * MS);
    let start = Instant::now();
    assert!(exchanges(&one, &two).await);
    assert!((40 * MS..45 * MS).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_cut_is_one_way_for_datagrams_and_hangs_exchanges_of_both() {
    let network = MemoryNetwork::new(1);
    let [one, two, three] = bind(&network);
    network.cut(one.local_addr(), two.local_addr());
    assert!(!reaches(&one, &two).await);
    assert!(reaches(&two, &one).await);
    assert!(reaches(&one, &three).await && reaches(&three, &two).await);
    assert!(!exchanges(&one, &two).await);
    assert!(!exchanges(&two, &one).await);
    assert!(exchanges(&one, &three).await);
    assert_eq!(network.stats().cut, 1);

    network.heal();
    assert!(reaches(&one, &two).await);
    assert!(exchanges(&two, &one).await);
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_is_cut_meanwhile_ends_when_the_cut_does() {
    let network = MemoryNetwork::new(1);
    let [one, two] = bind(&network);
    let ask = one.exchange(two.local_addr(), b"request".to_vec());
    let meanwhile = async {
        let Incoming { responder, .. } = two.accept().await.unwrap();
        network.cut(two.local_addr(), one.local_addr());
        responder.reply(b"reply".to_vec());
        tokio::time::sleep(LONG).await;
        network.heal();
    };
    let start = Instant::now();
    let both = timeout(2 * LONG, async { tokio::join!(ask, meanwhile) });
    let (reply, ()) = both.await.unwrap();
    assert_eq!(reply.unwrap().unwrap(), b"reply");
    assert!(start.elapsed() >= LONG);
}

#[tokio::test(start_paused = true)]
async fn parts_reach_themselves_alone_and_so_do_those_in_none() {
    let network = MemoryNetwork::new(1);
    let ends: [_; 6] = bind(&network);
    let address = |n: usize| ends[n].local_addr();
    network.partition(&[&[address(0), address(1)], &[address(2), address(3)]]);
    for from in 0..6 {
        for to in 0..6 {
            let together = from / 2 == to / 2;
            assert_eq!(reaches(&ends[from], &ends[to]).await, together, "{from} to {to}");
        }
    }
    assert!(exchanges(&ends[4], &ends[5]).await && !exchanges(&ends[0], &ends[5]).await);
    network.heal();
    assert!(exchanges(&ends[0], &ends[5]).await);
}

#[tokio::test(start_paused = true)]
async fn an_isolated_address_reaches_and_hears_nobody_but_itself() {
    let network = MemoryNetwork::new(1);
    let [one, two, three] = bind(&network);
    network.isolate(one.local_addr());
    assert!(!reaches(&one, &two).await && !reaches(&two, &one).await);
    assert!(reaches(&one, &one).await && reaches(&two, &three).await);
    assert!(!exchanges(&two, &one).await);
}

#[test]
fn addresses_are_chosen_or_as_wanted_and_given_once() {
    let network = MemoryNetwork::new(1);
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    let mut chosen = Vec::new();
    for wanted in ["0.0.0.0:0", "0.0.0.0:0", "[::]:0", "[::]:0", "10.9.9.9:0", "[fd00::9]:0"] {
        chosen.push(network.bind(address(wanted)).unwrap());
        let (wanted, given) = (address(wanted), chosen[chosen.len() - 1].local_addr());
        assert_eq!(given.is_ipv4(), wanted.is_ipv4());
        assert!(given.port() != 0 && !given.ip().is_unspecified());
        assert!(wanted.ip().is_unspecified() || given.ip() == wanted.ip());
        assert_eq!(network.bind(given).unwrap_err().kind(), ErrorKind::AddrInUse);
    }
    let mut ips: Vec<_> = chosen.iter().map(|end| end.local_addr().ip()).collect();
    ips.sort();
    ips.dedup();
    assert_eq!(ips.len(), chosen.len());
    assert_eq!(network.bind(address("0.0.0.0:7")).unwrap().local_addr().port(), 7);
}

#[tokio::test(start_paused = true)]
async fn an_address_is_free_after_a_drop_or_close_and_a_new_owner_starts_empty() {
    let network = MemoryNetwork::new(1);
    let [one, two] = bind(&network);
    let address = two.local_addr();
    send(&one, &two, 3).await;
    two.close().await;
    send(&one, &two, 2).await;
    assert_eq!(network.stats().nobody, 2);

    let again = network.bind(address).unwrap();
    assert!(arrivals(&again, Instant::now()).await.is_empty());
    // The one that was closed does not take the address from its successor.
    drop(two);
    assert!(reaches(&one, &again).await);
    drop(again);
    network.bind(address).unwrap();
}

#[tokio::test(start_paused = true)]
async fn datagrams_and_requests_beyond_the_bound_are_dropped_and_counted() {
    let network = MemoryNetwork::new(1);
    let [one, two] = bind(&network);
    send(&one, &two, 4_096 + 10).await;
    assert_eq!(network.stats().overflowed, 10);
    assert_eq!(arrivals(&two, Instant::now()).await.len(), 4_096);

    let mut asks = tokio::task::JoinSet::new();
    let one = std::sync::Arc::new(one);
    for _ in 0..1_024 + 5 {
        let (one, to) = (one.clone(), two.local_addr());
        asks.spawn(async move { one.exchange(to, b"request".to_vec()).await });
    }
    for _ in 0..5 {
        let failed = timeout(LONG, asks.join_next()).await.unwrap().unwrap().unwrap();
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::ResourceBusy);
    }
    assert_eq!(network.stats().requests_refused, 5);
    asks.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_asker_learns_that_its_request_was_closed_away() {
    let network = MemoryNetwork::new(1);
    let [one, two, three] = bind(&network);
    let waiting = one.exchange(two.local_addr(), b"request".to_vec());
    let close = async {
        tokio::task::yield_now().await;
        two.close().await;
    };
    let both = timeout(LONG, async { tokio::join!(waiting, close) });
    let (waiting, ()) = both.await.unwrap();
    assert_eq!(waiting.unwrap_err().kind(), ErrorKind::ConnectionReset);

    let taken = one.exchange(three.local_addr(), b"request".to_vec());
    let take = async {
        let incoming = three.accept().await.unwrap();
        three.close().await;
        drop(incoming);
    };
    let both = timeout(LONG, async { tokio::join!(taken, take) });
    let (taken, ()) = both.await.unwrap();
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(start_paused = true)]
async fn a_host_refuses_where_nothing_is_bound_any_more_and_other_hosts_are_not_reached() {
    let network = MemoryNetwork::new(1);
    let [one, two] = bind(&network);
    let (two_was_at, start) = (two.local_addr(), Instant::now());
    drop(two);
    network.delay(20 * MS..20 * MS);
    let kind = async |to| one.exchange(to, b"request".to_vec()).await.unwrap_err().kind();
    assert_eq!(kind(two_was_at).await, ErrorKind::ConnectionRefused);
    assert!((40 * MS..45 * MS).contains(&start.elapsed()), "there and back");
    assert_eq!(kind("10.1.1.1:1".parse().unwrap()).await, ErrorKind::HostUnreachable);

    network.isolate(two_was_at);
    let hangs = timeout(LONG, one.exchange(two_was_at, b"request".to_vec())).await;
    assert!(hangs.is_err(), "a host that is gone answers nothing: {hangs:?}");
}

#[tokio::test(start_paused = true)]
async fn closing_ends_an_exchange_that_hangs_in_a_cut() {
    let network = MemoryNetwork::new(1);
    let [one, two] = bind(&network);
    network.isolate(two.local_addr());
    let close = async {
        tokio::time::sleep(LONG).await;
        one.close().await;
    };
    let ask = one.exchange(two.local_addr(), b"request".to_vec());
    let both = timeout(2 * LONG, async { tokio::join!(ask, close) });
    let (hangs, ()) = both.await.unwrap();
    assert_eq!(hangs.unwrap_err().kind(), ErrorKind::NotConnected);
}

#[tokio::test(start_paused = true)]
async fn a_request_comes_from_a_passing_port() {
    let network = MemoryNetwork::new(1);
    let [one, two] = bind(&network);
    let ask = one.exchange(two.local_addr(), b"request".to_vec());
    let answer = async { two.accept().await.unwrap().from };
    let both = timeout(LONG, async { tokio::join!(ask, answer) });
    let (_, from) = both.await.unwrap();
    assert_eq!(from.ip(), one.local_addr().ip());
    assert_ne!(from.port(), one.local_addr().port());
}
