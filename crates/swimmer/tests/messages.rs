//! Messages to one member: a channel of their own, and senders that learn what came of them.

#![allow(clippy::unwrap_used)]

mod support;

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use support::{soon, start_many, until};
use swimmer::{Change, CommandError, Delivery, Event, Messages, RecvTimeoutError, TryRecvError};

async fn next(messages: &mut Messages) -> (Delivery, Vec<u8>) {
    let message = soon("a message", messages.recv()).await.unwrap();
    (message.delivery, message.payload.to_vec())
}

#[tokio::test]
async fn messages_to_one_member_arrive_on_both_planes_and_are_no_events() {
    let nodes = start_many(3).await;
    let (mut messages, mut events) = (nodes[1].messages(), nodes[1].subscribe());
    nodes[0].send(nodes[1].id(), "quick").await.unwrap();
    assert_eq!(next(&mut messages).await, (Delivery::BestEffort, b"quick".to_vec()));
    let large = vec![7; 40_000];
    let sent = nodes[0].send_reliable(nodes[1].id(), large.clone());
    soon("the acknowledgement", sent).await.unwrap();
    assert_eq!(next(&mut messages).await, (Delivery::Reliable, large));
    while let Ok(update) = events.try_recv() {
        assert!(!matches!(update.change, Change::Event(Event::Message { .. })), "{update:?}");
    }
}

#[tokio::test]
async fn a_reliable_message_without_a_reader_is_an_error_that_says_so() {
    let nodes = start_many(2).await;
    let send = || nodes[0].send_reliable(nodes[1].id(), "x");
    assert_eq!(soon("the refusal", send()).await, Err(CommandError::NoReader));
    let reader = nodes[1].messages();
    assert_eq!(soon("the receipt", send()).await, Ok(()));
    drop(reader);
    assert_eq!(soon("the refusal", send()).await, Err(CommandError::NoReader));
    let stats = nodes[1].stats().driver;
    assert_eq!((stats.messages_no_reader, stats.messages_unread), (2, 1));
}

#[tokio::test]
async fn what_was_acknowledged_can_be_read_and_the_rest_was_refused_for_want_of_room() {
    let nodes = start_many(2).await;
    let mut reader = nodes[1].messages();
    let mut events = nodes[1].subscribe();
    let (mut taken, mut refused) = (0, 0);
    for number in 0..1_200_u32 {
        match nodes[0].send_reliable(nodes[1].id(), number.to_le_bytes()).await {
            Ok(()) => taken += 1,
            Err(CommandError::NoRoom) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((taken, refused), (1_024, 176));
    for number in 0..taken {
        let message = reader.try_recv().unwrap();
        assert_eq!(
            *message.payload,
            u32::to_le_bytes(number),
            "in the order in which they were sent"
        );
    }
    assert_eq!(reader.try_recv(), Err(TryRecvError::Empty));
    assert!(
        !std::iter::from_fn(|| events.try_recv().ok())
            .any(|update| matches!(update.change, Change::Resync(_)))
    );
    assert_eq!(nodes[1].stats().driver.messages_no_room, 176);
}

#[tokio::test]
async fn a_node_may_send_to_itself() {
    let nodes = start_many(2).await;
    let own = nodes[0].id();
    assert_eq!(nodes[0].send_reliable(own, "x").await, Err(CommandError::NoReader));
    let mut messages = nodes[0].messages();
    nodes[0].send_reliable(own, "sure").await.unwrap();
    nodes[0].send(own, "quick").await.unwrap();
    let first = messages.try_recv().unwrap();
    assert_eq!((first.from.id, first.delivery), (own, Delivery::Reliable));
    assert_eq!(next(&mut messages).await, (Delivery::BestEffort, b"quick".to_vec()));
    nodes[0].leave().await.unwrap();
    assert!(matches!(nodes[0].send(own, "x").await, Err(CommandError::Send(_))));
}

#[tokio::test]
async fn readers_share_the_messages_and_get_what_is_left_at_the_end() {
    let mut nodes = start_many(2).await;
    let (mut one, mut other) = (nodes[1].messages(), nodes[1].messages());
    for number in 0..4_u8 {
        nodes[0].send_reliable(nodes[1].id(), [number]).await.unwrap();
    }
    assert_eq!(*one.try_recv().unwrap().payload, [0]);
    assert_eq!(*other.try_recv().unwrap().payload, [1]);
    drop(one);
    nodes.pop().unwrap().shutdown().await;
    assert_eq!(*other.recv().await.unwrap().payload, [2]);
    let stream = poll_fn(|context| Pin::new(&mut other).poll_next(context));
    assert_eq!(*stream.await.unwrap().payload, [3], "it is a stream, too");
    assert!(other.recv().await.is_none());
    assert_eq!(other.try_recv(), Err(TryRecvError::Ended));
}

#[test]
fn programs_without_async_wait_for_so_long_as_they_want() {
    let node = support::builder().start_thread().unwrap();
    let mut messages = node.messages();
    let mut events = node.subscribe();
    let moment = Duration::from_millis(20);
    assert_eq!(messages.recv_timeout(moment), Err(RecvTimeoutError::Timeout));
    assert_eq!(events.recv_timeout(moment).unwrap_err(), RecvTimeoutError::Timeout);
    assert_eq!(events.try_recv().unwrap_err(), TryRecvError::Empty);
    swimmer::block_on(node.send(node.id(), "x")).unwrap();
    assert_eq!(*messages.recv_timeout(Duration::from_secs(40)).unwrap().payload, *b"x");
    assert!(!node.is_stopped());
    swimmer::block_on(node.shutdown());
    assert!(node.is_stopped());
    swimmer::block_on(node.stopped());
    assert_eq!(messages.recv_timeout(moment), Err(RecvTimeoutError::Ended));
    assert_eq!(events.recv_timeout(moment).unwrap_err(), RecvTimeoutError::Ended);
    assert_eq!(events.try_recv().unwrap_err(), TryRecvError::Ended);
}

#[tokio::test]
async fn joined_and_ready_end_with_an_error_when_the_node_leaves_or_stops() {
    let waiting = support::builder().seeds(["127.0.0.1:1"]).min_members(2).start().await.unwrap();
    let (joined, ready) = (waiting.clone(), waiting.clone());
    let joined = tokio::spawn(async move { joined.joined().await });
    let ready = tokio::spawn(async move { ready.ready().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    waiting.leave().await.unwrap();
    assert_eq!(soon("the end", joined).await.unwrap(), Err(CommandError::NotJoined));
    assert_eq!(soon("the end", ready).await.unwrap(), Err(CommandError::NotJoined));
    let nobody: [&str; 0] = [];
    waiting.join(nobody).await.unwrap();
    until("it is back", || waiting.local().state.is_present()).await;
    waiting.joined().await.unwrap();
    waiting.shutdown().await;
    assert_eq!(waiting.joined().await, Err(CommandError::Stopped));
}

#[tokio::test]
async fn members_are_found_by_name_and_present_means_one_set() {
    let first = support::builder().name("first").start().await.unwrap();
    let by = [first.local_addr().to_string()];
    let second = support::builder().name("second").seeds(&by).start().await.unwrap();
    until("both see both", || first.members().present_count() == 2).await;
    let members = first.members();
    let names =
        |of: Vec<&swimmer::Member>| of.iter().map(|m| m.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(members.present().collect()), ["first", "second"]);
    assert_eq!(names(members.others().collect()), ["second"]);
    assert_eq!(members.named("second").map(|member| member.id).collect::<Vec<_>>(), [second.id()]);
    assert_eq!(members.named("nobody").count(), 0);
    second.leave().await.unwrap();
    until("it has left", || first.members().present_count() == 1).await;
    assert_eq!((first.members().present().count(), first.members().all().count()), (1, 2));
}
