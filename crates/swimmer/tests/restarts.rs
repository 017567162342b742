//! Nodes that come back: with their data folder, without it, with somebody else's.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::{all_hold, all_see_all, builder, event, soon, start_many, state, until, within};
use swim_transport::{FaultControl, Faulty, UdpTcp};
use swimmer::{Cluster, Event, Notice, State, TryRecvError};
use tokio::task::JoinSet;
use tokio::time::Instant;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// So soon a node that has kept its folder is a member again, without a seed.
const REJOIN_MAX: Duration = Duration::from_secs(5);
/// So soon after the first of them all see all, when 32 restart at once.
const MASS_RESTART_MAX: Duration = Duration::from_secs(10);

/// A loopback address of its own for each node, where the system has more than one: a port that
/// such a node gives back is taken by nobody else before it is bound again.
fn listen(number: usize) -> SocketAddr {
    let last = if cfg!(target_os = "linux") { 66 } else { 0 };
    let host = if cfg!(target_os = "linux") { number as u8 + 1 } else { 1 };
    SocketAddr::from(([127, 0, last, host], 0))
}

fn place(folder: &Path, number: usize) -> PathBuf {
    folder.join(number.to_string())
}

/// Starts so many nodes with a data folder each, all joining by the first.
async fn start_kept(folder: &Path, count: usize) -> Vec<Cluster> {
    let mut nodes = Vec::<Cluster>::new();
    for number in 0..count {
        let seed = nodes.first().map(|first| first.local_addr().to_string());
        let builder = builder().listen(listen(number)).data_dir(place(folder, number)).seeds(seed);
        nodes.push(builder.start().await.unwrap());
    }
    until("all see all", || all_see_all(&nodes)).await;
    nodes
}

/// Stops all at once. Returns where they were.
async fn stop_all(nodes: Vec<Cluster>) -> Vec<SocketAddr> {
    let addresses = nodes.iter().map(Cluster::local_addr).collect();
    let mut stopping = JoinSet::new();
    nodes.into_iter().for_each(|node| drop(stopping.spawn(async move { node.shutdown().await })));
    stopping.join_all().await;
    addresses
}

#[tokio::test]
async fn a_node_that_restarts_with_its_folder_is_back_within_5_s_without_a_seed_above_its_old_number()
 {
    let folder = folder();
    let mut nodes = start_kept(folder.path(), 4).await;
    let gone = nodes.pop().unwrap();
    let (id, before) = (gone.id(), gone.local().incarnation);
    gone.shutdown().await;
    // At another port, so that nobody can find it by itself.
    let started = Instant::now();
    let again = builder().data_dir(place(folder.path(), 3)).start().await.unwrap();
    assert_eq!(again.id(), id);
    assert!(again.local().incarnation > before, "nobody has told it yet");
    soon("it is ready", again.ready()).await.unwrap();
    assert_eq!(again.members().present_count(), 4);
    nodes.push(again.clone());
    within(REJOIN_MAX, started, "all see all where they are", || {
        all_see_all(&nodes)
            && nodes
                .iter()
                .all(|node| node.members().get(id).is_some_and(|m| m.address == again.local_addr()))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_nodes_that_restart_at_once_without_seeds_all_see_all_within_10_s() {
    let folder = folder();
    let addresses = stop_all(start_kept(folder.path(), 32).await).await;
    let started = Instant::now();
    let mut starting = JoinSet::new();
    for (number, address) in addresses.into_iter().enumerate() {
        let builder = builder().listen(address).data_dir(place(folder.path(), number));
        starting.spawn(async move { builder.start().await.unwrap() });
    }
    let nodes = starting.join_all().await;
    within(MASS_RESTART_MAX, started, "all see all", || all_see_all(&nodes)).await;
    assert!(nodes.iter().all(|node| node.local().incarnation.0 > 1));
}

#[tokio::test]
async fn two_halves_that_restarted_apart_merge() {
    let folder = folder();
    let addresses = stop_all(start_kept(folder.path(), 6).await).await;
    let (mut nodes, mut faults) = (Vec::new(), Vec::new());
    for (number, &address) in addresses.iter().enumerate() {
        let transport = Faulty::new(UdpTcp::bind(address).await.unwrap(), number as u64);
        let control = transport.control();
        let others = if number < 3 { &addresses[3..] } else { &addresses[..3] };
        others.iter().for_each(|&other| control.cut_to(other));
        let builder = builder().transport(transport).data_dir(place(folder.path(), number));
        nodes.push(builder.start().await.unwrap());
        faults.push(control);
    }
    let (left, right) = nodes.split_at(3);
    until("each half sees itself", || all_see_all(left) && all_see_all(right)).await;
    assert!(nodes.iter().all(|node| node.members().present_count() == 3));
    faults.iter().for_each(FaultControl::heal);
    until("all see all", || all_see_all(&nodes)).await;
}

#[tokio::test]
async fn a_node_that_has_lost_its_folder_is_a_new_member_and_the_old_one_is_no_ghost() {
    let folder = folder();
    let mut nodes = start_kept(folder.path(), 4).await;
    let gone = nodes.pop().unwrap();
    let (old, address) = (gone.id(), gone.local_addr());
    gone.shutdown().await;
    fs::remove_dir_all(place(folder.path(), 3)).unwrap();
    let seeds = [nodes[0].local_addr().to_string()];
    let again = builder().listen(address).data_dir(place(folder.path(), 3)).seeds(seeds);
    let again = again.start().await.unwrap();
    assert_ne!(again.id(), old);
    nodes.push(again);
    until("all see all", || all_see_all(&nodes)).await;
    until("the old one is gone", || {
        nodes.iter().all(|node| {
            !matches!(state(node, old), Some(State::Alive | State::Suspect))
                && node.members().present_count() == 4
        })
    })
    .await;
}

#[tokio::test]
async fn a_copied_folder_is_a_conflict_that_both_report_with_both_addresses_and_no_storm() {
    let folder = folder();
    let mut nodes = start_kept(folder.path(), 3).await;
    let original = nodes.pop().unwrap();
    let copied = folder.path().join("copy");
    fs::create_dir(&copied).unwrap();
    for name in ["host_key", "snapshot"] {
        fs::copy(place(folder.path(), 2).join(name), copied.join(name)).unwrap();
    }
    let mut of_original = original.subscribe();
    let seeds = [nodes[0].local_addr().to_string()];
    let copy = builder().data_dir(&copied).seeds(seeds).start().await.unwrap();
    let mut of_copy = copy.subscribe();
    assert_eq!(copy.id(), original.id());
    for (events, own, other) in
        [(&mut of_original, &original, &copy), (&mut of_copy, &copy, &original)]
    {
        let addresses = event("a conflict", events, |event| match event {
            Event::Conflict { local, other } => Some((local.address, *other)),
            _ => None,
        });
        assert_eq!(addresses.await, (own.local_addr(), other.local_addr()));
    }
    let before = [original.local().incarnation.0, copy.local().incarnation.0];
    tokio::time::sleep(Duration::from_secs(3)).await;
    let after = [original.local().incarnation.0, copy.local().incarnation.0];
    // Each may have had one raise left to make.
    assert!(after.iter().zip(before).all(|(after, before)| *after <= before + 3), "a storm");
    for cluster in [&original, &copy] {
        assert_eq!(cluster.stats().membership.conflicts, 1, "it is said once");
    }
}

#[tokio::test]
async fn a_state_that_cannot_be_written_is_counted_said_once_and_the_node_goes_on() {
    let folder = folder();
    let path = place(folder.path(), 0);
    let others = start_many(2).await;
    let seeds = [others[0].local_addr().to_string()];
    let node = builder().data_dir(&path).seeds(seeds).start().await.unwrap();
    soon("it is ready", node.ready()).await.unwrap();
    fs::remove_dir_all(&path).unwrap();
    for number in 0..200 {
        node.set_metadata(number.to_string()).await.unwrap();
    }
    let mut notices = node.notices();
    let said = soon("the notice", async {
        loop {
            if let Notice::NotPersisted { error } = notices.recv().await.unwrap() {
                return error;
            }
        }
    });
    assert!(said.await.contains(path.join("snapshot").to_str().unwrap()));
    until("all see the last", || {
        let seen = |other: &Cluster| other.members().get(node.id()).map(|m| m.metadata.clone());
        others.iter().all(|other| seen(other).as_deref() == Some(b"199"))
    })
    .await;
    assert!(node.stats().membership.persists_failed > 0);
    assert!(all_hold(&others, node.id(), State::Alive));
    while let Ok(notice) = notices.try_recv() {
        assert!(!matches!(notice, Notice::NotPersisted { .. }), "it was said");
    }
}

#[tokio::test]
async fn an_address_that_another_cluster_has_now_is_not_joined() {
    let folder = folder();
    let nodes = start_kept(folder.path(), 2).await;
    let address = nodes[1].local_addr();
    stop_all(nodes).await;
    let other = Cluster::builder("other").listen(address).start().await.unwrap();
    let node = builder().data_dir(place(folder.path(), 0)).start().await.unwrap();
    soon("it is ready, alone", node.ready()).await.unwrap();
    until("it was refused", || other.stats().wire.frames_foreign > 0).await;
    assert_eq!((node.members().present_count(), other.members().present_count()), (1, 1));
    assert_eq!(
        node.notices().try_recv(),
        Err(TryRecvError::Empty),
        "nobody has named it as a seed"
    );
}
