//! What is said of exchanges.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::clause::{Clause, poll_once};
use super::{Ends, frame};
use crate::transport::{Incoming, Transport};

/// The longest body that is carried here.
const BODY_MAX: usize = 64 * 1_024;
/// Exchanges at once. The contract says that there may be several, and not how many.
const AT_ONCE: u8 = 4;
/// Exchanges one after the other.
const IN_TURN: u8 = 16;
/// After so long an exchange with nobody hangs, which is allowed.
const HANGS: Duration = Duration::from_secs(2);

async fn accept<T: Transport>(clause: Clause, end: &T) -> Incoming {
    clause.succeeds("accept", clause.within("accept", end.accept()).await)
}

async fn ask<T: Transport>(clause: Clause, from: &T, to: SocketAddr, frame: Vec<u8>) -> Vec<u8> {
    let reply = clause.within("exchange", from.exchange(to, frame)).await;
    match clause.succeeds("exchange", reply) {
        Some(reply) => reply,
        None => clause.broken("there is no reply, though one was made"),
    }
}

pub(super) async fn carry_whole_frames<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("an exchange carries one whole request, and one whole reply back");
    let (one, two) = ends.two().await;
    let lengths = [(1, 1), (1, BODY_MAX), (BODY_MAX, 1), (BODY_MAX, BODY_MAX), (5_000, 5_000)];
    for (asked, answered) in lengths {
        let (request, reply) = (frame(1, asked), frame(2, answered));
        let answer = async {
            let incoming = accept(clause, &two).await;
            clause.holds(incoming.frame == request, "the request arrives as another one");
            let (asker, here) = (incoming.from.ip(), one.local_addr().ip());
            clause.holds(asker == here || here.is_unspecified(), format_args!("{asker} asks"));
            incoming.responder.reply(reply.clone());
        };
        let ask = ask(clause, &one, two.local_addr(), request.clone());
        let ((), received) = tokio::join!(answer, ask);
        clause.holds(received == reply, "the reply arrives as another one");
    }
}

pub(super) async fn without_an_answer_give_none<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("an exchange whose responder is dropped gives None");
    let (one, two) = ends.two().await;
    let drop_it = async { drop(accept(clause, &two).await) };
    let ask = clause.within("exchange", one.exchange(two.local_addr(), frame(1, 100)));
    let ((), reply) = tokio::join!(drop_it, ask);
    let reply = clause.succeeds("exchange", reply);
    clause.holds(reply.is_none(), "there is a reply, though none was made");
}

pub(super) async fn at_once_are_not_mixed_up<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("of several exchanges at once each gets its own reply, in any order");
    let (one, two) = ends.two().await;
    let mut running = Running::default();
    let mut accepted = Vec::new();
    for mark in 0..AT_ONCE {
        // One waits until it is accepted, for there may be no room for more that wait.
        running.start(one.exchange(two.local_addr(), frame(mark, 300)));
        accepted.push(running.beside(accept(clause, &two)).await);
    }
    for incoming in accepted.into_iter().rev() {
        let mark = (0..AT_ONCE).find(|&mark| incoming.frame == frame(mark, 300));
        let Some(mark) = mark else { clause.broken("a request arrives as another one") };
        incoming.responder.reply(frame(mark | 0x80, 300));
    }
    let replies = clause.within("exchange", running.finish()).await;
    for (mark, reply) in (0..AT_ONCE).zip(replies) {
        let reply = clause.succeeds("exchange", reply);
        let own = reply.as_deref() == Some(&frame(mark | 0x80, 300)[..]);
        clause.holds(own, format_args!("exchange {mark} gets something else"));
    }
}

/// Futures that run in one task, for a transport is only lent here.
struct Running<F: Future>(Vec<Run<F>>);

enum Run<F: Future> {
    Waits(Pin<Box<F>>),
    Done(F::Output),
}

impl<F: Future> Default for Running<F> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<F: Future> Running<F> {
    fn start(&mut self, future: F) {
        self.0.push(Run::Waits(Box::pin(future)));
    }

    /// Polls those that wait, and says whether none is left.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        let mut done = true;
        for run in &mut self.0 {
            if let Run::Waits(future) = run {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *run = Run::Done(value),
                    Poll::Pending => done = false,
                }
            }
        }
        done
    }

    /// Lets them run until another future is done.
    async fn beside<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = pin!(other);
        poll_fn(|context| {
            self.poll(context);
            other.as_mut().poll(context)
        })
        .await
    }

    /// What they give, in the order in which they were started.
    async fn finish(mut self) -> Vec<F::Output> {
        poll_fn(|context| match self.poll(context) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        let value = |run| match run {
            Run::Done(value) => Some(value),
            Run::Waits(_) => None,
        };
        self.0.into_iter().filter_map(value).collect()
    }
}

pub(super) async fn go_both_ways_at_once<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("two that ask each other at the same time both get a reply");
    let (one, two) = ends.two().await;
    let answer = async |end: &T, mark| {
        accept(clause, end).await.responder.reply(frame(mark, 50));
    };
    let (first, second, (), ()) = tokio::join!(
        ask(clause, &one, two.local_addr(), frame(1, 50)),
        ask(clause, &two, one.local_addr(), frame(2, 50)),
        answer(&one, 3),
        answer(&two, 4),
    );
    clause.holds(first == frame(4, 50) && second == frame(3, 50), "they get something else");
}

pub(super) async fn with_nobody_do_not_succeed<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("an exchange with nobody fails, or hangs until its caller drops it");
    let (one, gone) = ends.two().await;
    let nobody = gone.local_addr();
    gone.close().await;
    drop(gone);
    if let Ok(reply) = timeout(HANGS, one.exchange(nobody, frame(1, 10))).await {
        clause.fails("exchange", reply);
    }
}

/// Accepts by futures most of which are dropped after their first poll.
async fn accept_by_dropped_futures<T: Transport>(end: &T) -> io::Result<Incoming> {
    loop {
        for _ in 0..5 {
            if let Some(accepted) = poll_once(end.accept()).await {
                return accepted;
            }
            sleep(Duration::from_millis(1)).await;
        }
        if let Ok(accepted) = timeout(Duration::from_millis(20), end.accept()).await {
            return accepted;
        }
    }
}

pub(super) async fn are_not_lost_with_a_dropped_future<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("dropping a future of accept loses no request");
    let (one, two) = ends.two().await;
    for mark in 0..IN_TURN {
        let ask = ask(clause, &one, two.local_addr(), frame(mark, 5_000));
        let accept = clause.within("accept", accept_by_dropped_futures(&two));
        let answer = async {
            let incoming = clause.succeeds("accept", accept.await);
            incoming.responder.reply(frame(2, 5_000));
        };
        let (reply, ()) = tokio::join!(ask, answer);
        clause.holds(reply == frame(2, 5_000), "the reply arrives as another one");
    }
}

pub(super) async fn that_are_given_up_harm_nobody<T: Transport, F>(ends: &Ends<F>)
where
    F: AsyncFn(SocketAddr) -> io::Result<T>,
{
    let clause = Clause("an exchange that its asker drops harms neither side");
    let (one, two) = ends.two().await;
    let given_up = tokio::select! {
        incoming = accept(clause, &two) => incoming,
        reply = one.exchange(two.local_addr(), frame(1, 10)) => {
            clause.broken(format_args!("it ends before it is answered: {reply:?}"))
        }
    };
    given_up.responder.reply(frame(2, 10));
    let answer = async { accept(clause, &two).await.responder.reply(frame(4, 10)) };
    let ((), reply) = tokio::join!(answer, ask(clause, &one, two.local_addr(), frame(3, 10)));
    clause.holds(reply == frame(4, 10), "the next one gets something else");
}
