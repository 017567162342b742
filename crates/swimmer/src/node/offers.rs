//! Messages to this node alone: they are offered to the application, and their senders learn what came
//! of it.

use std::collections::BTreeMap;

use swim_proto::{Frame, RefusalReason, Reply, Seq};

use super::output::{OfferId, RequestId, SendId, SendOutcome, Taken};
use super::{Node, Pending};
use crate::event::Message;

/// More offers than this are not waited for at once: the sender of one more is not answered.
const OFFERS_MAX: usize = 1_024;

/// Who waits for what comes of an offer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sender {
    /// Nobody: it was best effort.
    Nobody,
    /// A peer whose request this answers.
    Peer(RequestId),
    /// The user of this node.
    Own(SendId),
}

/// The offers that the application has not answered yet.
#[derive(Debug, Default)]
pub(super) struct Offers {
    open: BTreeMap<OfferId, Sender>,
    last: u64,
}

impl Offers {
    /// A number for one more; `None` if it is one too many.
    fn begin(&mut self, sender: Sender) -> Option<OfferId> {
        self.last += 1;
        let id = OfferId(self.last);
        match sender {
            Sender::Nobody => {}
            Sender::Peer(_) | Sender::Own(_) if self.open.len() < OFFERS_MAX => {
                self.open.insert(id, sender);
            }
            Sender::Peer(_) | Sender::Own(_) => return None,
        }
        Some(id)
    }
}

impl Node {
    /// Offers a message to the application.
    pub(super) fn offer(&mut self, sender: Sender, message: Message) {
        match (self.offers.begin(sender), sender) {
            (Some(id), _) => self.pending.push_back(Pending::Message { id, message }),
            (None, Sender::Own(id)) => self.complete_send(id, SendOutcome::NoRoom),
            (None, _) => self.wire.offers_full += 1,
        }
    }

    /// What came of a message that was offered. Its sender is told.
    pub fn handle_offered(&mut self, id: OfferId, taken: Taken) {
        match self.offers.open.remove(&id) {
            None | Some(Sender::Nobody) => {}
            Some(Sender::Own(id)) => self.complete_send(id, taken.into()),
            Some(Sender::Peer(request)) => match taken {
                Taken::Taken => self.reply(request, &Frame::Reply(Reply::Ack { seq: Seq(0) })),
                Taken::NoReader => self.refuse(request, RefusalReason::NoReader),
                Taken::NoRoom => self.refuse(request, RefusalReason::NoRoom),
            },
        }
    }
}
