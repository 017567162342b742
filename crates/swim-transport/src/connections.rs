//! The connections that are open at once, and which of them gives its place to one that waits.
//!
//! An honest request arrives whole within a round trip. So a peer has some patience to finish its
//! part; after that it may stay for as long as nobody waits, and goes when somebody does. Whoever
//! holds all places on purpose must win them anew each time, and a burst of honest askers loses
//! nobody. Addresses do not decide who may come in: honest peers share one on a machine or behind
//! a router, and hostile ones have many. But of those whose patience is over, one of the address
//! that holds most places goes first.

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

/// Whom a connection waits for, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Peer(Instant),
    Node,
}

/// The turn of one connection; its task sets it.
#[derive(Clone, Debug)]
pub(crate) struct TurnCell(Arc<Mutex<Turn>>);

impl TurnCell {
    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set(&self, turn: Turn) {
        *self.lock() = turn;
    }

    fn peer_since(&self) -> Option<Instant> {
        match *self.lock() {
            Turn::Peer(since) => Some(since),
            Turn::Node => None,
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Answered,
    Silent,
    Broken,
    Invalid,
    TimedOut,
    Displaced,
    Unanswered,
}

#[derive(Debug)]
struct Place {
    from: IpAddr,
    turn: TurnCell,
    task: AbortHandle,
    /// It was told to go and has not ended yet.
    leaving: bool,
}

/// The tasks of the connections, never more than their bound.
#[derive(Debug)]
pub(crate) struct Connections {
    tasks: JoinSet<End>,
    places: HashMap<Id, Place>,
    places_max: usize,
    patience: Duration,
}

impl Connections {
    pub(crate) fn new(places_max: usize, patience: Duration) -> Self {
        let (tasks, places) = (JoinSet::new(), HashMap::new());
        Self { tasks, places, places_max: places_max.max(1), patience }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.tasks.len() < self.places_max
    }

    /// Gives a place to a connection whose peer is to speak first.
    pub(crate) fn start<T>(&mut self, from: IpAddr, serve: impl FnOnce(TurnCell) -> T)
    where
        T: Future<Output = End> + Send + 'static,
    {
        debug_assert!(self.has_room());
        let turn = TurnCell(Arc::new(Mutex::new(Turn::Peer(Instant::now()))));
        let task = self.tasks.spawn(serve(turn.clone()));
        self.places.insert(task.id(), Place { from, turn, task, leaving: false });
    }

    /// Waits for the next end; `None` when none is open.
    pub(crate) async fn next_end(&mut self) -> Option<End> {
        let ended: Result<(Id, End), JoinError> = self.tasks.join_next_with_id().await?;
        let (id, end) = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => (error.id(), End::Displaced),
            // The framing, which is another's code, has panicked.
            Err(error) => (error.id(), End::Broken),
        };
        self.places.remove(&id);
        Some(end)
    }

    /// When the patience with the next one is over, as far as it is known now.
    pub(crate) fn patience_ends(&self) -> Instant {
        // Those that wait for the node now may wait for their peers meanwhile.
        let turns_change = Instant::now() + self.patience.max(Duration::from_millis(1));
        let ends = self.staying().filter_map(|(_, place)| place.turn.peer_since());
        ends.map(|since| since + self.patience).min().unwrap_or(turns_change).min(turns_change)
    }

    /// Whether one was displaced whose task has not ended yet.
    pub(crate) fn is_one_leaving(&self) -> bool {
        self.places.values().any(|place| place.leaving)
    }

    /// Takes the place of one whose patience is over, if there is one.
    pub(crate) fn displace(&mut self, now: Instant) {
        let mut held: HashMap<IpAddr, usize> = HashMap::new();
        self.staying().for_each(|(_, place)| *held.entry(place.from).or_default() += 1);
        let over = self.staying().filter_map(|(id, place)| {
            let since = place.turn.peer_since()?;
            (since + self.patience <= now).then_some((held[&place.from], since, id))
        });
        let goes = over.max_by(|(held, since, _), (other_held, other_since, _)| {
            held.cmp(other_held).then(other_since.cmp(since))
        });
        let Some((_, _, id)) = goes else { return };
        if let Some(place) = self.places.get_mut(&id) {
            place.leaving = true;
            place.task.abort();
        }
    }

    fn staying(&self) -> impl Iterator<Item = (Id, &Place)> {
        self.places.iter().filter(|(_, place)| !place.leaving).map(|(id, place)| (*id, place))
    }

    /// Ends all, and returns when they have ended.
    pub(crate) async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    /// Starts one that never ends by itself. Returns its turn.
    fn start(connections: &mut Connections, from: u8) -> TurnCell {
        let mut its_turn = None;
        connections.start(address(from), |turn| {
            its_turn = Some(turn);
            pending()
        });
        its_turn.unwrap()
    }

    async fn next_end(connections: &mut Connections) -> Option<End> {
        tokio::time::timeout(PATIENCE, connections.next_end()).await.expect("one ends at once")
    }

    async fn pass(duration: Duration) {
        tokio::time::advance(duration).await;
    }

    /// The addresses that hold places now.
    fn holders(connections: &Connections) -> Vec<IpAddr> {
        let mut holders: Vec<IpAddr> = connections.staying().map(|(_, place)| place.from).collect();
        holders.sort();
        holders
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_gives_way_before_its_patience_is_over() {
        let mut connections = Connections::new(2, PATIENCE);
        start(&mut connections, 1);
        pass(PATIENCE / 2).await;
        start(&mut connections, 2);
        assert!(!connections.has_room());
        assert_eq!(connections.patience_ends(), Instant::now() + PATIENCE / 2);
        connections.displace(Instant::now());
        assert!(!connections.is_one_leaving());

        pass(PATIENCE / 2).await;
        connections.displace(Instant::now());
        assert!(connections.is_one_leaving() && !connections.has_room());
        assert_eq!(next_end(&mut connections).await, Some(End::Displaced));
        assert!(!connections.is_one_leaving() && connections.has_room());
        assert_eq!(holders(&connections), [address(2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_address_that_holds_most_places_gives_way_first() {
        let mut connections = Connections::new(3, PATIENCE);
        start(&mut connections, 1);
        start(&mut connections, 2);
        start(&mut connections, 2);
        pass(PATIENCE).await;
        connections.displace(Instant::now());
        assert_eq!(next_end(&mut connections).await, Some(End::Displaced));
        assert_eq!(holders(&connections), [address(1), address(2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_for_the_node_keeps_its_place_until_the_peer_is_slow_again() {
        let mut connections = Connections::new(1, PATIENCE);
        let turn = start(&mut connections, 1);
        turn.set(Turn::Node);
        pass(10 * PATIENCE).await;
        connections.displace(Instant::now());
        assert!(!connections.is_one_leaving());
        assert_eq!(connections.patience_ends(), Instant::now() + PATIENCE);

        turn.set(Turn::Peer(Instant::now()));
        pass(PATIENCE).await;
        connections.displace(Instant::now());
        assert!(connections.is_one_leaving());
    }

    #[tokio::test]
    async fn a_connection_that_panics_frees_its_place() {
        let mut connections = Connections::new(1, PATIENCE);
        connections.start(address(1), |_| async { panic!("a framing of somebody else") });
        assert_eq!(next_end(&mut connections).await, Some(End::Broken));
        assert!(connections.has_room() && holders(&connections).is_empty());
    }
}
