//! Nobody makes a storm (I17): what a node sends in a second has a bound that grows with the
//! members that it holds, whatever others do.

use swim_membership::Instant;

/// What a node may begin and send in one second, for each member that it holds and besides. In
/// thousands of plans the most was a third of it.
const EXCHANGES: (u64, u64) = (16, 96);
const DATAGRAMS: (u64, u64) = (32, 200);

/// What a node has sent in the second that runs.
#[derive(Debug, Default)]
pub(super) struct Sent {
    second: u64,
    exchanges: u64,
    datagrams: u64,
}

impl Sent {
    pub(super) fn add(&mut self, exchanges: u64, datagrams: u64) {
        self.exchanges += exchanges;
        self.datagrams += datagrams;
    }

    pub(super) fn check(&mut self, now: Instant, held: u64) -> Result<(), String> {
        let second = now.as_micros() / 1_000_000;
        if second != self.second {
            *self = Self { second, ..Self::default() };
        }
        for (what, sent, (each, besides)) in [
            ("begun exchanges", self.exchanges, EXCHANGES),
            ("sent datagrams", self.datagrams, DATAGRAMS),
        ] {
            if sent > each * held + besides {
                return Err(format!(
                    "has {what} {sent} times in a second, and holds {held} members"
                ));
            }
        }
        Ok(())
    }
}
