//! The protocol as a pure machine, driven by hand: two nodes, a network that is a sorted map, and a
//! clock that is a number. No socket, no thread, no tokio; twelve seconds pass in no time, and the
//! same seeds give the same story.
//!
//! ```sh
//! cargo run -p swimmer --no-default-features --example pure_node
//! ```

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use swimmer::node::{Answer, ExchangeId, Node, Output, RequestId, Settings, Taken};
use swimmer::{ClusterName, Config, Event, Instant, NodeId, Profile};

/// How long everything is on its way.
const DELAY: Duration = Duration::from_millis(5);

/// What arrives at a node.
enum Input {
    Datagram { from: SocketAddr, payload: Vec<u8> },
    Request { from: SocketAddr, id: ExchangeId, frame: Vec<u8> },
    Reply { id: ExchangeId, frame: Option<Vec<u8>> },
    Refusal { id: ExchangeId },
}

#[derive(Default)]
struct World {
    now: Instant,
    nodes: BTreeMap<SocketAddr, Node>,
    /// When each node wants to be woken.
    wake_at: BTreeMap<SocketAddr, Instant>,
    /// What is on its way, by the time of its arrival and a number that keeps the order.
    on_the_way: BTreeMap<(Instant, u64), (SocketAddr, Input)>,
    sent: u64,
    story: Vec<String>,
}

impl World {
    fn add(&mut self, address: SocketAddr, node: Node) {
        self.nodes.insert(address, node);
        self.drain(address, None);
    }

    fn send(&mut self, to: SocketAddr, input: Input) {
        self.sent += 1;
        self.on_the_way.insert((self.now + DELAY, self.sent), (to, input));
    }

    /// Lets time go from one thing that happens to the next.
    fn run_until(&mut self, end: Instant) {
        loop {
            let arrival = self.on_the_way.keys().next().map_or(Instant::NEVER, |&(at, _)| at);
            let waking = self.wake_at.iter().map(|(&address, &at)| (at, address)).min();
            let wake_at = waking.map_or(Instant::NEVER, |(at, _)| at);
            self.now = arrival.min(wake_at).min(end);
            if self.now == end {
                return;
            } else if arrival <= wake_at {
                if let Some((_, (to, input))) = self.on_the_way.pop_first() {
                    self.deliver(to, input);
                }
            } else if let Some((_, address)) = waking {
                self.wake(address);
            }
        }
    }

    fn wake(&mut self, address: SocketAddr) {
        if let Some(node) = self.nodes.get_mut(&address) {
            node.handle_timeout(self.now);
            self.drain(address, None);
        }
    }

    fn deliver(&mut self, to: SocketAddr, input: Input) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&to) else {
            // Nobody is there: a datagram is lost, and the host refuses a request.
            if let Input::Request { from, id, .. } = input {
                self.send(from, Input::Refusal { id });
            }
            return;
        };
        match input {
            Input::Datagram { from, mut payload } => {
                node.handle_datagram(now, from, &mut payload);
                self.drain(to, None);
            }
            Input::Request { from, id, mut frame } => {
                node.handle_request(now, from, RequestId(id.0), &mut frame);
                self.drain(to, Some((from, id)));
            }
            Input::Reply { id, mut frame } => {
                node.handle_reply(now, id, frame.as_deref_mut().into());
                self.drain(to, None);
            }
            Input::Refusal { id } => {
                node.handle_reply(now, id, Answer::Refused);
                self.drain(to, None);
            }
        }
    }

    /// Does what a node wants, to its last word. `asker` is who waits for an answer.
    fn drain(&mut self, address: SocketAddr, mut asker: Option<(SocketAddr, ExchangeId)>) {
        let Some(mut node) = self.nodes.remove(&address) else { return };
        let wake_at = loop {
            match node.poll_output() {
                Output::Datagram { to, payload } => {
                    let payload = payload.to_vec();
                    self.send(to, Input::Datagram { from: address, payload });
                }
                // The answer comes well before the deadline here, be it that there is none.
                Output::Exchange { id, to, request, deadline: _ } => {
                    let frame = request.to_vec();
                    self.send(to, Input::Request { from: address, id, frame });
                }
                Output::Reply { id: _, frame } => {
                    let frame = Some(frame.to_vec());
                    if let Some((to, id)) = asker.take() {
                        self.send(to, Input::Reply { id, frame });
                    }
                }
                Output::Event(event) => {
                    self.story.push(format!("{}  {address}  {}", self.now, describe(&event)));
                }
                // An application would take it, or say why not.
                Output::Message { id, .. } => node.handle_offered(id, Taken::NoReader),
                Output::Notice(_) | Output::Completed(_) => {}
                Output::Persist(_) => unreachable!("these nodes keep nothing over a restart"),
                Output::Wait(at) => break at,
            }
        };
        if let Some((to, id)) = asker {
            self.send(to, Input::Reply { id, frame: None });
        }
        self.nodes.insert(address, node);
        self.wake_at.insert(address, wake_at);
    }

    /// Stops a node without a word.
    fn kill(&mut self, address: SocketAddr) {
        self.nodes.remove(&address);
        self.wake_at.remove(&address);
        self.story.push(format!("{}  {address}  is killed", self.now));
    }
}

fn describe(event: &Event) -> String {
    match event {
        Event::Joined(member) => format!("sees {} join", member.address),
        Event::Suspected(member) => format!("suspects {}", member.address),
        Event::Down(member, _) => format!("holds {} dead", member.address),
        other => format!("{other:?}"),
    }
}

/// A node whose every choice follows from `seed`.
fn node(seed: u8, address: SocketAddr) -> Result<Node, Box<dyn Error>> {
    let id = NodeId::from_bytes([seed; 16]);
    let settings = Settings {
        config: Config::preset(Profile::Local),
        seed: u64::from(seed),
        ..Settings::new(id, ClusterName::new("example")?, address)
    };
    Ok(Node::new(settings, Instant::ZERO)?)
}

fn tell_story() -> Result<Vec<String>, Box<dyn Error>> {
    let (anna, bert) = ("192.0.2.1:1".parse()?, "192.0.2.2:1".parse()?);
    let mut world = World::default();
    world.add(anna, node(1, anna)?);
    let mut joiner = node(2, bert)?;
    joiner.join(Instant::ZERO, &[anna]);
    world.add(bert, joiner);

    world.run_until(Instant::from_micros(4_000_000));
    world.kill(bert);
    world.run_until(Instant::from_micros(12_000_000));
    Ok(world.story)
}

fn main() -> Result<(), Box<dyn Error>> {
    let story = tell_story()?;
    println!("{}", story.join("\n"));
    assert_eq!(tell_story()?, story);
    println!("told again, it is word for word the same");
    Ok(())
}
