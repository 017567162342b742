//! How people call who is meant: ids, short ids and addresses by the host that they are of.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use swim_proto::{ClusterTag, NodeId, ShortId, Subject, TinyId};

use crate::cluster::HostIx;
use crate::host::{address_of, host_of};

/// A host and which of its identities this is, from 1.
#[derive(Clone, Copy, Debug)]
struct Name {
    host: HostIx,
    number: u32,
}

/// All identities that there ever were.
#[derive(Debug)]
pub(crate) struct Names {
    tag: ClusterTag,
    of: BTreeMap<NodeId, Name>,
    short: BTreeMap<ShortId, NodeId>,
    tiny: BTreeMap<TinyId, NodeId>,
    numbers: BTreeMap<u32, u32>,
}

impl Names {
    pub(crate) fn new(tag: ClusterTag) -> Self {
        let (of, short, tiny) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { tag, of, short, tiny, numbers: BTreeMap::new() }
    }

    /// A host has a new identity.
    pub(crate) fn learn(&mut self, id: NodeId, host: u32) {
        let number = self.numbers.entry(host).or_insert(0);
        *number += 1;
        self.of.insert(id, Name { host: HostIx(host), number: *number });
        self.short.insert(id.short(self.tag), id);
        self.tiny.insert(id.short(self.tag).tiny(), id);
    }

    /// `h2`; after it has lost its data `h2/2`; of nobody its first digits.
    pub(crate) fn id(&self, id: NodeId) -> String {
        match self.of.get(&id) {
            Some(Name { host, number: 1 }) => host.to_string(),
            Some(Name { host, number }) => format!("{host}/{number}"),
            None => id.to_string()[..8].to_owned(),
        }
    }

    pub(crate) fn short(&self, short: ShortId) -> String {
        self.short.get(&short).map_or_else(|| format!("{:x}", short.0), |&id| self.id(id))
    }

    pub(crate) fn tiny(&self, tiny: TinyId) -> String {
        self.tiny.get(&tiny).map_or_else(|| format!("{:x}", tiny.0), |&id| self.id(id))
    }

    pub(crate) fn subject(&self, subject: Subject) -> String {
        match subject {
            Subject::Full(id) => self.id(id),
            Subject::Short(short) => self.short(short),
        }
    }

    /// `h2` where it listens first, else with the port.
    pub(crate) fn address(address: SocketAddr) -> String {
        match host_of(address) {
            Some(host) if address_of(host, 0) == address => HostIx(host).to_string(),
            Some(host) => format!("{}:{}", HostIx(host), address.port()),
            None => address.to_string(),
        }
    }

    /// Whether an address is where the host of this identity listens first.
    pub(crate) fn is_home(&self, id: NodeId, address: SocketAddr) -> bool {
        self.of.get(&id).is_some_and(|name| address_of(name.host.0, 0) == address)
    }
}
