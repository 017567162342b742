//! What is said of closing.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;

use super::clause::{Clause, poll_once};
use super::{Ends, frame};
use crate::batch::Batch;
use crate::transport::Transport;

pub(super) async fn ends_what_waits<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("close ends with an error what waits");
    let (one, two) = ends.two().await;
    let (mut buffer, mut batch) = ([0; 8], Batch::new(2, 8));
    // Accepted by nobody, so that it waits.
    let mut exchange = pin!(one.exchange(two.local_addr(), frame(1, 10)));
    let early = poll_once(exchange.as_mut()).await;
    clause.holds(early.is_none(), "an exchange ends before it is answered");
    let waiting = async {
        tokio::join!(
            one.recv_from(&mut buffer),
            one.recv_batch(&mut batch),
            one.accept(),
            exchange,
            async {
                tokio::task::yield_now().await;
                one.close().await;
            },
        )
    };
    let (recv_from, recv_batch, accept, exchange, ()) = clause.within("all of it", waiting).await;
    clause.fails("recv_from", recv_from);
    clause.fails("recv_batch", recv_batch);
    clause.fails("accept", accept);
    clause.fails("exchange", exchange);
}

pub(super) async fn makes_later_calls_errors<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("every call of a closed transport is an error");
    let (one, two) = ends.two().await;
    let to = two.local_addr();
    clause.within("close", one.close()).await;
    clause.within("a second close", one.close()).await;
    clause.fails("send_to", clause.within("send_to", one.send_to(b"late", to)).await);
    let mut buffer = [0; 8];
    clause.fails("recv_from", clause.within("recv_from", one.recv_from(&mut buffer)).await);
    let mut batch = Batch::new(2, 8);
    clause.fails("recv_batch", clause.within("recv_batch", one.recv_batch(&mut batch)).await);
    let exchange = clause.within("exchange", one.exchange(to, frame(1, 10))).await;
    clause.fails("exchange", exchange);
    clause.fails("accept", clause.within("accept", one.accept()).await);
}

pub(super) async fn is_no_refusal_of_the_other_side<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("ConnectionRefused means that nobody listens on the other side");
    let (one, two) = ends.two().await;
    let mut exchange = pin!(one.exchange(two.local_addr(), frame(1, 10)));
    let early = poll_once(exchange.as_mut()).await;
    clause.holds(early.is_none(), "an exchange ends before it is answered");
    clause.within("close", one.close()).await;
    clause.fails_on_this_side("exchange", clause.within("exchange", exchange).await);
    let later = one.exchange(two.local_addr(), frame(2, 10));
    clause.fails_on_this_side("a later exchange", clause.within("exchange", later).await);
}

pub(super) async fn frees_the_address<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("when close returns the address is free again");
    let asker = ends.one().await;
    let mut end = ends.one().await;
    let address = end.local_addr();
    for _ in 0..3 {
        // So that there is something to clear away: an exchange that was, and one that waits.
        let answer = async {
            let incoming = clause.succeeds("accept", end.accept().await);
            incoming.responder.reply(frame(2, 10));
        };
        let ask = asker.exchange(address, frame(1, 10));
        let ((), reply) = clause.within("an exchange", async { tokio::join!(answer, ask) }).await;
        clause.holds(clause.succeeds("exchange", reply).is_some(), "there is no reply");
        let mut waits = pin!(asker.exchange(address, frame(3, 10)));
        poll_once(waits.as_mut()).await;

        clause.within("close", end.close()).await;
        let again = ends.bind_at(address, clause).await;
        clause.holds(again.local_addr() == address, "it is bound elsewhere");
        end = again;
    }
}

pub(super) async fn frees_the_address_whoever_still_waits<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("when close returns the address is free, even if calls have not ended yet");
    let end = ends.one().await;
    let address = end.local_addr();
    let mut buffer = [0; 8];
    let mut receives = pin!(end.recv_from(&mut buffer));
    let mut accepts = pin!(end.accept());
    clause.holds(is_waiting(receives.as_mut()).await, "recv_from gives what was not sent");
    clause.holds(is_waiting(accepts.as_mut()).await, "accept gives what was not asked");
    clause.within("close", end.close()).await;
    let _again = ends.bind_at(address, clause).await;
    clause.fails("recv_from", clause.within("recv_from", receives).await);
    clause.fails("accept", clause.within("accept", accepts).await);
}

async fn is_waiting<T>(future: impl Future<Output = T>) -> bool {
    poll_once(future).await.is_none()
}
