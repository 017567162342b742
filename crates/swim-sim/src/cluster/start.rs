//! Hosts that come: one by one by joining, or many at once that have known each other for long.

use std::net::SocketAddr;
use std::time::Duration;

use rand::RngExt;
use swim_membership::{Instant, Now, Table};
use swim_proto::NodeId;
use swimmer::node::{Node, Settings};

use super::{Cluster, HostIx};
use crate::host::{Condition, Host, Skew};

impl Cluster {
    /// Adds a host that does not run yet.
    pub fn add(&mut self) -> HostIx {
        let skew = Skew { offset: Duration::from_secs(1), rate_ppm: 0 };
        self.add_skewed(skew)
    }

    /// Adds a host whose clock is its own.
    pub fn add_skewed(&mut self, skew: Skew) -> HostIx {
        let number = self.len();
        let id = self.draw_id();
        self.hosts.push(Host::new(number, id, skew));
        self.names.learn(id, number);
        HostIx(number)
    }

    pub(super) fn draw_id(&mut self) -> NodeId {
        NodeId::from_bytes(self.rng.random())
    }

    /// Starts a host's process, which joins by these hosts.
    pub fn start(&mut self, ix: HostIx, seeds: &[HostIx]) {
        let seeds: Vec<SocketAddr> = seeds.iter().map(|&seed| self.address(seed)).collect();
        self.start_with(ix, seeds);
    }

    pub(super) fn start_with(&mut self, ix: HostIx, seeds: Vec<SocketAddr>) {
        let (mut node, clocks) = self.new_node(ix);
        node.join(clocks, &seeds);
        self.hosts[ix.0 as usize].seeds = seeds;
        self.transcript.event(self.now, format_args!("h{} starts", ix.0));
        self.run_node(ix, node);
    }

    fn new_node(&mut self, ix: HostIx) -> (Node, Now) {
        let mut settings = self.settings(ix);
        settings.seed = self.rng.random();
        let clocks = self.hosts[ix.0 as usize].clocks(self.now);
        let mut node = Node::new(settings, clocks).expect("simulated hosts have proper records");
        if let Some(bug) = self.options.bug {
            node.put_back(bug);
        }
        (node, clocks)
    }

    /// All but what is left to chance.
    fn settings(&self, ix: HostIx) -> Settings {
        let host = &self.hosts[ix.0 as usize];
        let mut settings = Settings::new(host.id, self.name.clone(), host.address);
        settings.config = self.options.config.clone();
        settings.metadata.clone_from(&host.metadata);
        settings.saved = Some(host.saved.clone());
        settings.started = Some(host.clocks(self.now).unix);
        settings
    }

    fn run_node(&mut self, ix: HostIx, node: Node) {
        let host = &mut self.hosts[ix.0 as usize];
        if let Some(checker) = &mut self.checker {
            checker.on_start(ix.0, &node, self.now);
        }
        host.node = Some(node);
        host.condition = Condition::Running;
        host.armed_at = Instant::NEVER;
        self.after(ix.0);
    }

    /// Adds `count` hosts that run and all know each other, and returns the first.
    pub fn warm(&mut self, count: u32) -> HostIx {
        let first = HostIx(self.len());
        for _ in 0..count {
            self.add();
        }
        let member = |ix| {
            let settings = self.settings(HostIx(ix));
            (settings.id, settings.record().expect("simulated hosts have proper records"))
        };
        let members = (first.0..self.len()).map(member);
        let table = Table::of_alive(self.name.tag(), self.options.seed, members);
        for ix in (first.0..self.len()).map(HostIx) {
            let (mut node, clocks) = self.new_node(ix);
            node.adopt(clocks, &table);
            self.run_node(ix, node);
        }
        first
    }
}
