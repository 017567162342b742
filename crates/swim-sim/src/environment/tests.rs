//! Each environment does what it says: who stands still when, what is lost, how late things come,
//! what clocks show, which processes end and start.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use swim_membership::{Config, Instant};
use swimmer::Profile;

use super::packet::{Carried, Judges, Kind, Packet, Verdict};
use super::{Environment, Health, Setup};
use crate::cluster::{Checks, Cluster, Ended, HostIx, Options};
use crate::host::Condition;

#[test]
fn an_environment_is_read_as_it_is_written() {
    for environment in Environment::all() {
        assert_eq!(environment.to_string().parse(), Ok(environment));
        assert!(environment.entry.parameters.len() <= super::PARAMETERS_MAX);
    }
    for text in ["loss:20", "loss:0.5", "far:0.25", "gc:5:30", "clean"] {
        let read: Environment = text.parse().expect("known");
        assert_eq!(read.to_string(), text);
    }
}

#[test]
fn each_environment_has_a_name_of_its_own() {
    let names: Vec<&str> = Environment::all().map(|known| known.entry.name).collect();
    let different: BTreeSet<&&str> = names.iter().collect();
    assert_eq!(different.len(), names.len());
}

#[test]
fn a_parameter_that_is_left_out_has_its_default() {
    let far: Environment = "far".parse().expect("known");
    assert_eq!(far, "far:0.6:10".parse().expect("known"));
    assert_eq!((far.span(0), far.per_mille(1)), (Duration::from_millis(600), 100));
}

#[test]
fn what_is_wrong_with_an_environment_is_said() {
    for (text, wrong) in [
        ("fog", "`fog` is no environment"),
        ("loss:101", "at most 100"),
        ("loss:-1", "is not"),
        ("loss:1.2345", "is not"),
        ("loss:", "is not"),
        ("clean:1", "no parameter"),
        ("far:1:2:3", "no parameter"),
    ] {
        let error = text.parse::<Environment>().unwrap_err().to_string();
        assert!(error.contains(wrong), "{text}: {error}");
    }
}

/// Where only the network matters.
const MEMBERS: u32 = 40;
/// Where nodes run.
const HOSTS: u32 = 20;

/// So many members that know each other.
fn warm(members: u32) -> Cluster {
    let mut options = Options::new(7, Config::preset(Profile::Lan));
    options.checks = Checks::None;
    let mut cluster = Cluster::new(options);
    cluster.warm(members);
    cluster
}

/// The same in an environment.
fn under(environment: &str) -> Cluster {
    let mut cluster = warm(HOSTS);
    cluster.enter(environment.parse().unwrap());
    cluster
}

fn pass(cluster: &mut Cluster, millis: u64) {
    cluster.run_for(Duration::from_millis(millis)).unwrap();
}

/// What an environment does to packets.
struct Network {
    judges: Judges,
    health: Vec<Health>,
}

impl Network {
    fn of(environment: &str) -> Self {
        let cluster = warm(MEMBERS);
        let prepared = Setup::prepare(environment.parse().unwrap(), &cluster, 1);
        let health = (0..MEMBERS).map(|host| prepared.active.health(host)).collect();
        Self { judges: prepared.judges, health }
    }

    fn judge(&mut self, from: u32, to: u32, millis: u64, carried: Carried) -> Verdict {
        let at = Instant::from_micros(millis * 1_000);
        self.judges.judge(Packet { from, to, at, carried })
    }

    /// How many of 1,000 pings between any two are lost, each link once every 10 s.
    fn lost(&mut self, counts: impl Fn(u32, u32) -> bool) -> u32 {
        let (mut sent, mut lost) = (0, 0);
        for round in 0..200 {
            for from in 0..MEMBERS {
                for to in (0..MEMBERS).filter(|&to| to != from && counts(from, to)) {
                    sent += 1;
                    lost += u32::from(self.judge(from, to, round * 10_000, PING).lost);
                }
            }
        }
        (u64::from(lost) * 1_000 / sent) as u32
    }

    fn hosts(&self, health: Health) -> BTreeSet<u32> {
        (0..MEMBERS).filter(|&host| self.health[host as usize] == health).collect()
    }
}

const PING: Carried = Carried::Datagram(Kind::PING);
const ACK: Carried = Carried::Datagram(Kind::ACK);

fn is_about(found: u32, expected: u32) -> bool {
    found.abs_diff(expected) <= expected / 20 + 2
}

#[test]
fn loss_loses_its_share_of_all_packets() {
    let mut network = Network::of("loss:20");
    let lost = network.lost(|_, _| true);
    assert!(is_about(lost, 200), "{lost} of 1,000");
    let lost = (0..10_000).filter(|_| network.judge(1, 2, 0, Carried::Stream).lost).count();
    assert!(is_about(lost as u32 / 10, 200), "exchanges too: {lost} of 10,000");
    assert_eq!(network.hosts(Health::Healthy).len() as u32, MEMBERS);
}

#[test]
fn loss_without_tcp_lets_no_exchange_pass() {
    let mut network = Network::of("loss-notcp:0");
    assert!(network.judge(0, 1, 0, Carried::Stream).lost);
    assert!(!network.judge(0, 1, 0, PING).lost);
}

#[test]
fn bursty_links_and_nodes_lose_their_share_on_the_whole() {
    for (environment, expected) in [("ge-link:20", 200), ("ge-node:20", 200), ("ge-link:5:3", 50)] {
        let mut network = Network::of(environment);
        let lost = network.lost(|_, _| true);
        assert!(is_about(lost, expected), "{environment}: {lost} of 1,000");
        assert_eq!(network.hosts(Health::BadlyLinked).len() as u32, MEMBERS);
    }
}

/// How many of 1,000 pings on `other` are lost 100 ms after one was lost on `link`.
fn lost_after_loss(environment: &str, link: (u32, u32), other: (u32, u32)) -> u32 {
    let mut network = Network::of(environment);
    let (mut losses, mut again) = (0, 0);
    for round in 0..20_000 {
        if network.judge(link.0, link.1, round * 7_000, PING).lost {
            losses += 1;
            again += u32::from(network.judge(other.0, other.1, round * 7_000 + 100, PING).lost);
        }
    }
    again * 1_000 / losses
}

#[test]
fn a_bursty_link_goes_on_losing_what_others_do_not() {
    let same = lost_after_loss("ge-link:20:1", (0, 1), (0, 1));
    assert!((640..760).contains(&same), "{same} of 1,000 on the same link");
    let back = lost_after_loss("ge-link:20:1", (0, 1), (1, 0));
    assert!((150..250).contains(&back), "{back} of 1,000 in the other direction");
}

#[test]
fn a_bursty_node_goes_on_losing_on_all_its_links() {
    let own = lost_after_loss("ge-node:20:1", (0, 1), (2, 0));
    let other = lost_after_loss("ge-node:20:1", (0, 1), (2, 3));
    assert!(own > 350 && other < 250, "{own} of 1,000 at the node, {other} elsewhere");
}

#[test]
fn a_bad_switch_loses_what_passes_it() {
    let mut network = Network::of("bad-switch:50:10");
    let behind = network.hosts(Health::BadlyLinked);
    assert_eq!(behind.len(), 4);
    let passes = |from: u32, to: u32| behind.contains(&from) != behind.contains(&to);
    assert_eq!(network.lost(|from, to| !passes(from, to)), 0);
    let lost = network.lost(passes);
    assert!(is_about(lost, 500), "{lost} of 1,000");
    let halves = Network::of("bad-switch:50:50");
    assert_eq!(halves.hosts(Health::Healthy), BTreeSet::new());
}

#[test]
fn links_are_bad_in_one_direction() {
    let mut network = Network::of("bad-links-oneway:10");
    let pairs = (0..MEMBERS).flat_map(|from| (0..MEMBERS).map(move |to| (from, to)));
    let bad: BTreeSet<(u32, u32)> =
        pairs.filter(|&(from, to)| network.judge(from, to, 0, PING).lost).collect();
    assert!((120..200).contains(&bad.len()), "{} of 1,600", bad.len());
    let both = bad.iter().filter(|&&(from, to)| from != to && bad.contains(&(to, from))).count();
    assert!(both < bad.len() / 2, "{both} in both directions");
    assert!(bad.iter().all(|&(from, to)| network.judge(from, to, 5_000, ACK).lost), "for good");
}

#[test]
fn asymmetric_members_lose_in_one_direction() {
    for (environment, out) in [("asym-out:60", true), ("asym-in:60", false)] {
        let mut network = Network::of(environment);
        let some = network.hosts(Health::BadlyLinked);
        assert_eq!(some.len(), 12, "30 %");
        let loses = |from: u32, to: u32| some.contains(if out { &from } else { &to });
        let lost = network.lost(loses);
        assert!(is_about(lost, 600), "{environment}: {lost} of 1,000");
        assert_eq!(network.lost(|from, to| !loses(from, to)), 0);
    }
}

/// The delays of pings from one to another, in milliseconds, in rising order.
fn delays(network: &mut Network, from: u32, to: u32, carried: Carried) -> Vec<u64> {
    let delay = |round: u64| network.judge(from, to, round * 97, carried).delay.as_millis() as u64;
    let mut delays: Vec<u64> = (0..2_000).map(delay).collect();
    delays.sort_unstable();
    delays
}

#[test]
fn round_trips_are_as_long_as_is_said() {
    let delays = delays(&mut Network::of("rtt:1.2"), 0, 1, PING);
    assert!(delays[0] >= 540 && delays[1_999] <= 660, "{delays:?}");
}

#[test]
fn far_members_are_far_from_all_and_the_others_near() {
    let mut network = Network::of("far:0.6");
    let far: Vec<u32> = network.hosts(Health::BadlyLinked).into_iter().collect();
    let near: Vec<u32> = network.hosts(Health::Healthy).into_iter().collect();
    assert_eq!(far.len(), 4);
    assert_eq!(delays(&mut network, near[0], near[1], PING)[1_999], 0);
    for (from, to) in [(far[0], near[0]), (near[0], far[0]), (far[0], far[1])] {
        let delays = delays(&mut network, from, to, Carried::Stream);
        assert!(delays[0] >= 270 && delays[1_999] <= 330, "{delays:?}");
    }
}

#[test]
fn zones_are_apart_alike_in_both_directions() {
    let mut network = Network::of("zones:4");
    assert_eq!(delays(&mut network, 1, 5, PING)[1_999], 0, "the same zone");
    let there = delays(&mut network, 1, 2, PING);
    assert!((40..=125).contains(&there[0]) && there[0] == there[1_999]);
    assert_eq!(delays(&mut network, 6, 5, PING), there, "the same zones");
}

#[test]
fn tails_are_as_heavy_as_is_said() {
    let square = delays(&mut Network::of("zones-pareto:2"), 0, 1, PING);
    let (least, tenth) = (square[0], square[1_800]);
    assert!((28..=36).contains(&(tenth * 10 / least)), "√10 times: {least}, {tenth}");
    let plain = delays(&mut Network::of("pareto:10"), 0, 1, PING);
    assert!((10..=11).contains(&plain[0]));
    assert!((17..=23).contains(&plain[1_000]), "half take twice as long: {}", plain[1_000]);
    assert!((80..=125).contains(&plain[1_800]), "a tenth ten times: {}", plain[1_800]);
    assert!(plain[1_999] <= 10_000);
}

#[test]
fn a_queue_fills_and_drains_behind_some() {
    let mut network = Network::of("bufferbloat:1.5");
    let bloated = *network.hosts(Health::BadlyLinked).first().unwrap();
    let near = *network.hosts(Health::Healthy).first().unwrap();
    assert_eq!(delays(&mut network, near, bloated, PING)[1_999], 0);
    let delays = delays(&mut network, bloated, near, PING);
    assert!(delays[0] < 20 && (1_480..=1_500).contains(&delays[1_999]));
    assert!((700..=800).contains(&delays[1_000]), "by turns: {}", delays[1_000]);
}

#[test]
fn what_is_late_is_as_late_as_is_said() {
    let mut network = Network::of("late-inbound:10:1");
    let late = *network.hosts(Health::BadlyLinked).first().unwrap();
    let other = *network.hosts(Health::Healthy).first().unwrap();
    let inbound = delays(&mut network, other, late, PING);
    assert!(inbound[0] >= 500 && inbound[1_999] <= 1_500 && inbound[1_000].abs_diff(1_000) < 50);
    assert_eq!(delays(&mut network, late, other, PING)[1_999], 0);

    let mut network = Network::of("ack-edge:30");
    let late = *network.hosts(Health::BadlyLinked).first().unwrap();
    let acks = delays(&mut network, late, 0, ACK);
    assert!(acks[0] >= 400 && acks[1_999] <= 600);
    assert_eq!(delays(&mut network, late, 0, PING)[1_999], 0);
}

#[test]
fn a_gray_member_is_reached_in_one_way_and_not_in_another() {
    use Carried::Stream;
    // Of a ping out and in, an ack out and in, a packet of an exchange out and in: what is lost.
    let (l, p) = (true, false);
    for (environment, expected) in [
        ("gray-acks-only", [l, p, p, p, l, p]),
        ("udp-dead", [l, l, l, l, p, p]),
        ("udp-in-dead", [p, l, p, l, p, p]),
        ("udp-out-dead", [l, p, l, p, p, p]),
        ("tcp-dead", [p, p, p, p, l, l]),
    ] {
        let mut network = Network::of(environment);
        let gray = *network.hosts(Health::BadlyLinked).first().unwrap();
        let other = *network.hosts(Health::Healthy).first().unwrap();
        let mut lost = Vec::new();
        for carried in [PING, ACK, Stream] {
            lost.push(network.judge(gray, other, 0, carried).lost);
            lost.push(network.judge(other, gray, 0, carried).lost);
        }
        assert_eq!(lost, expected, "{environment}");
    }
}

#[test]
fn half_of_the_others_do_not_reach_a_member_or_do_not_hear_it() {
    for (environment, is_mute) in [("half-reach", false), ("half-mute", true)] {
        let mut network = Network::of(environment);
        let gray = *network.hosts(Health::BadlyLinked).first().unwrap();
        let others: Vec<u32> = network.hosts(Health::Healthy).into_iter().collect();
        let out: Vec<bool> =
            others.iter().map(|&to| network.judge(gray, to, 0, PING).lost).collect();
        let back: Vec<bool> =
            others.iter().map(|&from| network.judge(from, gray, 0, PING).lost).collect();
        let lost = out.iter().filter(|&&lost| lost).count();
        assert!((10..=26).contains(&lost), "{lost} of {}", others.len());
        match is_mute {
            true => assert!(back.iter().all(|&lost| !lost)),
            false => assert_eq!(out, back),
        }
    }
}

/// In each of so many steps of 50 ms: the hosts that are in this condition.
fn in_condition(cluster: &mut Cluster, wanted: Condition, steps: usize) -> Vec<BTreeSet<HostIx>> {
    let step = |_| {
        pass(cluster, 50);
        cluster.hosts().filter(|&ix| cluster.condition(ix) == wanted).collect()
    };
    (0..steps).map(step).collect()
}

fn stalled(cluster: &Cluster) -> BTreeSet<HostIx> {
    cluster.hosts().filter(|&ix| cluster.health(ix) == Health::Stalled).collect()
}

/// The lengths of the times in which a host is in one of these sets, in steps, whole ones only.
fn lengths(sets: &[BTreeSet<HostIx>], host: HostIx) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut length = 0;
    for set in sets.iter().skip_while(|set| set.contains(&host)) {
        match set.contains(&host) {
            true => length += 1,
            false if length > 0 => lengths.push(std::mem::take(&mut length)),
            false => {}
        }
    }
    lengths
}

#[test]
fn in_step_all_stand_still_at_the_same_moments() {
    for (environment, condition, steps) in
        [("slow-sync:30", Condition::Paused, 50), ("block-sync:30", Condition::Blocked, 60)]
    {
        let mut cluster = under(environment);
        let some = stalled(&cluster);
        assert_eq!(some.len(), 6, "30 %");
        let sets = in_condition(&mut cluster, condition, 500);
        assert!(sets.iter().all(|set| set.is_empty() || *set == some), "{environment}");
        let lengths = lengths(&sets, *some.first().unwrap());
        assert!(lengths.len() >= 3 && lengths.iter().all(|&length| length.abs_diff(steps) <= 1));
    }
}

#[test]
fn at_random_each_stands_still_by_itself() {
    for (environment, condition, steps) in [
        ("slow-random:50", Condition::Paused, 19..=61),
        ("block-random:50", Condition::Blocked, 59..=61),
        ("starved:50", Condition::Paused, 3..=61),
        ("gc:50:2", Condition::Paused, 3..=41),
    ] {
        let mut cluster = under(environment);
        let some = stalled(&cluster);
        assert_eq!(some.len(), 10, "half");
        let sets = in_condition(&mut cluster, condition, 900);
        assert!(sets.iter().flatten().all(|ix| some.contains(ix)));
        let some_only = sets.iter().filter(|set| (1..10).contains(&set.len())).count();
        assert!(some_only > sets.len() / 2, "{environment}: not in step");
        for &ix in &some {
            let lengths = lengths(&sets, ix);
            assert!(lengths.len() >= 2, "{environment}: again and again");
            assert!(lengths.iter().all(|length| steps.contains(length)), "{lengths:?}");
        }
    }
}

#[test]
fn a_rack_pauses_together_and_a_migration_one_by_one() {
    let mut cluster = under("rack:3");
    let rack = stalled(&cluster);
    assert_eq!(rack.len(), 2);
    let sets = in_condition(&mut cluster, Condition::Paused, 600);
    assert!(sets.iter().all(|set| set.is_empty() || *set == rack));
    assert!(lengths(&sets, *rack.first().unwrap()).iter().all(|length| length.abs_diff(60) <= 1));

    let mut cluster = under("migration:3");
    let sets = in_condition(&mut cluster, Condition::Paused, 800);
    assert!(sets.iter().all(|set| set.len() <= 1));
    let moved: BTreeSet<HostIx> = sets.into_iter().flatten().collect();
    assert!((10..=12).contains(&moved.len()), "{} in 40 s, 3.5 s each", moved.len());
}

#[test]
fn all_go_on_when_the_environment_ends() {
    for environment in ["starved:100", "block-sync:100", "rack:30:100", "migration:30"] {
        let mut cluster = under(environment);
        pass(&mut cluster, 4_000);
        cluster.enter(Environment::clean());
        let running = |ix: &HostIx| cluster.condition(*ix) == Condition::Running;
        assert!(cluster.hosts().all(|ix| running(&ix)), "{environment}");
        assert!(stalled(&cluster).is_empty());
        let sets = in_condition(&mut cluster, Condition::Running, 100);
        assert!(sets.iter().all(|set| set.len() as u32 == HOSTS), "{environment}");
    }
}

/// Milliseconds by which each wall clock is ahead.
fn ahead(cluster: &Cluster) -> Vec<i64> {
    let right = cluster.now().as_micros() as i64 / 1_000 + 1_600_000_000_000;
    let shown = |ix| cluster.wall_clock(ix).as_millis() as i64;
    cluster.hosts().map(|ix| shown(ix) - right).collect()
}

#[test]
fn wall_clocks_are_off_or_drift() {
    let mut cluster = under("clock-off:30");
    pass(&mut cluster, 10);
    let off = ahead(&cluster);
    assert!(off.iter().all(|ahead| (-30_000..=30_000).contains(ahead)));
    assert!(off.iter().any(|&ahead| ahead < -3_000) && off.iter().any(|&ahead| ahead > 3_000));
    pass(&mut cluster, 10_000);
    assert_eq!(ahead(&cluster), off, "they are set once");

    let mut cluster = under("clock-drift:5");
    pass(&mut cluster, 10_000);
    let off = ahead(&cluster);
    assert!(off.iter().all(|ahead| (-501..=501).contains(ahead)), "{off:?}");
    assert!(off.iter().any(|&ahead| ahead < -50) && off.iter().any(|&ahead| ahead > 50));
}

#[test]
fn wall_clocks_step() {
    let mut cluster = under("clock-steps-forward:2");
    pass(&mut cluster, 20_000);
    assert!(ahead(&cluster).iter().all(|ahead| (0..=8_001).contains(ahead)));
    let mut cluster = under("clock-steps-back:2");
    pass(&mut cluster, 20_000);
    assert!(ahead(&cluster).iter().all(|ahead| (-8_001..=0).contains(ahead)));
    let mut cluster = under("clock-steps:2");
    let before = ahead(&cluster);
    pass(&mut cluster, 4_990);
    let stepped = ahead(&cluster).iter().filter(|&&ahead| ahead != 0).count();
    assert!(stepped >= 17, "each within 5 s");
    assert!(before.iter().all(|&ahead| ahead == 0));
    let mut cluster = under("clock-step-all:2");
    pass(&mut cluster, 4_990);
    assert_eq!(ahead(&cluster), before, "not yet");
    pass(&mut cluster, 20);
    assert!(ahead(&cluster).iter().filter(|&&ahead| ahead != 0).count() >= 17, "all at once");
}

#[test]
fn wall_clocks_stand_still_or_go_at_half_speed_until_the_environment_ends() {
    let mut cluster = under("wall-frozen:33");
    pass(&mut cluster, 10_000);
    let off = ahead(&cluster);
    assert_eq!(off.iter().filter(|&&ahead| ahead == -10_000).count(), 7);
    assert_eq!(off.iter().filter(|&&ahead| ahead == 0).count(), 13);
    cluster.enter(Environment::clean());
    pass(&mut cluster, 10_000);
    assert_eq!(ahead(&cluster), off, "they go on, but stay behind");

    let mut cluster = under("wall-half");
    pass(&mut cluster, 10_000);
    assert_eq!(ahead(&cluster), [-5_000; HOSTS as usize]);
}

/// Which processes end in so many seconds, and how many hosts there are then.
fn ended(environment: &str, seconds: u64) -> (Cluster, Vec<Ended>) {
    let mut cluster = under(environment);
    pass(&mut cluster, seconds * 1_000);
    let ended = cluster.take_ended();
    (cluster, ended)
}

fn hosts_of(ended: &[Ended]) -> BTreeSet<HostIx> {
    ended.iter().map(|ended| ended.host).collect()
}

fn down(cluster: &Cluster) -> usize {
    cluster.hosts().filter(|&ix| cluster.condition(ix) == Condition::Down).count()
}

#[test]
fn many_crash_at_once() {
    let (cluster, all) = ended("mass:30", 16);
    assert_eq!((all.len(), down(&cluster)), (6, 6));
    assert!(all.iter().all(|ended| ended.at == all[0].at));
}

#[test]
fn a_rolling_restart_is_of_one_after_another() {
    for (environment, keeps) in [("rolling-kept:5:1", true), ("rolling-lost:5:1", false)] {
        // The first after 5 s, then each 6 s after the one before.
        let (cluster, all) = ended(environment, 60);
        assert_eq!((all.len(), hosts_of(&all).len()), (10, 10), "{environment}");
        assert_eq!(down(&cluster), 0);
        let kept = all.iter().filter(|ended| cluster.id(ended.host) == ended.id).count();
        assert_eq!(kept, if keeps { 10 } else { 0 }, "{environment}");
    }
}

#[test]
fn crash_loops_go_on_until_the_environment_ends() {
    for (environment, keeps) in [("loop-kept:2:4", true), ("loop-lost:2:4", false)] {
        let (mut cluster, all) = ended(environment, 60);
        assert_eq!(hosts_of(&all).len(), 2, "{environment}");
        assert!((22..=26).contains(&all.len()), "each 5 s: {}", all.len());
        let ids: BTreeSet<_> = all.iter().map(|ended| ended.id).collect();
        assert_eq!(ids.len(), if keeps { 2 } else { all.len() });
        cluster.enter(Environment::clean());
        assert_eq!(down(&cluster), 0);
        pass(&mut cluster, 20_000);
        assert!(cluster.take_ended().is_empty());
    }
}

#[test]
fn a_second_death_comes_soon_after_the_return() {
    let (cluster, all) = ended("second:3", 41);
    // The first at 10 s, back at 35, and again at 38; others at 20, 30 and 40.
    let times: Vec<u64> = all.iter().map(|ended| ended.at.as_micros() / 1_000_000).collect();
    assert_eq!(times, [10, 20, 30, 38, 40]);
    assert_eq!((all[3].id, down(&cluster)), (all[0].id, 4));
}

#[test]
fn a_member_flaps_and_then_dies() {
    let mut cluster = under("flap-die:2:5");
    let host = *stalled(&cluster).first().unwrap();
    let sets = in_condition(&mut cluster, Condition::Paused, 1_800);
    assert!(lengths(&sets, host).iter().all(|&length| length.abs_diff(500) <= 1));
    assert_eq!(hosts_of(&cluster.take_ended()), BTreeSet::from([host]));
}

#[test]
fn members_are_replaced_and_many_join() {
    let (cluster, all) = ended("churn:10", 61);
    assert_eq!((all.len(), cluster.len(), down(&cluster)), (10, HOSTS + 10, 10));
    let (cluster, all) = ended("mass-join:20", 76);
    assert_eq!((all.len(), cluster.len()), (0, HOSTS + 8));
    let members = cluster.hosts().filter(|&ix| cluster.is_member(ix)).count();
    assert_eq!(members as u32, HOSTS + 8);
}

#[test]
fn an_environment_leaves_alone_what_something_else_has_stopped() {
    for environment in ["loop-kept:20", "rolling-kept:0.5:0.5", "second:1", "migration:1"] {
        let mut cluster = under(environment);
        let victim = HostIx(5);
        cluster.crash(victim);
        pass(&mut cluster, 30_000);
        assert_eq!(cluster.condition(victim), Condition::Down, "{environment}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run_in_each_environment() {
    for environment in Environment::all() {
        let [once, again] = [(); 2].map(|()| {
            let mut cluster = warm(HOSTS);
            cluster.enter(environment);
            pass(&mut cluster, 1_500);
            (cluster.transcript().hash(), cluster.traffic())
        });
        assert_eq!(once, again, "{environment}");
    }
}

#[test]
fn drawn_environments_are_read_as_they_are_written() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    for _ in 0..500 {
        let drawn = Environment::draw(&mut rng);
        assert_eq!(drawn.to_string().parse(), Ok(drawn));
        assert!(!drawn.is_clean());
    }
}
