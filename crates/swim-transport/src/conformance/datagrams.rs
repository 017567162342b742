//! What is said of datagrams.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::clause::{Clause, poll_once};
use super::{Ends, pattern};
use crate::batch::Batch;
use crate::transport::Transport;

/// After so long a datagram on loopback is lost.
const LOST: Duration = Duration::from_millis(500);
/// Between two datagrams of which the first is to be received before the second is sent.
const PAUSE: Duration = Duration::from_millis(10);
/// What a network may lose or reorder must be seen right in one of so many rounds.
const ROUNDS: usize = 5;
/// Datagrams of one round.
const COUNT: u8 = 24;
/// So many are under way at once if the transport has the room.
const AHEAD: u8 = 4;

/// Sends until it is received, for a datagram may be lost.
async fn deliver<T: Transport>(
    clause: Clause,
    (from, to): (&T, &T),
    payload: &[u8],
) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; to.max_datagram() + 1];
    let received = clause.within("sending and receiving", async {
        loop {
            clause.succeeds("send_to", from.send_to(payload, to.local_addr()).await);
            if let Ok(received) = timeout(LOST, to.recv_from(&mut buffer)).await {
                break clause.succeeds("recv_from", received);
            }
        }
    });
    let (length, source) = received.await;
    clause.holds(length <= buffer.len(), "the length is beyond the buffer");
    buffer.truncate(length);
    (buffer, source)
}

pub(super) async fn addresses_are_real<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("local_addr is where a transport is reached, and never has port 0");
    let (one, two) = ends.two().await;
    for end in [&one, &two] {
        let (address, wanted) = (end.local_addr(), ends.address.ip());
        clause.holds(address.port() != 0, address);
        clause.holds(wanted.is_unspecified() || address.ip() == wanted, address);
    }
    clause.holds(one.local_addr() != two.local_addr(), "two transports have one address");
}

pub(super) async fn arrive_whole_and_can_be_answered<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("a datagram of up to max_datagram bytes arrives whole, with its source");
    for length in [1, 2, 100, 1_200, usize::MAX] {
        let (one, two) = ends.two().await;
        let length = length.min(one.max_datagram());
        let payload = pattern(1, length);
        let (received, source) = deliver(clause, (&one, &two), &payload).await;
        clause.holds(received == payload, format_args!("{length} bytes arrive as others"));
        clause.holds(source == one.local_addr(), format_args!("{source} is not the sender"));

        let (answer, source) = deliver(clause, (&two, &one), &payload).await;
        clause.holds(answer == payload, "the answer arrives as another one");
        clause.holds(source == two.local_addr(), format_args!("{source} does not answer"));
    }
}

pub(super) async fn too_long_ones_do_not_arrive<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("a datagram of more than max_datagram bytes is an error or is lost");
    let (one, two) = ends.two().await;
    let _ = one.send_to(&pattern(1, one.max_datagram() + 1), two.local_addr()).await;
    let (received, _) = deliver(clause, (&one, &two), b"after").await;
    let length = received.len();
    clause.holds(received == b"after", format_args!("{length} bytes of it arrive"));
}

pub(super) async fn longer_ones_than_the_buffer_are_cut_or_lost<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("what is longer than the buffer is cut or lost, and the next one is whole");
    let (one, two) = ends.two().await;
    let mut buffer = [0; 4];
    clause
        .within("receiving the next one", async {
            // The next one is sent when the first was received or is lost: there may be room for
            // one only.
            for payload in [&b"too long"[..], b"next"].into_iter().cycle() {
                clause.succeeds("send_to", one.send_to(payload, two.local_addr()).await);
                let Ok(received) = timeout(LOST, two.recv_from(&mut buffer)).await else {
                    continue;
                };
                let (length, _) = clause.succeeds("recv_from", received);
                match buffer.get(..length) {
                    Some(b"next") => return,
                    Some(b"too ") => {}
                    other => clause.broken(format_args!("it becomes {other:?}")),
                }
            }
        })
        .await;
}

/// How datagrams are received.
#[derive(Clone, Copy, Debug)]
enum By {
    Single,
    Batch,
}

/// Receives what there is, once, and adds the first byte of each.
async fn receive<T: Transport>(
    end: &T,
    by: By,
    batch: &mut Batch,
    into: &mut Vec<u8>,
) -> io::Result<()> {
    match by {
        By::Single => {
            let mut buffer = [0; 8];
            end.recv_from(&mut buffer).await?;
            into.push(buffer[0]);
        }
        By::Batch => {
            end.recv_batch(batch).await?;
            into.extend(batch.iter_mut().map(|(_, bytes)| bytes[0]));
        }
    }
    Ok(())
}

/// How many of [`AHEAD`] datagrams arrive that are sent before any is received. For so many there
/// is room; of more a transport may lose some, or refuse to send them.
async fn room<T: Transport, F>(clause: Clause, ends: &Ends<F>) -> u8
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let mut room = 1;
    for _ in 0..ROUNDS {
        let (one, two) = ends.two().await;
        for number in 0..AHEAD {
            let _ = one.send_to(&[number], two.local_addr()).await;
        }
        let (mut buffer, mut arrived) = ([0; 8], 0);
        while arrived < AHEAD
            && let Ok(received) = timeout(LOST, two.recv_from(&mut buffer)).await
        {
            clause.succeeds("recv_from", received);
            arrived += 1;
        }
        room = room.max(arrived);
        if room == AHEAD {
            break;
        }
    }
    room
}

/// Sends numbers, one datagram each and no more at once than there is room for, and receives until
/// all are there or the rest is lost.
async fn send_and_receive<T: Transport>(
    clause: Clause,
    (from, to): (&T, &T),
    by: By,
    room: u8,
) -> Vec<u8> {
    let (mut received, mut batch) = (Vec::new(), Batch::new(5, 8));
    let mut sent = 0;
    while sent < COUNT {
        let until = COUNT.min(sent + room);
        for number in sent..until {
            clause.succeeds("send_to", from.send_to(&[number], to.local_addr()).await);
        }
        sent = until;
        while received.len() < usize::from(sent) {
            match timeout(LOST, receive(to, by, &mut batch, &mut received)).await {
                Ok(result) => clause.succeeds("receiving", result),
                Err(_) => break,
            }
        }
    }
    received
}

pub(super) async fn keep_their_order_at_rest<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("datagrams come out in the order in which they came in");
    let room = room(clause, ends).await;
    for by in [By::Single, By::Batch] {
        let mut seen = Vec::new();
        for _ in 0..ROUNDS {
            let (one, two) = ends.two().await;
            seen = send_and_receive(clause, (&one, &two), by, room).await;
            if seen.iter().copied().eq(0..COUNT) {
                break;
            }
        }
        let in_order = seen.iter().copied().eq(0..COUNT);
        clause.holds(in_order, format_args!("{by:?}: never in {ROUNDS} rounds, last {seen:?}"));
    }
}

pub(super) async fn batches_hold_what_they_have_room_for<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("recv_batch forgets what the batch held and gives at least one, whole");
    let (one, two) = ends.two().await;
    let mut batch = Batch::new(3, 8);
    clause
        .within("recv_batch", async {
            for round in 1..=3 {
                let payload = pattern(round, 8);
                loop {
                    clause.succeeds("send_to", one.send_to(&payload, two.local_addr()).await);
                    for _ in 1..AHEAD {
                        // There may be no room for more than one.
                        let _ = one.send_to(&payload, two.local_addr()).await;
                    }
                    if let Ok(received) = timeout(LOST, two.recv_batch(&mut batch)).await {
                        clause.succeeds("recv_batch", received);
                        break;
                    }
                }
                clause.holds((1..=3).contains(&batch.len()), format_args!("{}", batch.len()));
                let mine = |(from, bytes): (SocketAddr, &mut [u8])| {
                    from == one.local_addr() && (1..=round).any(|r| *bytes == *pattern(r, 8))
                };
                clause.holds(batch.iter_mut().all(mine), "it holds what was not sent");
            }
        })
        .await;
}

/// Sends numbers, no more at once than there is room for, while futures that receive are dropped
/// at all stages. Ends early when one is lost.
async fn receive_by_dropped_futures<T: Transport>(
    clause: Clause,
    (from, to): (&T, &T),
    by: By,
    room: u8,
) -> Vec<u8> {
    let (mut received, mut batch) = (Vec::new(), Batch::new(5, 8));
    for number in 0..COUNT {
        poll_once(receive(to, by, &mut batch, &mut received)).await;
        clause.succeeds("send_to", from.send_to(&[number], to.local_addr()).await);
        for _ in 0..2 {
            poll_once(receive(to, by, &mut batch, &mut received)).await;
        }
        let sent = usize::from(number) + 1;
        if number + 1 == COUNT || sent >= received.len() + usize::from(room) {
            let mut step = Duration::from_millis(1);
            while received.len() < sent && step < LOST {
                poll_once(receive(to, by, &mut batch, &mut received)).await;
                match timeout(step, receive(to, by, &mut batch, &mut received)).await {
                    Ok(result) => clause.succeeds("receiving", result),
                    Err(_) => step *= 2,
                }
                sleep(Duration::from_millis(1)).await;
            }
            if received.len() < sent {
                break;
            }
        }
    }
    received.sort_unstable();
    received
}

pub(super) async fn are_not_lost_with_a_dropped_future<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("dropping a future of recv_from or recv_batch loses no datagram");
    let room = room(clause, ends).await;
    for by in [By::Single, By::Batch] {
        let mut seen = Vec::new();
        for _ in 0..ROUNDS {
            let (one, two) = ends.two().await;
            seen = receive_by_dropped_futures(clause, (&one, &two), by, room).await;
            if seen.iter().copied().eq(0..COUNT) {
                break;
            }
        }
        let all = seen.iter().copied().eq(0..COUNT);
        clause.holds(all, format_args!("{by:?}: never all in {ROUNDS} rounds, last {seen:?}"));
    }
}

pub(super) async fn go_to_one_receiver_each<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause =
        Clause("all methods may be called at the same time: two that receive get one each");
    let (one, two) = ends.two().await;
    let (mut first, mut second) = ([0; 8], [0; 8]);
    let both = async { tokio::join!(two.recv_from(&mut first), two.recv_from(&mut second)) };
    let sending = async {
        loop {
            clause.succeeds("send_to", one.send_to(b"x", two.local_addr()).await);
            sleep(PAUSE).await;
        }
    };
    let (first, second) = clause
        .within("receiving twice at once", async {
            tokio::select! {
                received = both => received,
                never = sending => never,
            }
        })
        .await;
    for received in [first, second] {
        let (length, _) = clause.succeeds("recv_from", received);
        clause.holds(length == 1, format_args!("one got {length} bytes"));
    }
}
