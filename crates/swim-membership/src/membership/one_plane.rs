//! Members that answer by one plane only (E8): the user learns of them, and news that datagrams would
//! carry goes over the other.

use core::net::SocketAddr;
use core::time::Duration;

use super::Membership;
use crate::action::{Action, Ask};
use crate::planes::{Look, Plane};
use crate::table::MemberIx;
use crate::time::Instant;

/// Tables are compared with a member that gets no datagrams once in so many periods.
const COMPARE_PERIODS: u32 = 5;

impl Membership {
    /// A member has answered a probe: itself by a datagram, over the reliable plane, or a relay has.
    pub(super) fn on_answered_by_plane(
        &mut self,
        now: Instant,
        ix: MemberIx,
        plane: Option<Plane>,
    ) {
        match plane {
            Some(Plane::Datagrams) => {
                let look = self.planes.on_datagram(now, ix);
                self.on_plane_looked_at(now, ix, look);
            }
            Some(Plane::Reliable) => {
                let look = self.planes.on_reliable_ack(now, ix);
                self.on_plane_looked_at(now, ix, look);
                self.compare_for_want_of_datagrams(now, ix);
            }
            None => {}
        }
    }

    fn on_plane_looked_at(&mut self, now: Instant, ix: MemberIx, look: Look) {
        match look {
            Look::Nothing => {}
            Look::Full => self.counters.planes_full += 1,
            Look::Tell(plane, since) => {
                let (id, address) = (self.table.held(ix).id, self.address(ix));
                let ago = now - since;
                let unix = Duration::from_micros(self.clock.unix_micros(now));
                let since = unix.saturating_sub(ago);
                self.actions.push_back(Action::OnePlane { id, address, plane, since });
            }
        }
    }

    /// Gossip, corrections and requests for records do not get through to it, or not back.
    fn compare_for_want_of_datagrams(&mut self, now: Instant, ix: MemberIx) {
        let every = self.config.period() * COMPARE_PERIODS;
        if self.planes.is_only(ix, Plane::Reliable) && self.planes.begin_comparison(now, every) {
            let to = self.address(ix);
            self.actions.push_back(Action::Exchange { to, ask: Ask::Sync });
        }
    }

    /// An exchange that was to compare tables has failed, with the member at this address.
    pub fn handle_exchange_failed(&mut self, now: Instant, to: SocketAddr) {
        if let Some(ix) = self.present_with(to) {
            self.planes.on_exchange_failed(now, ix);
        }
    }
}
