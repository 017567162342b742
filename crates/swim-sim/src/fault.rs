//! What is done to a cluster, in values and in words.
//!
//! The words are those of plans and stories:
//!
//! ```text
//! crash h2                         its process ends without a word; connections to it fail
//! kill h2                          its process ends; its host refuses connections
//! restart h2 [lost] [moved|back]   it starts; without its data; at another port, or at its first
//! pause h2 | resume h2             it stands still | it goes on
//! block h2 | stick h2              nothing goes in or out | its first message holds up all others
//! jump h2 1h                       its clock leaps forward
//! clock h2 forward|back 3s         its wall clock is set
//! inbox h2 16                      so much waits for it while it stands still; more is lost
//! leave h2 | join h2
//! metadata h2 7 | broadcast h2
//! twin h2 h0                       h2 starts anew with the identity of h0
//! cut h0 h1 | filter h0 h1         nothing goes from h0 to h1 | no datagrams do
//! mend h0 h1                       it does again
//! isolate h2 [deaf|mute]           nothing goes in and out | in | out
//! reconnect h2
//! flap h0 h1 500ms                 the link is down for so long, up for so long, and so on
//! clog h0 h1 3s                    nothing arrives, then all at once
//! split h0 h3 | bridge h1          these do not hear the others | h1 hears both
//! rate h2 2000                     bytes a second that it can send
//! network 200us 1ms [tail 5] [loss 20] [doubled 1]          of 1,000
//! tamper [flips 5] [cuts 5] [splices 5] [replays 5] [foreign 5] [later 5]
//! under loss:20                    an environment begins, and the one before ends
//! heal                             all cuts, splits, limits and tampering end
//! lie suspect h1 65536             and so on: the liar forges
//! ```

mod text;

use std::time::Duration;

use crate::cluster::{Cluster, Data, HostIx, Place};
use crate::environment::Environment;
use crate::host::Condition;
use crate::lie::Lie;
use crate::link::{Conditions, Tampering};

/// One thing that is done to a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A process ends without a word, and its host refuses nothing: connections to it just fail.
    Crash(HostIx),
    /// A process ends without a word. Its host refuses connections.
    Kill(HostIx),
    /// It starts, after a crash or while it runs.
    Restart(HostIx, Data, Place),
    /// It stands still.
    Pause(HostIx),
    /// Nothing goes in or out of it.
    Block(HostIx),
    /// Its senders and receivers stand still, each with its first message.
    Stick(HostIx),
    /// It goes on.
    Resume(HostIx),
    /// Its clock leaps forward by so much.
    Jump(HostIx, Duration),
    /// Its wall clock is set forward by so much.
    ClockForward(HostIx, Duration),
    /// Its wall clock is set back by so much.
    ClockBack(HostIx, Duration),
    /// So many packets wait for it while it stands still; more are lost.
    Inbox(HostIx, u32),
    /// It leaves gently.
    Leave(HostIx),
    /// It joins, again if it had left.
    Join(HostIx),
    /// It changes its metadata.
    Metadata(HostIx, u8),
    /// It broadcasts.
    Broadcast(HostIx),
    /// The first starts anew with the identity of the second, as from a copied data folder.
    Twin(HostIx, HostIx),
    /// Nothing goes from the first to the second.
    Cut(HostIx, HostIx),
    /// No datagrams go from the first to the second; exchanges do.
    Filter(HostIx, HostIx),
    /// It does again.
    Mend(HostIx, HostIx),
    /// Nothing goes in or out of it, or only in, or only out.
    Isolate(HostIx, Isolation),
    /// It hears and is heard again.
    Reconnect(HostIx),
    /// The link between two hosts is down and up by turns, each for so long.
    Flap(HostIx, HostIx, Duration),
    /// For so long nothing arrives that the first sends to the second, then all at once.
    Clog(HostIx, HostIx, Duration),
    /// The hosts whose bit is set do not hear the others.
    Split(u32),
    /// It hears all sides of a split, and is heard by them.
    Bridge(HostIx),
    /// What a host sends is limited, in bytes a second.
    Rate(HostIx, u64),
    /// All links differ from what they were.
    Network(Conditions),
    /// What happens to the bytes from now on.
    Tamper(Tampering),
    /// This environment begins, and the one before ends.
    Under(Environment),
    /// All cuts, splits, limits and tampering end.
    Heal,
    /// The liar forges.
    Lie(Lie),
}

/// How a host is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// It hears nobody.
    Deaf,
    /// Nobody hears it.
    Mute,
    /// Both.
    Both,
}

impl Fault {
    /// The hosts that it names.
    pub fn hosts(&self) -> Vec<HostIx> {
        match *self {
            Self::Crash(a)
            | Self::Kill(a)
            | Self::Restart(a, ..)
            | Self::Pause(a)
            | Self::Block(a)
            | Self::Stick(a)
            | Self::Resume(a)
            | Self::Jump(a, _)
            | Self::ClockForward(a, _)
            | Self::ClockBack(a, _)
            | Self::Inbox(a, _)
            | Self::Leave(a)
            | Self::Join(a)
            | Self::Metadata(a, _)
            | Self::Broadcast(a)
            | Self::Isolate(a, _)
            | Self::Reconnect(a)
            | Self::Bridge(a)
            | Self::Rate(a, _) => vec![a],
            Self::Twin(a, b)
            | Self::Cut(a, b)
            | Self::Filter(a, b)
            | Self::Mend(a, b)
            | Self::Flap(a, b, _)
            | Self::Clog(a, b, _) => vec![a, b],
            Self::Split(_) | Self::Network(_) | Self::Tamper(_) | Self::Under(_) | Self::Heal => {
                Vec::new()
            }
            Self::Lie(ref lie) => lie.victim().into_iter().collect(),
        }
    }

    /// Does it.
    pub fn apply(&self, cluster: &mut Cluster) {
        let now = cluster.now();
        match *self {
            Self::Crash(ix) => cluster.crash(ix),
            Self::Kill(ix) => cluster.kill(ix),
            Self::Restart(ix, data, place) => cluster.restart(ix, data, place, &seeds(cluster)),
            Self::Pause(ix) => cluster.pause(ix),
            Self::Block(ix) => cluster.block(ix),
            Self::Stick(ix) => cluster.stick(ix),
            Self::Resume(ix) => cluster.resume(ix),
            Self::Jump(ix, by) => cluster.jump_clock(ix, by),
            Self::ClockForward(ix, by) => cluster.step_wall_clock(ix, by.as_micros() as i64),
            Self::ClockBack(ix, by) => cluster.step_wall_clock(ix, -(by.as_micros() as i64)),
            Self::Inbox(ix, packets) => cluster.limit_inbox(ix, packets),
            Self::Leave(ix) => cluster.leave(ix),
            Self::Join(ix) => cluster.join(ix, &seeds(cluster)),
            Self::Metadata(ix, value) => cluster.set_metadata(ix, &[value]),
            Self::Broadcast(ix) => cluster.broadcast_anew(ix),
            Self::Twin(twin, of) => {
                cluster.crash(twin);
                cluster.copy_identity(of, twin);
                cluster.restart(twin, Data::Kept, Place::Same, &seeds(cluster));
            }
            Self::Cut(from, to) => cluster.links.cut(from.0, to.0),
            Self::Filter(from, to) => cluster.links.filter(from.0, to.0),
            Self::Mend(from, to) => cluster.links.mend(from.0, to.0),
            Self::Isolate(ix, how) => {
                if how != Isolation::Mute {
                    cluster.links.deafen(ix.0);
                }
                if how != Isolation::Deaf {
                    cluster.links.mute(ix.0);
                }
            }
            Self::Reconnect(ix) => cluster.links.reconnect(ix.0),
            Self::Flap(a, b, each) => cluster.links.flap(a.0, b.0, now, each),
            Self::Clog(from, to, time) => cluster.links.clog(from.0, to.0, now + time),
            Self::Split(sides) => {
                for host in cluster.hosts() {
                    cluster.links.put_on_side(host.0, sides >> (host.0 % 32) & 1);
                }
            }
            Self::Bridge(ix) => cluster.links.bridge(ix.0),
            Self::Rate(ix, rate) => cluster.links.limit_rate(ix.0, rate),
            Self::Network(conditions) => cluster.links.default = conditions,
            Self::Tamper(tampering) => cluster.links.tampering = tampering,
            Self::Under(environment) => cluster.enter(environment),
            Self::Heal => cluster.heal(),
            Self::Lie(ref lie) => cluster.lie(lie),
        }
    }
}

/// A restarted or returning host knows where everybody was last, whether they run or not: with
/// fewer seeds two of which nobody knows the other could never meet.
fn seeds(cluster: &Cluster) -> Vec<HostIx> {
    cluster.hosts().collect()
}

impl Cluster {
    /// All faults end; what is down stays down, but for one who is there for the others to find.
    pub fn calm(&mut self) {
        self.note(format_args!("-- calm"));
        self.enter(Environment::clean());
        self.links.default = Conditions::LAN;
        self.heal();
        for host in self.hosts() {
            self.resume(host);
            if self.is_twin(host) && self.condition(host) != Condition::Down {
                self.crash(host);
            }
        }
        if self.hosts().all(|host| self.condition(host) == Condition::Down) {
            self.restart(HostIx(0), Data::Kept, Place::Same, &[]);
        }
    }
}
