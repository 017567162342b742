//! How bytes travel: small datagrams that may be lost, and exchanges of one framed request and one
//! framed reply.
//!
//! [`Transport`] is the whole contract; [`conformance`] is a suite that any implementation can run.
//! Shipped are [`UdpTcp`] for real networks, [`MemoryNetwork`] for tests in one process, and
//! [`Faulty`], which makes any other one lose, delay and cut. None of them knows what the bytes mean.

#![forbid(unsafe_code)]

mod batch;
//CONF
mod faulty;
mod framing;
mod listener;
//MEM
mod transport;
mod udp_tcp;

pub use batch::Batch;
pub use faulty::{FaultControl, Faulty};
pub use framing::{FrameEnd, Framing, LengthPrefixed};
//pub use memory::{MemoryNetwork, MemoryTransport};
pub use transport::{Incoming, ReplyReceiver, Responder, Transport};
pub use udp_tcp::{UdpTcp, UdpTcpConfig, UdpTcpStats};
