//! How bytes travel: small datagrams that may be lost, and exchanges of one framed request and one
//! framed reply.
//!
//! [`Transport`] is the whole contract. None of what is shipped knows what the bytes mean:
//!
//! | what | for | particular to it |
//! |---|---|---|
//! | [`UdpTcp`] | real networks | IPv4 and IPv6; another protocol's [`Framing`]; slow and hostile peers give way to honest ones; [`UdpTcpStats`] tells what happened by its reason |
//! | [`MemoryNetwork`] | tests in one process | keeps tokio's time, paused or not; seeded loss, doubling and delay; one-way cuts and partitions |
//! | [`Faulty`] | any other transport | the same faults, and cuts by address, set through its [`FaultControl`] while it runs |
//!
//! A transport of one's own is some six methods; [`conformance`] checks that they keep the
//! contract.
//!
//! ```
//! use swim_transport::{Faulty, Transport, UdpTcp};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let one = Faulty::new(UdpTcp::bind("127.0.0.1:0".parse().unwrap()).await?, 7);
//! let two = UdpTcp::bind("127.0.0.1:0".parse().unwrap()).await?;
//!
//! one.control().lose(1_000);
//! one.send_to(b"a datagram may be lost", two.local_addr()).await?;
//! assert_eq!(one.control().stats().lost, 1);
//!
//! let request = [&5_u32.to_le_bytes()[..], b"hello"].concat();
//! let answer = async {
//!     let incoming = two.accept().await?;
//!     incoming.responder.reply(incoming.frame);
//!     std::io::Result::Ok(())
//! };
//! let (reply, answered) = tokio::join!(one.exchange(two.local_addr(), request.clone()), answer);
//! answered?;
//! assert_eq!(reply?, Some(request));
//! # Ok(())
//! # }
//! ```

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
