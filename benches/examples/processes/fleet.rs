//! The processes of the agents, and what they say.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use swimmer::NodeId;

use crate::Result;
use crate::crashes::Plan;
use crate::line::Line;

/// Lines that wait to be handled.
const LINES_MAX: usize = 1_024;

/// The number of the agent, when its line was read, and the line; an error if it is malformed.
type Said = (usize, Instant, std::result::Result<Line, String>);

/// An agent's process, killed when it is dropped.
struct Process {
    child: Child,
    id: NodeId,
    address: SocketAddr,
    /// How many members it has last said are present.
    present: usize,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An observer holds a member dead since this moment.
pub(crate) struct Seen {
    pub(crate) observer: NodeId,
    pub(crate) dead: NodeId,
    pub(crate) at: Instant,
}

/// All processes, by number.
pub(crate) struct Fleet<'a> {
    plan: &'a Plan,
    processes: BTreeMap<usize, Process>,
    /// The number of the next process.
    next: usize,
    said: Receiver<Said>,
    sender: SyncSender<Said>,
}

impl<'a> Fleet<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let (sender, said) = sync_channel(LINES_MAX);
        Self { plan, processes: BTreeMap::new(), next: 0, said, sender }
    }

    /// How many processes run.
    pub(crate) fn len(&self) -> usize {
        self.processes.len()
    }

    /// Starts a process, which joins by the first of the others. Returns once it is an agent.
    ///
    /// # Errors
    /// When it cannot be started, or says nothing that an agent says.
    pub(crate) fn start(&mut self) -> Result<()> {
        let number = self.next;
        self.next += 1;
        let first = self.processes.values().next();
        let join = first.map_or("first".into(), |first| first.address.to_string());
        let Plan { profile, loss, seed, .. } = self.plan;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--join", &join, "--profile", &profile.to_string()])
            .args(["--loss", &loss.to_string(), "--seed", &(seed + number as u64).to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().map(BufReader::new);
        let ready = output.map(|mut output| (first_line(&mut output), output));
        let Some((Ok(Line::Ready(id, address)), output)) = ready else {
            let _ = child.kill();
            let _ = child.wait();
            return Err("an agent did not start".into());
        };
        self.processes.insert(number, Process { child, id, address, present: 1 });
        let sender = self.sender.clone();
        std::thread::spawn(move || read(number, output, &sender));
        Ok(())
    }

    /// Kills a process, by its place among those that run. Returns who it was, and when.
    pub(crate) fn kill(&mut self, place: usize) -> Option<(NodeId, Instant)> {
        let number = *self.processes.keys().nth(place)?;
        let victim = self.processes.remove(&number)?;
        Some((victim.id, Instant::now()))
    }

    /// Whether each process that runs sees all that run, as far as it has said.
    pub(crate) fn all_see_all(&self) -> bool {
        self.processes.values().all(|process| process.present == self.len())
    }

    /// Reads what the agents say, up to the next death that one of them sees or for at most this long.
    ///
    /// # Errors
    /// When an agent says what no agent says.
    pub(crate) fn next_seen(&mut self, patience: Duration) -> Result<Option<Seen>> {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok((number, at, line)) = self.said.recv_timeout(left) else { return Ok(None) };
            // A process that was killed may have said something before.
            let Some(process) = self.processes.get_mut(&number) else { continue };
            match line? {
                Line::Down(dead) => return Ok(Some(Seen { observer: process.id, dead, at })),
                Line::Present(count) => process.present = count,
                Line::Ready(..) => return Err("an agent started twice".into()),
            }
        }
    }
}

fn first_line(output: &mut impl BufRead) -> std::result::Result<Line, String> {
    let mut text = String::new();
    output.read_line(&mut text).map_err(|error| error.to_string())?;
    text.trim_end().parse()
}

/// Passes on what an agent says, until it ends or the fleet is dropped.
fn read(number: usize, output: BufReader<ChildStdout>, said: &SyncSender<Said>) {
    for text in output.lines() {
        let line = text.map_err(|error| error.to_string()).and_then(|text| text.parse());
        if said.send((number, Instant::now(), line)).is_err() {
            return;
        }
    }
}
