//! A leave that goes on: whom it was told, who knows of it and lasts, and whom to tell next (L2).

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use swim_proto::Seq;

use crate::time::Instant;

/// How many lasting members are to know of a leave.
const PEERS: usize = 5;
/// How often a peer that is silent is told.
const RETRY: Duration = Duration::from_millis(200);
/// After so many rounds a leave is over if anybody who lasts knows of it.
const ROUNDS: u32 = 5;
/// After so many rounds with fewer lasting members than that everybody is told.
const FEW_ROUNDS: u32 = 2;
const FEW: usize = 3;
/// How many more members are told a round then, and in all.
const EVERYBODY_STEP: usize = 32;
const TOLD_MAX: usize = 256;
/// After so many rounds a silent peer is told over the reliable plane, and so many in a round.
const SILENT_ROUNDS: u32 = 2;
const RELIABLE_STEP: usize = 8;

/// A peer that was told and has not answered.
#[derive(Clone, Debug)]
struct Peer {
    seq: Seq,
    address: SocketAddr,
    /// Whether it is, or was, a member; else an address at which this node was joining.
    member: bool,
    rounds: u32,
}

/// A leave that waits for its acknowledgements.
#[derive(Clone, Debug)]
pub(crate) struct Leaving {
    waiting: Vec<Peer>,
    /// Who has acknowledged it, and has not left since.
    lasting: Vec<SocketAddr>,
    /// All who were told, those that leave too included.
    told: Vec<SocketAddr>,
    rounds: u32,
    next_at: Instant,
    until: Instant,
}

/// One to tell now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Telling {
    pub(crate) seq: Seq,
    pub(crate) to: SocketAddr,
    /// Whether it is a member, and may be told news.
    pub(crate) member: bool,
    /// Whether over the reliable plane as well: datagrams were not answered.
    pub(crate) reliably: bool,
}

impl Leaving {
    /// A leave that may take so long.
    pub(crate) fn new(now: Instant, timeout: Duration) -> Self {
        Self {
            waiting: Vec::new(),
            lasting: Vec::new(),
            told: Vec::new(),
            rounds: 0,
            next_at: now,
            until: now + timeout,
        }
    }

    /// When the next round is.
    pub(crate) fn deadline(&self) -> Instant {
        self.next_at.min(self.until)
    }

    /// When it is over at the latest.
    pub(crate) fn until(&self) -> Instant {
        self.until
    }

    /// Whether this address was told.
    pub(crate) fn is_told(&self, address: SocketAddr) -> bool {
        self.told.contains(&address)
    }

    /// How many more are to be told in this round.
    pub(crate) fn wanted(&self) -> usize {
        let few = self.rounds >= FEW_ROUNDS && self.lasting.len() < FEW;
        let wanted = match few {
            true => EVERYBODY_STEP,
            false => PEERS.saturating_sub(self.waiting.len() + self.lasting.len()),
        };
        wanted.min(TOLD_MAX - self.told.len())
    }

    /// One more is told, from the next round on.
    pub(crate) fn add(&mut self, seq: Seq, address: SocketAddr, member: bool) {
        self.told.push(address);
        self.waiting.push(Peer { seq, address, member, rounds: 0 });
    }

    /// A member that leaves, too, is told, and not waited for. Returns whether there is room for it: if
    /// not, it is not answered.
    #[must_use]
    pub(crate) fn on_told_in_passing(&mut self, address: SocketAddr) -> bool {
        let room = self.told.len() < TOLD_MAX && !self.is_told(address);
        if room {
            self.told.push(address);
        }
        room
    }

    /// A round begins. Returns whom to tell in it.
    pub(crate) fn begin_round(&mut self, now: Instant) -> Vec<Telling> {
        self.rounds += 1;
        self.next_at = now + RETRY;
        let mut reliable = 0;
        let tell = |peer: &mut Peer| {
            peer.rounds += 1;
            // Once at the first silence, and again after as long.
            let silent = peer.rounds > SILENT_ROUNDS && peer.rounds % SILENT_ROUNDS == 1;
            let reliably = silent && reliable < RELIABLE_STEP;
            reliable += usize::from(reliably);
            Telling { seq: peer.seq, to: peer.address, member: peer.member, reliably }
        };
        self.waiting.iter_mut().map(tell).collect()
    }

    /// A peer has acknowledged the leave: it lasts, as far as it knows itself.
    pub(crate) fn on_acknowledged(&mut self, seq: Seq) {
        if let Some(at) = self.waiting.iter().position(|peer| peer.seq == seq) {
            self.lasting.push(self.waiting.swap_remove(at).address);
        }
    }

    /// A peer will not answer: its process has ended, or it leaves, too.
    pub(crate) fn on_refused(&mut self, seq: Seq) {
        self.waiting.retain(|peer| peer.seq != seq);
    }

    /// The member at this address has left or leaves: it does not last, and is not waited for.
    pub(crate) fn on_left(&mut self, address: SocketAddr) {
        self.waiting.retain(|peer| peer.address != address);
        self.lasting.retain(|&lasting| lasting != address);
    }

    /// Whether enough know of the leave, or its time is up.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        let rounds_over = self.rounds >= ROUNDS && now >= self.next_at;
        let members_silent = self.waiting.iter().any(|peer| peer.member);
        self.lasting.len() >= PEERS
            || now >= self.until
            || rounds_over && (!self.lasting.is_empty() || !members_silent)
    }

    /// Whether nobody is waited for.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many lasting members have acknowledged it, and how many peers were told.
    pub(crate) fn outcome(&self) -> (u32, u32) {
        (self.lasting.len() as u32, self.told.len() as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(3);

    fn address(n: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], n + 1))
    }

    fn at(ms: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(ms)
    }

    fn leaving(peers: u16) -> Leaving {
        let mut leaving = Leaving::new(at(0), TIMEOUT);
        (0..peers).for_each(|n| leaving.add(Seq(n.into()), address(n), true));
        leaving
    }

    #[test]
    fn l2_a_leave_is_over_when_five_that_last_know_of_it() {
        let mut leaving = leaving(5);
        assert_eq!(leaving.begin_round(at(0)).len(), 5);
        (0..4).for_each(|n| leaving.on_acknowledged(Seq(n)));
        assert!(!leaving.is_over(at(100)));
        leaving.on_left(address(0));
        leaving.on_acknowledged(Seq(4));
        assert!(!leaving.is_over(at(100)), "one of them leaves, too");
        assert_eq!((leaving.wanted(), leaving.outcome()), (1, (4, 5)));
    }

    #[test]
    fn l2_after_a_second_one_who_lasts_is_enough_and_without_one_it_goes_on_for_its_time() {
        let mut one = leaving(2);
        let mut none = leaving(2);
        for round in 0..5 {
            one.begin_round(at(200 * round));
            none.begin_round(at(200 * round));
        }
        one.on_acknowledged(Seq(1));
        assert!(!one.is_over(at(999)));
        assert!(one.is_over(at(1_000)));
        assert!(!none.is_over(at(2_999)));
        assert!(none.is_over(at(3_000)));
    }

    #[test]
    fn l2_seeds_that_are_silent_are_waited_for_no_longer_than_a_second() {
        let mut leaving = Leaving::new(at(0), TIMEOUT);
        leaving.add(Seq(1), address(1), false);
        (0..5).for_each(|round| drop(leaving.begin_round(at(200 * round))));
        assert!(leaving.is_over(at(1_000)));
    }

    #[test]
    fn l2_where_few_last_everybody_is_told_within_a_bound() {
        let mut leaving = leaving(5);
        leaving.begin_round(at(0));
        assert_eq!(leaving.wanted(), 0);
        leaving.begin_round(at(200));
        let mut told = 5;
        while leaving.wanted() > 0 {
            for _ in 0..leaving.wanted() {
                leaving.add(Seq(told.into()), address(told), true);
                told += 1;
            }
        }
        assert_eq!(usize::from(told), TOLD_MAX);
    }

    #[test]
    fn l2_who_is_silent_is_told_over_the_reliable_plane_few_at_a_time() {
        let mut leaving = leaving(20);
        let reliable = |round: u64, leaving: &mut Leaving| {
            let told = leaving.begin_round(at(200 * round));
            told.iter().filter(|telling| telling.reliably).count()
        };
        let counts: Vec<usize> = (0..5).map(|round| reliable(round, &mut leaving)).collect();
        assert_eq!(counts, [0, 0, 8, 0, 8]);
    }
}
