//! A call that has returned is visible: with publishing delayed, so that no luck can pass these.

use std::time::Duration;

use swim_membership::Profile;

use super::{Builder, Cluster, JoinPolicy, block_on};
use crate::event::Notice;

/// A node of this name publishes late.
const LATE: &str = "publishes late";
/// Long beside what a look at the members takes.
const DELAY: Duration = Duration::from_millis(20);

pub(super) fn delay(name: &str) {
    if name == LATE {
        std::thread::sleep(DELAY);
    }
}

fn builder() -> Builder {
    let builder = Cluster::builder("visible").name(LATE).profile(Profile::Local);
    builder.listen("127.0.0.1:0".parse().unwrap())
}

fn joining(first: &Cluster) -> Builder {
    builder().seeds([first.local_addr().to_string()])
}

async fn first_answers_are_visible() {
    let first = builder().min_members(3).start().await.unwrap();
    let second = joining(&first).join_policy(JoinPolicy::Wait).start().await.unwrap();
    assert_eq!(second.members().present_count(), 2, "the join has ended");
    let third = joining(&first).start().await.unwrap();
    third.joined().await.unwrap();
    assert!(third.members().present_count() >= 2, "joined");
    first.ready().await.unwrap();
    assert_eq!(first.members().present_count(), 3, "ready with three");
    second.set_metadata("x=1").await.unwrap();
    assert_eq!(&*second.local().metadata, b"x=1");
    second.leave().await.unwrap();
    assert!(!second.local().state.is_present(), "it has left");
    second.join_with(JoinPolicy::Wait, [first.local_addr().to_string()]).await.unwrap();
    assert!(second.local().state.is_present(), "it is back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_are_visible_when_they_return() {
    first_answers_are_visible().await;
}

#[tokio::test]
async fn calls_are_visible_when_they_return_on_one_thread_too() {
    first_answers_are_visible().await;
}

#[test]
fn calls_to_a_node_with_a_thread_of_its_own_are_visible_when_they_return() {
    let first = builder().min_members(2).start_thread().unwrap();
    let second = joining(&first).join_policy(JoinPolicy::Wait).start_thread().unwrap();
    assert_eq!(second.members().present_count(), 2);
    block_on(first.ready()).unwrap();
    assert_eq!(first.members().present_count(), 2);
    block_on(second.set_metadata("x=1")).unwrap();
    assert_eq!(&*second.local().metadata, b"x=1");
    block_on(second.leave()).unwrap();
    assert!(!second.local().state.is_present());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_notice_tells_is_visible() {
    let first = builder().start().await.unwrap();
    let second = joining(&first).start().await.unwrap();
    let mut notices = second.notices();
    loop {
        if let Some(Notice::JoinedBy { .. }) = notices.recv().await {
            break;
        }
    }
    assert_eq!(second.members().present_count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_peer_that_has_its_acknowledgement_finds_the_message_taken() {
    let first = builder().start().await.unwrap();
    let second = joining(&first).name("at once").join_policy(JoinPolicy::Wait);
    let second = second.start().await.unwrap();
    let mut messages = first.messages();
    second.send_reliable(first.id(), "hello").await.unwrap();
    assert_eq!(&*messages.try_recv().unwrap().payload, b"hello", "acknowledged, so it is there");
}
