//! What there is to print: the changes in the membership and the notices, as they come.

use swimmer::{Message, Messages, Notice, Notices, Subscription, Update, block_on};

/// One thing to print.
pub(crate) enum Item {
    /// A change in the membership.
    Update(Update),
    /// A message to this node alone.
    Message(Message),
    /// Something that an operator should know.
    Notice(Notice),
}

/// The streams of a node.
pub(crate) struct Feed {
    pub(crate) events: Subscription,
    pub(crate) messages: Messages,
    pub(crate) notices: Notices,
}

impl Feed {
    /// What has come already, changes first.
    pub(crate) fn try_next(&mut self) -> Option<Item> {
        let update = self.events.try_recv().map(Item::Update);
        let message = update.or_else(|_| self.messages.try_recv().map(Item::Message));
        message.or_else(|_| self.notices.try_recv().map(Item::Notice)).ok()
    }

    /// Waits for what comes next, blocking this thread; `None`: the node was stopped.
    pub(crate) fn next(&mut self) -> Option<Item> {
        block_on(async {
            tokio::select! {
                biased;
                update = self.events.recv() => update.map(Item::Update),
                Some(message) = self.messages.recv() => Some(Item::Message(message)),
                Some(notice) = self.notices.recv() => Some(Item::Notice(notice)),
            }
        })
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
        let (events, messages) = (node.subscribe(), node.messages());
        let mut feed = Feed { events, messages, notices: node.notices() };
        let (mut met, mut told) = (feed.events.snapshot().present_count() == 2, false);
        while !(met && told) {
            match feed.next().unwrap() {
                Item::Update(update) => {
                    met |= matches!(update.change, Change::Event(Event::Joined(_)))
                }
                Item::Message(message) => panic!("{message:?}"),
                Item::Notice(notice) => told |= matches!(notice, Notice::JoinedBy { .. }),
            }
        }
        block_on(node.shutdown());
        // What has come before the end, and then the end.
        while feed.next().is_some() {}
        assert!(feed.try_next().is_none());
    }
}
