//! Many leave at once on real sockets, and those that stay hold all of them left (L1, L2).

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{all_hold, builder, soon, start_by, start_many, until};
use swim_transport::{Faulty, UdpTcp};
use swimmer::{Change, Cluster, Event, Profile, State};

/// Joins so many, lets all but the first `stay` leave at once, and looks at what those have seen.
async fn leave_at_once(members: usize, stay: usize, loss_per_mille: u32) {
    let mut nodes: Vec<Cluster> = Vec::new();
    for seed in 0..members as u64 {
        let transport =
            Faulty::new(UdpTcp::bind("127.0.0.1:0".parse().unwrap()).await.unwrap(), seed);
        transport.control().lose_on_receipt(loss_per_mille);
        let by = nodes.first().map(|first| first.local_addr());
        let builder = builder().profile(Profile::Lan).transport(transport);
        nodes.push(start_by(builder, by).await);
    }
    until("all see all", || support::all_see_all(&nodes)).await;
    let leavers = nodes.split_off(stay);
    let mut events: Vec<_> = nodes.iter().map(Cluster::subscribe).collect();
    let leaving = leavers.iter().cloned().map(|leaver| {
        tokio::spawn(async move {
            let report = leaver.leave().await.unwrap();
            // As the agent does: its process ends with its leave.
            leaver.shutdown().await;
            report
        })
    });
    for leave in leaving.collect::<Vec<_>>() {
        let report = soon("a leave", leave).await.unwrap();
        assert!(report.acknowledged > 0, "nobody who stays knows: {report:?}");
    }
    until("all are held left", || {
        leavers.iter().all(|gone| all_hold(&nodes, gone.id(), State::Left))
    })
    .await;
    // Longer than a probe takes of one whose leave was missed.
    tokio::time::sleep(Duration::from_secs(3)).await;
    for events in &mut events {
        while let Ok(update) = events.try_recv() {
            let Change::Event(event) = update.change else { panic!("this reader is not slow") };
            assert!(matches!(event, Event::Left(_)), "{event:?}");
        }
    }
}

#[tokio::test]
async fn l2_twenty_of_twenty_one_leave_at_once() {
    leave_at_once(21, 1, 0).await;
}

#[tokio::test]
async fn l2_twenty_of_twenty_one_leave_at_once_where_a_fifth_of_the_datagrams_is_lost() {
    leave_at_once(21, 1, 200).await;
}

#[tokio::test]
async fn l2_all_may_leave_at_once() {
    let nodes = start_many(5).await;
    let all = nodes.iter().cloned().map(|node| tokio::spawn(async move { node.leave().await }));
    for leave in all.collect::<Vec<_>>() {
        let report = soon("a leave", leave).await.unwrap().unwrap();
        assert!(report.told <= 4, "{report:?}");
    }
}
