//! How bytes travel: small datagrams that may be lost, and exchanges of one framed request and one
//! framed reply.
//!
//! [`Transport`] is the whole contract. Shipped are [`UdpTcp`] for real networks and [`Faulty`],
//! which makes any other one lose, delay and cut. None of them knows what the bytes mean.

#![forbid(unsafe_code)]

mod batch;
mod closing;
pub mod conformance;
mod connections;
mod faults;
mod faulty;
mod framing;
mod listener;
mod memory;
mod sockets;
mod transport;
mod udp;
mod udp_tcp;
mod watched;

pub use batch::Batch;
pub use faulty::{FaultControl, FaultStats, Faulty};
pub use framing::{FrameEnd, Framing, LengthPrefixed};
pub use memory::{MemoryNetwork, MemoryStats, MemoryTransport};
pub use transport::{Incoming, ReplyReceiver, Responder, Transport};
pub use udp_tcp::{UdpTcp, UdpTcpConfig, UdpTcpStats};
