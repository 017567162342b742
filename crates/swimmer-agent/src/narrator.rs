//! What the agent says about itself on standard error: its start, its joining, and what an
//! operator should know.

use std::net::SocketAddr;
use std::time::Duration;

use swimmer::proto::Timing;
use swimmer::{
    AdvertisedBy, Cluster, Config, Member, NodeId, Notice, Notices, Plane, Profile, RefusalReason,
};
use tokio::time::{Instant, sleep_until};

use crate::args::AgentArgs;
use crate::report::tell;

/// After this long without an answer it is said that the seeds are still being tried, unless that
/// was said of one already.
const PATIENCE: Duration = Duration::from_secs(5);

/// Says it, a line at a time.
pub(crate) struct Narrator {
    id: NodeId,
    cluster: String,
    /// As given, without this node's own address and those that its socket does not reach.
    seeds: Vec<String>,
    notices: Notices,
}

impl Narrator {
    /// Holds no handle: the node is not kept running by whoever only talks about it.
    pub(crate) fn new(cluster: &Cluster, args: &AgentArgs) -> Self {
        let own = [cluster.local().address, cluster.local_addr()];
        let is_own = |seed: &str| seed.parse().is_ok_and(|seed: SocketAddr| own.contains(&seed));
        let listen = cluster.local_addr();
        let tried = |seed: &&String| !is_own(seed) && is_tried(listen, seed);
        let seeds = args.seeds.iter().filter(tried).cloned().collect();
        Self { id: cluster.id(), cluster: args.cluster.clone(), seeds, notices: cluster.notices() }
    }

    /// Talks until the node stops.
    pub(crate) async fn run(mut self) {
        if !self.seeds.is_empty() {
            tell(format!("joining by {}; retrying until one answers", self.seeds.join(", "))).await;
        }
        let remind_at = Instant::now() + PATIENCE;
        let mut waiting = !self.seeds.is_empty();
        loop {
            let notice = tokio::select! {
                notice = self.notices.recv() => notice,
                () = sleep_until(remind_at), if waiting => {
                    waiting = false;
                    tell("no seed has taken this node in yet; still trying".to_owned()).await;
                    continue;
                }
            };
            let Some(notice) = notice else { return };
            let said = matches!(notice, Notice::JoinedBy { .. } | Notice::SeedUnanswered { .. });
            waiting &= !said;
            let mut line = describe(&notice, &self.cluster);
            if matches!(notice, Notice::SpeaksFromElsewhere { id, .. } if id == self.id) {
                line.push_str("; it is this node: --advertise says where the others reach it");
            }
            tell(line).await;
        }
    }
}

/// Whether a socket that listens here can try this seed. A name may have an address of either family.
fn is_tried(listen: SocketAddr, seed: &str) -> bool {
    let both = listen.is_ipv6() && listen.ip().is_unspecified();
    let same = |seed: SocketAddr| seed.ip().to_canonical().is_ipv4() == listen.is_ipv4();
    both || seed.parse().map_or(true, same)
}

/// Who this node is and where, for the first line of all.
pub(crate) fn start_line(cluster: &Cluster, args: &AgentArgs) -> String {
    let local = cluster.local();
    let name = if local.name.is_empty() { "-" } else { &local.name };
    let how = match cluster.advertised_by() {
        AdvertisedBy::Given => " (as given)",
        AdvertisedBy::Listen => "",
        AdvertisedBy::RouteToSeed => " (this machine's on the route to a seed)",
        AdvertisedBy::Seed => " (this machine's, as a seed has it)",
        AdvertisedBy::LoopbackSeeds => {
            " (loopback, as all seeds are: only this machine reaches it)"
        }
        AdvertisedBy::Private => " (a private address of this machine)",
        AdvertisedBy::Public => " (a public address of this machine, which has no private one)",
        AdvertisedBy::LinkLocal => " (link-local: this machine has no other)",
        AdvertisedBy::Loopback => " (this machine has only loopback: no other reaches it)",
        _ => "",
    };
    format!(
        "swimmer {} id {} name {name} cluster {} address {}{how} preset {}",
        env!("CARGO_PKG_VERSION"),
        local.id,
        args.cluster,
        local.address,
        args.profile,
    )
}

fn describe(notice: &Notice, own: &str) -> String {
    match notice {
        Notice::JoinRefused { by, cluster, reason: RefusalReason::OtherCluster } => {
            format!("{by} refused us: it belongs to the cluster '{cluster}', this node to '{own}'")
        }
        Notice::JoinRefused { by, reason, .. } => {
            let why = match reason {
                RefusalReason::Full => "its cluster is full",
                RefusalReason::Versions => "it speaks other versions of the protocol",
                RefusalReason::NotRunning => "it is leaving",
                RefusalReason::Address => {
                    "the address that this node tells others is good for its own host or link only; \
                     listen on, or give with --advertise, one that others reach"
                }
                _ => "for a reason of a later version",
            };
            format!("{by} refused us: {why}")
        }
        Notice::ForeignJoin { from, cluster } => format!(
            "refused {from}: it means the cluster '{cluster}', this node belongs to '{own}'"
        ),
        Notice::ForeignDatagram { from } => {
            format!("a datagram from {from} is of another cluster, or damaged; ignored")
        }
        Notice::SeedUnresolved { seed, error } => {
            format!("cannot resolve the seed {seed}: {error}; trying again")
        }
        Notice::AddressRefused { id, from, address } => format!(
            "refused {id} at {from}: its record says {address}, which is good for its own host or link only"
        ),
        Notice::SpeaksFromElsewhere { id, from, port, record } => {
            let from = port
                .map_or_else(|| from.to_string(), |port| SocketAddr::new(*from, port).to_string());
            format!("member {id} speaks from {from}, its record says {record}")
        }
        Notice::SmallPath { to } => format!(
            "short messages to or from {to} get through and long ones do not: packets above some size are lost \
             on the way, or TCP is blocked; --datagram-bytes 1232, or less, on all members may help"
        ),
        Notice::Moved { before, now } => {
            format!("this node is reached at {now} from now on, no more at {before}")
        }
        Notice::SeedUnreachable { seed, listen } => {
            let (its, ours) = if listen.is_ipv4() { ("IPv6", "IPv4") } else { ("IPv4", "IPv6") };
            format!(
                "the seed {seed} is {its}, and this node listens at {listen}, which is {ours}; not tried"
            )
        }
        Notice::SeedUnanswered { seed } => format!("{seed} does not answer; trying again"),
        Notice::NotPersisted { error } => {
            format!(
                "{error}; going on, and trying again: should this end before, a restart needs a seed"
            )
        }
        Notice::PersistedAgain => "the data folder can be written again".into(),
        Notice::OtherTiming { member, period, suspicion_min } => {
            other_timing(member, *period, *suspicion_min)
        }
        Notice::StartedLater { other } => format!(
            "the other process with this node's host key, at {other}, has started earlier and answers: \
             this one is to be stopped, or started with --on-conflict exit"
        ),
        Notice::SlowNetwork { round_trip, base_timeout } => {
            slow_network(*round_trip, *base_timeout)
        }
        Notice::OnePlane { address, plane: Plane::Reliable, .. } => format!(
            "{address} is reachable by TCP, not by UDP: datagrams to it, or from it, are lost; what gossip \
             tells comes late"
        ),
        Notice::OnePlane { address, .. } => {
            format!("{address} is reachable by UDP, not by TCP: joins and comparisons fail there")
        }
        Notice::JoinedBy { seed } => format!("{seed} has taken this node in"),
        _ => "something of a later version happened".into(),
    }
}

/// What an operator can do about long round trips: take the first preset that leaves a quarter of
/// them to spare, or else the one that waits longest.
fn slow_network(round_trip: Duration, base_timeout: Duration) -> String {
    let base = |&profile: &Profile| Config::preset(profile).base_timeout();
    let mut longer = [Profile::Lan, Profile::Wan].into_iter().filter(|p| base(p) > base_timeout);
    let fits = longer.clone().find(|profile| base(profile) >= round_trip * 5 / 4);
    let advice = match fits.or(longer.next_back()) {
        Some(profile) => format!("use --profile {profile} on all members"),
        None => "no profile waits longer".into(),
    };
    format!(
        "round trips of about {} are too long for this profile, which waits {} for an answer: deaths \
         are found later; {advice}, unless it is this machine that is slow",
        span(round_trip),
        span(base_timeout),
    )
}

/// A preset has a name; other times are told as they are.
fn other_timing(member: &Member, period: Duration, suspicion_min: Duration) -> String {
    let timing = Timing::new(period, suspicion_min);
    let preset = Profile::ALL.into_iter().find(|&p| Config::preset(p).timing() == timing);
    let preset = preset.map_or_else(String::new, |preset| format!(" (--profile {preset})"));
    format!(
        "{} has another timing{preset}: a period of {} and {} to refute; all members should have the same",
        member.address,
        span(period),
        span(suspicion_min),
    )
}

fn span(span: Duration) -> String {
    match span.as_secs() {
        0 => format!("{} ms", span.as_millis()),
        _ => format!("{:.1} s", span.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(round_trip: u64, base_timeout: u64) -> String {
        let [round_trip, base_timeout] = [round_trip, base_timeout].map(Duration::from_millis);
        describe(&Notice::SlowNetwork { round_trip, base_timeout }, "cluster1")
    }

    #[test]
    fn another_timing_is_told_with_the_preset_that_has_it() {
        let member = crate::printer::tests::member(2, swimmer::State::Alive);
        let said = |period: u64, suspicion_min: u64| {
            let times = [period, suspicion_min].map(Duration::from_millis);
            other_timing(&member, times[0], times[1])
        };
        assert_eq!(
            said(500, 1_000),
            "10.0.0.2:7 has another timing (--profile local): a period of 500 ms and 1.0 s to refute; \
             all members should have the same"
        );
        assert!(said(500, 1_500).contains("has another timing: a period"));
    }

    #[test]
    fn a_slow_network_is_told_with_the_profile_that_fits_it() {
        assert_eq!(
            said(1_190, 500),
            "round trips of about 1.2 s are too long for this profile, which waits 500 ms for an \
             answer: deaths are found later; use --profile wan on all members, unless it is this \
             machine that is slow"
        );
        for (round_trip, base_timeout, advice) in [
            (300, 200, "about 300 ms are too long for this profile, which waits 200 ms"),
            (300, 200, "use --profile lan"),
            (450, 200, "use --profile wan"),
            (450, 500, "use --profile wan"),
            (5_000, 500, "use --profile wan"),
            (5_000, 3_000, "no profile waits longer"),
        ] {
            let said = said(round_trip, base_timeout);
            assert!(said.contains(advice), "{said}");
        }
    }
}
