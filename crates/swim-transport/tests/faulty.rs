//! Faults over another transport: drawn from a seed, set while it runs, bounded, counted.

#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::time::Duration;

use swim_transport::{FaultControl, Faulty, MemoryNetwork, MemoryTransport, Transport};
use tokio::time::{Instant, timeout};

const MS: Duration = Duration::from_millis(1);
/// On a paused clock this passes at once when nothing else can happen.
const LONG: Duration = Duration::from_secs(3_600);

/// A faulty end and one without faults.
fn ends(seed: u64) -> (Faulty<MemoryTransport>, FaultControl, MemoryTransport) {
    let network = MemoryNetwork::new(0);
    let faulty = Faulty::new(network.bind_any().unwrap(), seed);
    let control = faulty.control();
    (faulty, control, network.bind_any().unwrap())
}

async fn send(from: &impl Transport, to: &impl Transport, count: u16) {
    for number in 0..count {
        from.send_to(&number.to_be_bytes(), to.local_addr()).await.unwrap();
    }
}

/// The numbers that arrive, with how long after `since` each does, until nothing more comes.
async fn arrivals(at: &impl Transport, since: Instant) -> Vec<(u16, Duration)> {
    let (mut arrived, mut buffer) = (Vec::new(), [0; 2]);
    while let Ok(received) = timeout(LONG, at.recv_from(&mut buffer)).await {
        received.unwrap();
        arrived.push((u16::from_be_bytes(buffer), since.elapsed()));
    }
    arrived
}

async fn reaches(from: &impl Transport, to: &impl Transport) -> bool {
    send(from, to, 1).await;
    !arrivals(to, Instant::now()).await.is_empty()
}

/// Whether an exchange succeeds. If not, it hangs.
async fn exchanges(from: &impl Transport, to: &impl Transport) -> bool {
    let answer = async { to.accept().await.unwrap().responder.reply(b"reply".to_vec()) };
    let ask = from.exchange(to.local_addr(), b"request".to_vec());
    let both = timeout(LONG, async { tokio::join!(ask, answer) }).await;
    both.is_ok_and(|(reply, ())| reply.unwrap().unwrap() == b"reply")
}

#[tokio::test(start_paused = true)]
async fn without_faults_it_changes_nothing() {
    let (faulty, control, plain) = ends(1);
    send(&faulty, &plain, 1_000).await;
    let arrived = arrivals(&plain, Instant::now()).await;
    assert!(arrived.iter().map(|(number, _)| *number).eq(0..1_000));
    assert!(exchanges(&faulty, &plain).await && exchanges(&plain, &faulty).await);
    assert_eq!(control.stats(), swim_transport::FaultStats::default());
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_and_sends_have_the_same_faults_whatever_is_cut_meanwhile() {
    let mut runs = Vec::new();
    for (seed, cut) in [(1, false), (1, true), (2, false)] {
        let (faulty, control, plain) = ends(seed);
        control.lose(200);
        control.duplicate(200);
        control.delay(MS..50 * MS);
        let start = Instant::now();
        if cut {
            control.isolate();
        }
        send(&faulty, &plain, 100).await;
        control.heal();
        let before = arrivals(&plain, start).await;
        assert_eq!(before.is_empty(), cut);
        let start = Instant::now();
        send(&faulty, &plain, 500).await;
        runs.push(arrivals(&plain, start).await);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test(start_paused = true)]
async fn loss_doubling_and_delay_are_as_set_and_unequal_delays_reorder() {
    let (faulty, control, plain) = ends(3);
    control.lose(200);
    control.duplicate(200);
    control.delay(MS..50 * MS);
    let start = Instant::now();
    send(&faulty, &plain, 1_000).await;
    let arrived = arrivals(&plain, start).await;
    let stats = control.stats();
    assert_eq!(arrived.len() as u64, 1_000 - stats.lost + stats.doubled);
    assert!((150..250).contains(&stats.lost), "{stats:?}");
    assert!((110..210).contains(&stats.doubled), "{stats:?}");
    assert!(arrived.iter().all(|(_, late)| (MS..52 * MS).contains(late)));
    assert!(!arrived.is_sorted_by_key(|(number, _)| *number));
}

#[tokio::test(start_paused = true)]
async fn loss_on_receipt_loses_what_arrives_and_nothing_that_is_sent() {
    let mut runs = Vec::new();
    for seed in [4, 4, 5] {
        let (faulty, control, plain) = ends(seed);
        control.lose_on_receipt(200);
        send(&faulty, &plain, 1_000).await;
        assert_eq!(arrivals(&plain, Instant::now()).await.len(), 1_000);
        assert_eq!(control.stats().lost, 0);
        send(&plain, &faulty, 1_000).await;
        let arrived = arrivals(&faulty, Instant::now()).await;
        let stats = control.stats();
        assert_eq!(arrived.len() as u64, 1_000 - stats.lost);
        assert!((150..250).contains(&stats.lost), "{stats:?}");
        assert!(exchanges(&plain, &faulty).await, "the reliable plane loses nothing");
        runs.push(arrived);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}

#[tokio::test(start_paused = true)]
async fn what_arrives_does_not_change_what_is_lost_of_sends() {
    let mut runs = Vec::new();
    for arriving in [0, 100] {
        let (faulty, control, plain) = ends(6);
        control.lose(200);
        control.lose_on_receipt(200);
        send(&plain, &faulty, arriving).await;
        arrivals(&faulty, Instant::now()).await;
        send(&faulty, &plain, 500).await;
        let sent = arrivals(&plain, Instant::now()).await;
        runs.push(sent.into_iter().map(|(number, _)| number).collect::<Vec<_>>());
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].len() < 500);
}

#[tokio::test(start_paused = true)]
async fn exchanges_are_delayed_too() {
    let (faulty, control, plain) = ends(1);
    control.delay(20 * MS..20 * MS);
    let start = Instant::now();
    assert!(exchanges(&faulty, &plain).await);
    assert!((20 * MS..25 * MS).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_cut_to_an_address_loses_datagrams_and_hangs_exchanges_until_it_heals() {
    let (faulty, control, plain) = ends(1);
    control.cut_to(plain.local_addr());
    assert!(!reaches(&faulty, &plain).await);
    assert!(reaches(&plain, &faulty).await);
    assert!(!exchanges(&faulty, &plain).await);
    assert!(exchanges(&plain, &faulty).await);
    assert_eq!(control.stats().cut, 1);

    let heal = async {
        tokio::time::sleep(LONG / 2).await;
        control.heal();
    };
    let (healed, ()) = tokio::join!(exchanges(&faulty, &plain), heal);
    assert!(healed && reaches(&faulty, &plain).await);
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_comes_meanwhile_holds_back_the_reply() {
    let (faulty, control, plain) = ends(1);
    let ask = faulty.exchange(plain.local_addr(), b"request".to_vec());
    let meanwhile = async {
        let incoming = plain.accept().await.unwrap();
        control.cut_to(plain.local_addr());
        incoming.responder.reply(b"reply".to_vec());
        tokio::time::sleep(LONG).await;
        control.heal();
    };
    let start = Instant::now();
    let both = timeout(2 * LONG, async { tokio::join!(ask, meanwhile) });
    let (reply, ()) = both.await.unwrap();
    assert_eq!(reply.unwrap().unwrap(), b"reply");
    assert!(start.elapsed() >= LONG);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_passed_on_and_a_cut_holds_it_back() {
    let (faulty, control, plain) = ends(1);
    let nobody = plain.local_addr();
    plain.close().await;
    let ask = || timeout(LONG, faulty.exchange(nobody, b"request".to_vec()));
    let refused = ask().await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    control.cut_to(nobody);
    assert!(ask().await.is_err(), "it hangs");
}

#[tokio::test(start_paused = true)]
async fn a_cut_from_an_address_loses_its_datagrams_alone() {
    let (faulty, control, plain) = ends(1);
    control.cut_from(plain.local_addr());
    assert!(!reaches(&plain, &faulty).await);
    assert!(reaches(&faulty, &plain).await && reaches(&faulty, &faulty).await);
    assert_eq!(control.stats().cut, 1);
    control.heal();
    assert!(reaches(&plain, &faulty).await);
}

#[tokio::test(start_paused = true)]
async fn an_isolated_end_neither_sends_nor_hears_and_takes_requests_when_it_is_back() {
    let (faulty, control, plain) = ends(1);
    control.isolate();
    assert!(!reaches(&plain, &faulty).await && !reaches(&faulty, &plain).await);
    assert!(!exchanges(&faulty, &plain).await);

    let ask = plain.exchange(faulty.local_addr(), b"request".to_vec());
    let heal_and_answer = async {
        assert!(timeout(LONG, faulty.accept()).await.is_err());
        control.heal();
        faulty.accept().await.unwrap().responder.reply(b"reply".to_vec());
    };
    let both = timeout(2 * LONG, async { tokio::join!(ask, heal_and_answer) });
    let (reply, ()) = both.await.unwrap();
    assert_eq!(reply.unwrap().unwrap(), b"reply");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_accepts_already_takes_nothing_once_it_is_isolated() {
    let (faulty, control, plain) = ends(1);
    let accept = timeout(LONG, faulty.accept());
    let ask = async {
        tokio::task::yield_now().await;
        control.isolate();
        let ask = plain.exchange(faulty.local_addr(), b"request".to_vec());
        assert!(timeout(LONG, ask).await.is_err(), "it hangs, for nobody heard it");
    };
    let (accepted, ()) = tokio::join!(accept, ask);
    assert!(accepted.is_err());
}

#[tokio::test(start_paused = true)]
async fn closing_ends_what_a_cut_or_a_delay_holds_and_makes_later_sends_errors() {
    for hold in [FaultControl::isolate, |control: &FaultControl| control.delay(LONG..LONG)] {
        let (faulty, control, plain) = ends(1);
        hold(&control);
        let close = async {
            tokio::time::sleep(LONG / 2).await;
            faulty.close().await;
        };
        let ask = faulty.exchange(plain.local_addr(), b"request".to_vec());
        let both = timeout(2 * LONG, async { tokio::join!(ask, close) });
        let (reply, ()) = both.await.unwrap();
        assert_eq!(reply.unwrap_err().kind(), ErrorKind::NotConnected);
        assert!(faulty.send_to(b"late", plain.local_addr()).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn too_many_delayed_datagrams_are_dropped_and_counted() {
    let (faulty, control, plain) = ends(1);
    control.delay(MS..MS);
    send(&faulty, &plain, 4_096 + 10).await;
    assert_eq!(control.stats().overflowed, 10);
    assert!(arrivals(&plain, Instant::now()).await.iter().map(|(n, _)| *n).eq(0..4_096));
    send(&faulty, &plain, 1).await;
    assert_eq!(control.stats().overflowed, 10, "there is room again");
}

#[tokio::test(start_paused = true)]
async fn a_datagram_under_way_keeps_no_address_and_dies_with_its_sender() {
    let network = MemoryNetwork::new(0);
    let faulty = Faulty::new(network.bind_any().unwrap(), 1);
    let (address, plain) = (faulty.local_addr(), network.bind_any().unwrap());
    faulty.control().delay(LONG..LONG);
    send(&faulty, &plain, 3).await;
    tokio::task::yield_now().await;
    drop(faulty);
    network.bind(address).unwrap();
    assert!(timeout(2 * LONG, plain.recv_from(&mut [0; 2])).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_datagram_that_is_too_long_is_an_error_whatever_is_lost() {
    let (faulty, control, plain) = ends(1);
    control.lose(1_000);
    let long = vec![0; faulty.max_datagram() + 1];
    assert!(faulty.send_to(&long, plain.local_addr()).await.is_err());
    assert!(faulty.send_to(&long[1..], plain.local_addr()).await.is_ok());
}
