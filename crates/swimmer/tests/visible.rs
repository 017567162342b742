//! What a call has returned for is seen in the members at once, on any runtime. `RUNS=300` for more.

#![allow(clippy::unwrap_used)]

mod support;

use support::{builder, soon};
use swimmer::{Cluster, JoinPolicy, block_on};

fn runs() -> usize {
    std::env::var("RUNS").map_or(30, |runs| runs.parse().unwrap())
}

async fn run(first: Cluster, seed: [String; 1]) {
    let second = builder().seeds(&seed).join_policy(JoinPolicy::Wait).start().await.unwrap();
    assert!(second.members().present_count() >= 2, "after a start that waits");
    let third = builder().seeds(&seed).start().await.unwrap();
    soon("ready", first.ready()).await.unwrap();
    assert_eq!(first.members().present_count(), 3, "after ready with three");
    second.set_metadata("x=1").await.unwrap();
    assert_eq!(&*second.local().metadata, b"x=1");
    soon("the leave", third.leave()).await.unwrap();
    assert!(!third.local().state.is_present());
}

async fn start_and_run() {
    let first = builder().min_members(3).start().await.unwrap();
    let seed = [first.local_addr().to_string()];
    run(first, seed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads() {
    for _ in 0..runs() {
        start_and_run().await;
    }
}

#[tokio::test]
async fn on_one_thread() {
    for _ in 0..runs() {
        start_and_run().await;
    }
}

#[test]
fn on_threads_of_their_own() {
    for _ in 0..runs() {
        let first = builder().min_members(2).start_thread().unwrap();
        let seed = [first.local_addr().to_string()];
        let waits = builder().seeds(&seed).join_policy(JoinPolicy::Wait);
        let second = waits.start_thread().unwrap();
        assert_eq!(second.members().present_count(), 2);
        block_on(first.ready()).unwrap();
        assert_eq!(first.members().present_count(), 2);
        block_on(second.set_metadata("x=1")).unwrap();
        assert_eq!(&*second.local().metadata, b"x=1");
        block_on(second.leave()).unwrap();
        assert!(!second.local().state.is_present());
    }
}
