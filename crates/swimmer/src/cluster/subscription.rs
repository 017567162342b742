//! A stream of changes that begins with a snapshot and survives its own slowness.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;

use super::blocking::{block_on, block_on_for};
use super::log::{Next, Reader, RecvTimeoutError, TryRecvError};
use super::mirror::{Mirror, Snapshot};
use crate::event::Event;

/// One step of a [`Subscription`].
#[derive(Clone, Debug)]
pub struct Update {
    /// Its number: one more than that of the step before, but after a resync.
    pub seq: u64,
    /// What has changed.
    pub change: Change,
}

/// What a step of a [`Subscription`] brings.
#[derive(Clone, Debug)]
pub enum Change {
    /// One event.
    Event(Event),
    /// The reader was too slow: events were dropped, and this is how things stand after them.
    /// Whoever takes it over has the node's own view again.
    Resync(Snapshot),
}

/// The members as they were, and every change from then on. A reader that lags more than 1,024
/// events behind gets one [`Change::Resync`] instead of those. It holds nothing up, and does not
/// keep the node running.
#[derive(Debug)]
pub struct Subscription {
    mirror: Arc<Mirror>,
    start: Snapshot,
    events: Reader<Arc<Update>>,
    /// Events up to this number are known: they are in a snapshot.
    known: u64,
}

impl Subscription {
    pub(super) fn new(mirror: Arc<Mirror>) -> Self {
        let (start, events) = mirror.subscribe();
        let known = start.seq();
        Self { mirror, start, events, known }
    }

    /// The members at the beginning.
    pub fn snapshot(&self) -> &Snapshot {
        &self.start
    }

    /// The members as they are now: this may be ahead of the changes that were received.
    pub fn latest(&self) -> Snapshot {
        self.mirror.snapshot()
    }

    /// Waits for the next change; `None`: the node was stopped. Dropping the future loses nothing.
    pub async fn recv(&mut self) -> Option<Update> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// As [`recv`](Self::recv), blocking this thread.
    pub fn blocking_recv(&mut self) -> Option<Update> {
        block_on(self.recv())
    }

    /// As [`blocking_recv`](Self::blocking_recv), for so long at most.
    ///
    /// # Errors
    /// When nothing came in that time, or the node was stopped.
    pub fn recv_timeout(&mut self, limit: Duration) -> Result<Update, RecvTimeoutError> {
        let received = block_on_for(self.recv(), limit).ok_or(RecvTimeoutError::Timeout)?;
        received.ok_or(RecvTimeoutError::Ended)
    }

    /// The next change if there is one already.
    ///
    /// # Errors
    /// When there is none yet, or the node was stopped.
    pub fn try_recv(&mut self) -> Result<Update, TryRecvError> {
        loop {
            let next = self.events.try_next()?;
            if let Some(update) = self.on_next(next) {
                return Ok(update);
            }
        }
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<Update>> {
        loop {
            match self.events.poll_next(context) {
                Poll::Ready(Some(next)) => {
                    if let Some(update) = self.on_next(next) {
                        return Poll::Ready(Some(update));
                    }
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn on_next(&mut self, next: Next<Arc<Update>>) -> Option<Update> {
        match next {
            Next::Item(update) => self.on_event(&update),
            Next::Missed(missed) => Some(self.resync(missed)),
        }
    }

    fn on_event(&mut self, update: &Update) -> Option<Update> {
        if update.seq <= self.known {
            return None;
        }
        self.known = update.seq;
        Some(update.clone())
    }

    fn resync(&mut self, missed: u64) -> Update {
        self.mirror.count(|counters| {
            counters.resyncs += 1;
            counters.events_missed += missed;
        });
        let snapshot = self.mirror.snapshot();
        self.known = snapshot.seq();
        Update { seq: snapshot.seq(), change: Change::Resync(snapshot) }
    }
}

impl Stream for Subscription {
    type Item = Update;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Update>> {
        self.get_mut().poll_recv(context)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::SocketAddr;

    use quickcheck::{Arbitrary, Gen, QuickCheck};
    use swim_membership::Instant;
    use swim_proto::{
        Accusers, BincodeCodec, ClusterName, Codec, Datagram, Incarnation, NodeId, Part,
        RecordFields, State, Subject, TinyId, Versions,
    };

    use super::*;
    use crate::Member;
    use crate::node::{Node, Output, Settings};

    /// Few events are kept, so that the reader misses many.
    const EVENTS_MAX: usize = 4;

    #[derive(Clone, Debug)]
    enum Step {
        /// Gossip about so many members: who, in which incarnation, what, from how many addresses.
        Hear(Vec<(u8, u8, u8)>),
        /// The reader takes so many changes.
        Read(u8),
    }

    impl Arbitrary for Step {
        fn arbitrary(g: &mut Gen) -> Self {
            if u8::arbitrary(g) % 4 == 0 {
                return Self::Read(u8::arbitrary(g) % 8);
            }
            let count = u8::arbitrary(g) % 6;
            let say = |_| (u8::arbitrary(g) % 5, u8::arbitrary(g) % 12, u8::arbitrary(g));
            Self::Hear((0..count).map(say).collect())
        }
    }

    fn settings() -> Settings {
        let address = "192.0.2.100:1".parse().unwrap();
        let cluster = ClusterName::new("test").unwrap();
        Settings::new(NodeId::from_bytes([100; 16]), cluster, address)
    }

    fn gossip(says: &[(u8, u8, u8)]) -> Vec<u8> {
        let mut codec = BincodeCodec::new(ClusterName::new("test").unwrap());
        let (mut out, limit) = (Vec::new(), 1_400);
        codec.begin_datagram(&Datagram::Gossip, limit, &mut out).unwrap();
        for &(who, number, what) in says {
            let id = NodeId::from_bytes([who + 1; 16]);
            let (subject, incarnation) = (Subject::Full(id), Incarnation(number.into()));
            let accusers = Accusers::from_iter([TinyId(7)]);
            let record = RecordFields {
                address: SocketAddr::from(([192, 0, 2, who + 1], 1 + u16::from(what / 64))),
                versions: Versions::default(),
                name: "",
                metadata: &[],
                later: &[],
            };
            let record = record.build().unwrap();
            let part = match what % 4 {
                0 => Part::Suspect { subject, incarnation, accusers },
                1 => Part::Dead { subject, incarnation, accusers },
                2 => Part::Left { subject, incarnation },
                _ => Part::Alive { id, incarnation, record: record.as_bytes() },
            };
            let _ = codec.push(&part, limit, &mut out);
        }
        codec.finish(&mut out);
        out
    }

    /// Those present, as far as users are told of each change: who, in which state, where.
    fn present<'a>(
        members: impl Iterator<Item = &'a Member>,
    ) -> BTreeMap<NodeId, (State, SocketAddr)> {
        let present = members.filter(|member| member.state.is_present());
        present.map(|member| (member.id, (member.state, member.address))).collect()
    }

    /// A reader by the book. Returns whether there was a change to read.
    fn read(subscription: &mut Subscription, view: &mut BTreeMap<NodeId, Member>) -> bool {
        let Ok(update) = subscription.try_recv() else { return false };
        match update.change {
            Change::Event(
                Event::Joined(member)
                | Event::Up(member)
                | Event::Suspected(member)
                | Event::Down(member, _)
                | Event::Left(member)
                | Event::Updated(member),
            ) => drop(view.insert(member.id, member)),
            Change::Event(_) => {}
            Change::Resync(snapshot) => {
                let members = snapshot.members().iter();
                *view = members.map(|member| (member.id, member.clone())).collect();
            }
        }
        true
    }

    #[test]
    fn every_reader_that_handles_resync_ends_with_the_nodes_own_view() {
        fn law(steps: Vec<Step>) -> bool {
            let mut node = Node::new(settings(), Instant::ZERO).unwrap();
            let mirror = Arc::new(Mirror::with_events_max(node.local(), EVENTS_MAX));
            let mut subscription = Subscription::new(Arc::clone(&mirror));
            let mut view = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Hear(says) => {
                        let from = "192.0.2.1:1".parse().unwrap();
                        node.handle_datagram(Instant::ZERO, from, &mut gossip(&says));
                        let mut events = Vec::new();
                        loop {
                            match node.poll_output() {
                                Output::Event(event) => events.push(event),
                                Output::Wait(_) => break,
                                _ => {}
                            }
                        }
                        mirror.publish(&mut node, &mut events);
                    }
                    Step::Read(count) => {
                        (0..count).for_each(|_| _ = read(&mut subscription, &mut view));
                    }
                }
            }
            while read(&mut subscription, &mut view) {}
            let snapshot = mirror.snapshot();
            let own: Vec<Member> = node.members().collect();
            present(view.values()) == present(own.iter())
                && present(snapshot.members().iter()) == present(own.iter())
        }
        QuickCheck::new().tests(2_000).quickcheck(law as fn(Vec<Step>) -> bool);
    }

    #[test]
    fn whoever_is_too_slow_is_counted() {
        let mut node = Node::new(settings(), Instant::ZERO).unwrap();
        let mirror = Arc::new(Mirror::with_events_max(node.local(), EVENTS_MAX));
        let mut subscription = Subscription::new(Arc::clone(&mirror));
        let member = node.local();
        let mut events = vec![Event::Joined(member); EVENTS_MAX + 3];
        mirror.publish(&mut node, &mut events);
        assert!(matches!(subscription.try_recv().unwrap().change, Change::Resync(_)));
        let driver = mirror.stats().driver;
        assert_eq!((driver.resyncs, driver.events_missed), (1, 3));
    }
}
