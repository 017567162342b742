//! What a node says of a network whose round trips are too long for its preset.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{all_see_all, start_by, until};
use swim_transport::MemoryNetwork;
use swimmer::{Cluster, Notice, Profile};
use tokio::time::sleep;

/// What each of eight nodes says of round trips that take so long, in three minutes.
async fn said_of(round_trip: Duration, profile: Profile) -> Vec<Vec<(Duration, Duration)>> {
    let network = MemoryNetwork::new(7);
    network.delay(round_trip / 2..round_trip / 2);
    let mut nodes = Vec::<Cluster>::new();
    for _ in 0..8 {
        let seed = nodes.first().map(Cluster::local_addr);
        let builder = Cluster::builder("test").profile(profile);
        nodes.push(start_by(builder.transport(network.bind_any().unwrap()), seed).await);
    }
    until("all see all", || all_see_all(&nodes)).await;
    sleep(Duration::from_secs(180)).await;
    assert!(all_see_all(&nodes));
    let said = |node: &Cluster| {
        let mut notices = node.notices();
        let said = std::iter::from_fn(move || notices.try_recv().ok());
        said.filter_map(|notice| match notice {
            Notice::SlowNetwork { round_trip, base_timeout } => Some((round_trip, base_timeout)),
            _ => None,
        })
        .collect()
    };
    nodes.iter().map(said).collect()
}

#[tokio::test(start_paused = true)]
async fn p4_each_node_says_once_that_its_preset_does_not_fit_the_network() {
    for said in said_of(Duration::from_millis(1_200), Profile::Lan).await {
        let [(round_trip, base_timeout)] = said[..] else { panic!("said once: {said:?}") };
        assert_eq!(base_timeout, Duration::from_millis(500));
        let about = Duration::from_millis(1_190)..Duration::from_millis(1_250);
        assert!(about.contains(&round_trip), "{round_trip:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn p4_nothing_is_said_where_the_preset_fits() {
    for (millis, profile) in [(1_200, Profile::Wan), (20, Profile::Lan)] {
        let said = said_of(Duration::from_millis(millis), profile).await;
        assert!(said.iter().all(Vec::is_empty), "{profile}: {said:?}");
    }
}
