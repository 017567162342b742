//! What there is to print: what the agent does itself, the changes in the membership and the notices,
//! as they come.

use std::net::SocketAddr;

use swimmer::{Message, Messages, Notice, Notices, Profile, Subscription, Update, block_on};
use tokio::sync::mpsc;

/// Deeds that wait to be printed; the agent does fewer in its life.
const DEEDS_MAX: usize = 8;

/// What the agent does itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It listens.
    Started {
        /// Where.
        listen: SocketAddr,
        cluster: String,
        preset: Profile,
    },
    /// It has joined, and as many members are present as were asked for.
    Ready,
    /// It ends.
    Stopping { why: &'static str, exit_code: u8 },
}

/// For what the agent does, and what prints it.
pub(crate) fn deeds() -> (mpsc::Sender<Deed>, mpsc::Receiver<Deed>) {
    mpsc::channel(DEEDS_MAX)
}

/// One thing to print.
pub(crate) enum Item {
    /// A change in the membership.
    Update(Update),
    /// A message to this node alone.
    Message(Message),
    /// Something that an operator should know.
    Notice(Notice),
    /// Something that the agent does itself.
    Deed(Deed),
}

/// The streams of a node, and that of the agent.
pub(crate) struct Feed {
    pub(crate) events: Subscription,
    pub(crate) messages: Messages,
    pub(crate) notices: Notices,
    pub(crate) deeds: mpsc::Receiver<Deed>,
}

impl Feed {
    /// What the agent has done already.
    pub(crate) fn try_deed(&mut self) -> Option<Deed> {
        self.deeds.try_recv().ok()
    }

    /// What has come already, changes first, and what the agent does last: it may follow from them.
    pub(crate) fn try_next(&mut self) -> Option<Item> {
        let update = self.events.try_recv().map(Item::Update);
        let message = update.or_else(|_| self.messages.try_recv().map(Item::Message));
        let notice = message.or_else(|_| self.notices.try_recv().map(Item::Notice)).ok();
        notice.or_else(|| self.try_deed().map(Item::Deed))
    }

    /// Waits for what comes next, blocking this thread; `None`: the node was stopped, and all was told.
    pub(crate) fn next(&mut self) -> Option<Item> {
        let next = block_on(async {
            tokio::select! {
                biased;
                update = self.events.recv() => update.map(Item::Update),
                Some(message) = self.messages.recv() => Some(Item::Message(message)),
                Some(notice) = self.notices.recv() => Some(Item::Notice(notice)),
                Some(deed) = self.deeds.recv() => Some(Item::Deed(deed)),
            }
        });
        // At the end something may be left in the other streams.
        next.or_else(|| self.try_next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use swimmer::{Change, Cluster, Event, Profile};

    #[test]
    fn changes_and_notices_come_until_the_node_stops() {
        let builder = || {
            Cluster::builder("test").listen("127.0.0.1:0".parse().unwrap()).profile(Profile::Local)
        };
        let seed = builder().start_thread().unwrap();
        let node = builder().seeds([seed.local_addr().to_string()]).start_thread().unwrap();
        let (done, deeds) = deeds();
        let (events, messages) = (node.subscribe(), node.messages());
        let mut feed = Feed { events, messages, notices: node.notices(), deeds };
        done.try_send(Deed::Ready).unwrap();
        let mut met = feed.events.snapshot().present_count() == 2;
        let (mut told, mut ready) = (false, false);
        while !(met && told && ready) {
            match feed.next().unwrap() {
                Item::Update(update) => {
                    met |= matches!(update.change, Change::Event(Event::Joined(_)))
                }
                Item::Message(message) => panic!("{message:?}"),
                Item::Notice(notice) => told |= matches!(notice, Notice::JoinedBy { .. }),
                Item::Deed(deed) => ready |= deed == Deed::Ready,
            }
        }
        let stopping = Deed::Stopping { why: "signal", exit_code: 0 };
        done.try_send(stopping.clone()).unwrap();
        block_on(node.shutdown());
        // What has come before the end, what the agent does after what it may follow from, and the end.
        let last = std::iter::from_fn(|| feed.next()).last();
        assert!(matches!(last, Some(Item::Deed(deed)) if deed == stopping));
        assert!(feed.try_next().is_none());
    }
}
