//! What is told only after the members have been published as they are then: publish first, then
//! answer. Whoever gets an answer may look at once, and must find what it says.

use swim_transport::Responder;
use tokio::sync::oneshot;

use super::notices::NoticeBoard;
use super::{CommandError, LeaveReport};
use crate::event::Notice;

/// Where a command's result goes.
pub(super) type Done<T> = oneshot::Sender<Result<T, CommandError>>;

/// One answer that waits until the members are published.
enum Answer {
    Command(Done<()>, Result<(), CommandError>),
    Leave(Done<LeaveReport>, LeaveReport),
    Reply(Responder, Vec<u8>),
    Notice(Notice),
}

/// The answers of one turn of the loop, in their order. Their number is bounded by what the turn has
/// taken in.
#[derive(Default)]
pub(super) struct Withheld(Vec<Answer>);

impl Withheld {
    /// A command has ended so.
    pub(super) fn command(&mut self, done: Done<()>, result: Result<(), CommandError>) {
        self.0.push(Answer::Command(done, result));
    }

    /// A leave has ended so.
    pub(super) fn leave(&mut self, done: Done<LeaveReport>, report: LeaveReport) {
        self.0.push(Answer::Leave(done, report));
    }

    /// A peer's request is answered so.
    pub(super) fn reply(&mut self, responder: Responder, frame: Vec<u8>) {
        self.0.push(Answer::Reply(responder, frame));
    }

    /// The user is to know this.
    pub(super) fn notice(&mut self, notice: Notice) {
        self.0.push(Answer::Notice(notice));
    }

    /// The members are published.
    pub(super) fn release(&mut self, notices: &NoticeBoard) {
        for answer in self.0.drain(..) {
            // Whoever has asked may have stopped waiting; that is no error.
            match answer {
                Answer::Command(done, result) => drop(done.send(result)),
                Answer::Leave(done, report) => drop(done.send(Ok(report))),
                Answer::Reply(responder, frame) => responder.reply(frame),
                Answer::Notice(notice) => notices.put(notice),
            }
        }
    }
}
