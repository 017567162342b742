//! The handle: events, messages, commands from anywhere, and an end without leaks.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use support::{all_see_all, builder, event, soon, start, start_many, until};
use swimmer::node::SendError;
use swimmer::{Change, CommandError, Delivery, Event, Profile, block_on};

#[tokio::test]
async fn a_broadcast_reaches_all_others_once() {
    let nodes = start_many(5).await;
    let mut readers: Vec<_> = nodes.iter().map(|node| node.subscribe()).collect();
    nodes[0].broadcast("hello").await.unwrap();
    for reader in &mut readers[1..] {
        let (from, delivery) = event("the broadcast", reader, |event| match event {
            Event::Message { from, delivery, payload } if **payload == *b"hello" => {
                Some((from.id, *delivery))
            }
            _ => None,
        })
        .await;
        assert_eq!((from, delivery), (nodes[0].id(), Delivery::Broadcast));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for reader in &mut readers {
        while let Ok(update) = reader.try_recv() {
            assert!(!matches!(update.change, Change::Event(Event::Message { .. })), "only once");
        }
    }
    let too_long = nodes[0].broadcast(vec![0; 513]).await;
    assert!(matches!(too_long, Err(CommandError::Send(SendError::TooLong(_)))));
}

#[tokio::test]
async fn a_message_that_cannot_be_delivered_is_an_error() {
    let mut nodes = start_many(2).await;
    let stranger = swimmer::NodeId::from_bytes([9; 16]);
    assert!(matches!(nodes[0].send(stranger, "x").await, Err(CommandError::Send(_))));
    let gone = nodes.pop().unwrap();
    let id = gone.id();
    gone.shutdown().await;
    let lost = soon("the failure", nodes[0].send_reliable(id, "x")).await;
    assert_eq!(lost, Err(CommandError::NotDelivered));
}

#[tokio::test]
async fn a_subscriber_may_call_everything_from_where_it_handles_events() {
    let first = start(&[]).await;
    let mut events = first.subscribe();
    let second = start(&[first.local_addr()]).await;
    event("joined", &mut events, |event| matches!(event, Event::Joined(_)).then_some(())).await;
    let inside = async {
        let _ = (first.id(), first.local(), first.local_addr(), first.advertised_by());
        let _ = (first.members(), first.subscribe(), first.notices(), first.stats());
        first.set_metadata("a=b").await.unwrap();
        first.broadcast("x").await.unwrap();
        first.send(second.id(), "x").await.unwrap();
        assert_eq!(first.send_reliable(second.id(), "x").await, Err(CommandError::NoReader));
        let _ = (first.messages(), first.is_stopped());
        first.leave().await.unwrap();
        first.join([second.local_addr().to_string()]).await.unwrap();
        drop(first.clone());
        first.shutdown().await;
        first.shutdown().await;
    };
    soon("every method returns", inside).await;
    assert_eq!(first.leave().await, Err(CommandError::Stopped));
    while events.recv().await.is_some() {}
}

#[tokio::test]
async fn a_reader_that_never_reads_holds_nothing_up_and_resyncs_to_the_nodes_own_view() {
    let first = start(&[]).await;
    let mut lazy = first.subscribe();
    let second = start(&[first.local_addr()]).await;
    until("both see both", || all_see_all(&[first.clone(), second.clone()])).await;
    for number in 0..1_500_u32 {
        second.broadcast(number.to_le_bytes()).await.unwrap();
        if number % 20 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    until("most have come", || first.members().seq() > 1_100).await;
    let mut resyncs = 0;
    let mut last = 0;
    while let Ok(update) = lazy.try_recv() {
        assert!(update.seq > last);
        last = update.seq;
        if let Change::Resync(snapshot) = update.change {
            resyncs += 1;
            assert_eq!(snapshot.members(), first.members().members());
            assert_eq!(snapshot.seq(), update.seq);
        }
    }
    assert_eq!(resyncs, 1);
    assert!(all_see_all(&[first, second]));
}

#[tokio::test]
async fn a_stopped_nodes_port_is_free_at_once() {
    let address = start(&[]).await.local_addr();
    let mut bound = None;
    for _ in 0..50 {
        if let Some(node) = bound.take() {
            let node: swimmer::Cluster = node;
            node.shutdown().await;
        }
        // The first one of all was dropped, and ends in its own time.
        bound = Some(loop {
            match builder().listen(address).start().await {
                Ok(node) => break node,
                Err(_) if bound.is_none() => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("{error}"),
            }
        });
    }
}

#[test]
fn a_program_without_async_runs_a_node_on_a_thread_of_its_own() {
    let first = builder().start_thread().unwrap();
    let seed = first.local_addr().to_string();
    let mut events = first.subscribe();
    let second = builder().seeds([seed]).start_thread().unwrap();
    while first.members().present_count() < 2 {
        events.blocking_recv().unwrap();
    }
    assert_eq!(block_on(second.leave()).map(|report| report.acknowledged), Ok(1));
    loop {
        if let Change::Event(Event::Left(member)) = events.blocking_recv().unwrap().change {
            assert_eq!(member.id, second.id());
            break;
        }
    }
    block_on(first.shutdown());
    block_on(second.shutdown());
}

#[cfg(target_os = "linux")]
#[test]
fn starting_joining_and_dropping_leaks_no_task_no_socket_and_no_file() {
    fn open_files() -> usize {
        std::fs::read_dir("/proc/self/fd").unwrap().count()
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let folder = std::env::temp_dir().join(format!("swimmer-leak-{}", std::process::id()));
    runtime.block_on(async {
        let first = start(&[]).await;
        let seed = first.local_addr().to_string();
        let metrics = tokio::runtime::Handle::current().metrics();
        let mut settled = None;
        for cycle in 0..200 {
            let builder = builder().data_dir(&folder).seeds([&seed]).profile(Profile::Local);
            let node = soon("start", async {
                let mut builder = Some(builder);
                loop {
                    // The lock of the node before is free when it has ended.
                    match builder.take().unwrap().start().await {
                        Ok(node) => return node,
                        Err(_) => {
                            tokio::time::sleep(Duration::from_millis(5)).await;
                            builder = Some(self::builder().data_dir(&folder).seeds([&seed]));
                        }
                    }
                }
            })
            .await;
            until("joined", || node.members().present_count() > 1).await;
            drop(node);
            if cycle == 20 {
                tokio::time::sleep(Duration::from_millis(300)).await;
                settled = Some((metrics.num_alive_tasks(), open_files()));
            }
        }
        let (tasks, files) = settled.unwrap();
        until("nothing is left", || metrics.num_alive_tasks() <= tasks && open_files() <= files)
            .await;
        assert!(first.members().members().len() <= 1, "one identity is one member");
    });
    drop(runtime);
    std::fs::remove_dir_all(&folder).unwrap();
}
