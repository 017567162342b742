//! Joining as a goal: to go on, to wait, to fail, and to be ready.

#![allow(clippy::unwrap_used)]

mod support;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use support::{builder, soon, start, start_many, until};
use swim_proto::{
    BincodeCodec, ClusterName, Codec, Datagram, DecodeError, EncodeError, Fit, Frame, Packet, Part,
    Reply, Request,
};
use swimmer::{CommandError, JoinPolicy, Notice, StartError, TryRecvError, block_on};

const SHORT: Duration = Duration::from_millis(700);

/// An address at which nobody listens any more.
async fn nobody() -> SocketAddr {
    let gone = start(&[]).await;
    gone.shutdown().await;
    gone.local_addr()
}

/// Whether it is not done yet, after all that it can do without waiting.
async fn is_pending(future: impl Future) -> bool {
    tokio::select! {
        biased;
        _ = future => false,
        () = std::future::ready(()) => true,
    }
}

#[tokio::test]
async fn j1_a_start_that_may_fail_fails_when_no_seed_answers_and_leaves_nothing_behind() {
    let seed = nobody().await.to_string();
    let folder = tempfile::tempdir().unwrap();
    let fails = || builder().data_dir(folder.path()).seeds([&seed]);
    let error = soon("the failure", fails().join_policy(JoinPolicy::Fail(SHORT)).start()).await;
    assert!(matches!(error, Err(StartError::NotJoined)), "{error:?}");
    // The lock of the folder is free again.
    let alone = fails().start().await.unwrap();
    assert_eq!(alone.members().present_count(), 1);
}

#[tokio::test]
async fn j1_a_start_that_waits_returns_when_a_seed_answers() {
    let seed = nobody().await;
    let waiting = builder().seeds([seed.to_string()]).join_policy(JoinPolicy::Wait).start();
    let waiting = tokio::spawn(waiting);
    tokio::time::sleep(SHORT).await;
    assert!(!waiting.is_finished());
    let _late = builder().listen(seed).start().await.unwrap();
    let joined = soon("the start", waiting).await.unwrap().unwrap();
    assert!(!is_pending(joined.joined()).await);
    soon("it is ready", joined.ready()).await.unwrap();
    assert_eq!(joined.members().present_count(), 2);
}

#[tokio::test]
async fn j1_a_start_in_time_or_without_seeds_does_not_fail() {
    let policy = || JoinPolicy::Fail(support::PATIENCE);
    let first = builder().join_policy(policy()).start().await.unwrap();
    let seed = first.local_addr().to_string();
    let second = builder().seeds([seed]).join_policy(policy()).start();
    assert!(soon("the start", second).await.is_ok());
}

#[test]
fn j1_a_thread_that_may_fail_fails_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seed = runtime.block_on(nobody()).to_string();
    let error = builder().seeds([seed]).join_policy(JoinPolicy::Fail(SHORT)).start_thread();
    assert!(matches!(error, Err(StartError::NotJoined)), "{error:?}");
    let alone = builder().join_policy(JoinPolicy::Wait).start_thread().unwrap();
    block_on(alone.ready()).unwrap();
}

#[tokio::test]
async fn j1_a_running_node_joins_by_the_same_policies() {
    let (node, seed) = (start(&[]).await, nobody().await.to_string());
    let fails = soon("the failure", node.join_with(JoinPolicy::Fail(SHORT), [&seed])).await;
    assert_eq!(fails, Err(CommandError::NotJoined));
    assert_eq!(node.members().present_count(), 1, "it runs on");

    node.join([&seed]).await.unwrap();
    assert!(is_pending(node.joined()).await);
    let waiting = {
        let (node, seed) = (node.clone(), seed.clone());
        tokio::spawn(async move { node.join_with(JoinPolicy::Wait, [seed]).await })
    };
    tokio::time::sleep(SHORT).await;
    assert!(!waiting.is_finished());
    node.leave().await.unwrap();
    let left = soon("the end of the wait", waiting).await.unwrap();
    assert_eq!(left, Err(CommandError::NotJoined), "a leave ends the goal");

    let other = start(&[]).await;
    let joins = node.join_with(JoinPolicy::Wait, [other.local_addr().to_string()]);
    assert_eq!(soon("the join", joins).await, Ok(()));
}

#[tokio::test]
async fn ready_means_joined_enough_members_and_the_whole_table() {
    let first = builder().min_members(3).start().await.unwrap();
    assert!(is_pending(first.ready()).await, "alone it is not enough");
    let second = builder().seeds([first.local_addr().to_string()]).start().await.unwrap();
    soon("the second is ready with two", second.ready()).await.unwrap();
    assert_eq!(second.members().present_count(), 2);
    assert!(is_pending(first.ready()).await);
    let _third = start(&[second.local_addr()]).await;
    soon("the first is ready with three", first.ready()).await.unwrap();
    assert_eq!(first.members().present_count(), 3);

    let nodes = start_many(20).await;
    let late = builder().seeds([nodes[7].local_addr().to_string()]).start().await.unwrap();
    soon("ready", late.ready()).await.unwrap();
    assert_eq!(late.members().present_count(), 21, "nothing is still to come");
}

#[tokio::test]
async fn a_first_node_is_ready_at_once_and_a_stopped_one_never() {
    let first = start(&[]).await;
    soon("ready", first.ready()).await.unwrap();
    let waiting = builder().seeds([nobody().await.to_string()]).start().await.unwrap();
    assert!(is_pending(waiting.ready()).await);
    first.shutdown().await;
    waiting.shutdown().await;
    for node in [first, waiting] {
        assert_eq!(soon("an answer", node.ready()).await, Err(CommandError::Stopped));
        assert_eq!(soon("an answer", node.joined()).await, Err(CommandError::Stopped));
    }
}

#[tokio::test]
async fn j1_a_seed_that_does_not_answer_is_told_once() {
    let seed = nobody().await;
    let node = start(&[seed]).await;
    let mut notices = node.notices();
    let said = soon("the notice", notices.recv()).await;
    assert_eq!(said, Some(Notice::SeedUnanswered { seed }));
    let failed = node.stats().wire.exchanges_failed;
    until("it was tried again", || node.stats().wire.exchanges_failed >= failed + 2).await;
    assert_eq!(notices.try_recv(), Err(TryRecvError::Empty));
    let _late = builder().listen(seed).start().await.unwrap();
    assert_eq!(soon("the join", notices.recv()).await, Some(Notice::JoinedBy { seed }));
}

#[tokio::test]
async fn j1_an_address_is_tried_at_once_beside_a_name_that_is_not_known() {
    let first = start(&[]).await;
    let seeds = ["no-such-host.invalid:7".to_owned(), first.local_addr().to_string()];
    let joins = builder().seeds(seeds).join_policy(JoinPolicy::Wait).start();
    assert_eq!(soon("the join", joins).await.unwrap().members().present_count(), 2);
}

#[tokio::test]
async fn j1_a_node_with_a_name_that_is_not_known_has_not_joined_because_it_is_its_own_seed() {
    let free = start(&[]).await;
    free.shutdown().await;
    let own = free.local_addr();
    let seeds = [own.to_string(), "no-such-host.invalid:7".to_owned()];
    let node = builder().listen(own).seeds(seeds).start().await.unwrap();
    assert!(is_pending(node.joined()).await, "another seed may be found");
}

#[tokio::test]
async fn j1_a_seed_that_the_socket_does_not_reach_is_told_and_not_tried() {
    let node = builder().seeds(["[::1]:7"]).start().await.unwrap();
    let listen = node.local_addr();
    let said = soon("the notice", node.notices().recv()).await;
    assert_eq!(said, Some(Notice::SeedUnreachable { seed: "[::1]:7".into(), listen }));
    assert!(is_pending(node.joined()).await && node.stats().wire.exchanges == 0);
}

#[tokio::test]
async fn a_start_with_an_address_of_another_family_or_with_a_zone_is_an_error() {
    let advertise = |advertise: &str| builder().advertise(advertise.parse().unwrap()).start();
    let error = advertise("[2001:db8::1]:7").await;
    assert!(matches!(error, Err(StartError::Family { .. })), "{error:?}");
    assert!(advertise("[::ffff:127.0.0.1]:7").await.is_ok(), "IPv4 in the clothes of IPv6");
    for zoned in ["[fe80::1%1]:7", "[fe80::1]:7"] {
        let error = advertise(zoned).await;
        assert!(matches!(error, Err(StartError::Zone(_))), "{error:?}");
        let error = builder().listen(zoned.parse().unwrap()).start().await;
        assert!(matches!(error, Err(StartError::Zone(_))), "{error:?}");
    }
    let error = builder().seeds(["[fe80::1%eth0]:7"]).start().await;
    assert!(matches!(error, Err(StartError::Zone(_))), "{error:?}");
}

#[tokio::test]
async fn a_node_that_listens_on_a_mapped_address_is_a_node_of_ipv4() {
    let node = builder().listen("[::ffff:127.0.0.1]:0".parse().unwrap()).start().await.unwrap();
    assert!(node.local_addr().is_ipv4());
    let other = builder().seeds([node.local_addr().to_string()]).join_policy(JoinPolicy::Wait);
    assert_eq!(soon("the join", other.start()).await.unwrap().members().present_count(), 2);
}

#[tokio::test]
async fn j1_seeds_that_cannot_be_resolved_are_waited_for() {
    let node = builder().seeds(["no-such-host.invalid:7"]).start().await.unwrap();
    let mut notices = node.notices();
    let said = soon("the notice", notices.recv()).await;
    assert!(matches!(said, Some(Notice::SeedUnresolved { .. })), "{said:?}");
    assert!(is_pending(node.joined()).await, "there is a seed, and nobody has answered");
}

/// A wire that has no form for comparing tables, as some have none.
struct NoComparison(BincodeCodec);

impl Codec for NoComparison {
    fn begin_datagram(
        &mut self,
        message: &Datagram<'_>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        // Without digests, by which it would be seen that the tables are equal.
        let message = match *message {
            Datagram::Ping { seq, target, from, held, .. } => {
                Datagram::Ping { seq, target, from, held, note: None }
            }
            Datagram::Ack { seq, .. } => Datagram::Ack { seq, note: None },
            message => message,
        };
        self.0.begin_datagram(&message, limit, out)
    }

    fn begin_frame(
        &mut self,
        message: &Frame<'_>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match message {
            Frame::Request(Request::Sync { .. } | Request::Records { .. }) => Err(EncodeError),
            message => self.0.begin_frame(message, limit, out),
        }
    }

    fn push(&mut self, part: &Part<'_>, limit: usize, out: &mut Vec<u8>) -> Fit {
        self.0.push(part, limit, out)
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.0.finish(out);
    }

    fn decode_datagram<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Datagram<'a>>, DecodeError> {
        self.0.decode_datagram(bytes, scratch)
    }

    fn decode_request<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Request<'a>>, DecodeError> {
        self.0.decode_request(bytes, scratch)
    }

    fn decode_reply<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Reply<'a>>, DecodeError> {
        // Nor does it carry a digest of the table.
        let mut packet = self.0.decode_reply(bytes, scratch)?;
        if let Reply::Entries { digest, .. } = &mut packet.message {
            *digest = 0;
        }
        Ok(packet)
    }
}

#[tokio::test]
async fn a_node_is_ready_though_its_codec_cannot_compare_tables() {
    let builder = || {
        let codec = NoComparison(BincodeCodec::new(ClusterName::new("test").unwrap()));
        builder().codec(Box::new(codec))
    };
    let first = builder().start().await.unwrap();
    let by = [first.local_addr().to_string()];
    let second = builder().seeds(&by).start().await.unwrap();
    soon("the second is ready", second.ready()).await.unwrap();
    let third = builder().seeds(&by).min_members(3).start().await.unwrap();
    soon("the third is ready", third.ready()).await.unwrap();
}
