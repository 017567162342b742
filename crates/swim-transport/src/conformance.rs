//! The contract of [`Transport`], checked on any implementation.
//!
//! Each check binds transports of its own and panics with the clause that was broken. The network
//! between them should be at rest: checks send again what a network may lose, but on one that
//! loses much they fail. They ask for no more than the trait promises: each reads as it sends, so
//! that room for one datagram is enough. Requests and replies are frames of
//! [`LengthPrefixed`](crate::LengthPrefixed), within its default bound.
//!
//! ```
//! use swim_transport::{MemoryNetwork, conformance};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! let network = MemoryNetwork::new(1);
//! let address = "127.0.0.1:0".parse().unwrap();
//! conformance::check_all(address, async |address| network.bind(address)).await;
//! # }
//! ```

mod clause;
mod closing;
mod datagrams;
mod exchanges;

use std::io;
use std::net::SocketAddr;

use self::clause::Clause;
use crate::transport::Transport;

/// Checks the whole contract. `bind` binds a transport at the address that it is given; `address`
/// is one with port 0 at which several can be bound, on loopback for instance.
///
/// # Panics
/// When a clause is broken. The message names it.
pub async fn check_all<T: Transport>(
    address: SocketAddr,
    bind: impl AsyncFn(SocketAddr) -> io::Result<T>,
) {
    check_datagrams(address, &bind).await;
    check_exchanges(address, &bind).await;
    check_closing(address, &bind).await;
}

/// Checks what is said of datagrams. See [`check_all`].
///
/// # Panics
/// When a clause is broken.
pub async fn check_datagrams<T: Transport>(
    address: SocketAddr,
    bind: impl AsyncFn(SocketAddr) -> io::Result<T>,
) {
    let ends = Ends { address, bind };
    datagrams::addresses_are_real(&ends).await;
    datagrams::arrive_whole_and_can_be_answered(&ends).await;
    datagrams::too_long_ones_do_not_arrive(&ends).await;
    datagrams::longer_ones_than_the_buffer_are_cut_or_lost(&ends).await;
    datagrams::keep_their_order_at_rest(&ends).await;
    datagrams::batches_hold_what_they_have_room_for(&ends).await;
    datagrams::are_not_lost_with_a_dropped_future(&ends).await;
    datagrams::go_to_one_receiver_each(&ends).await;
}

/// Checks what is said of exchanges. See [`check_all`].
///
/// # Panics
/// When a clause is broken.
pub async fn check_exchanges<T: Transport>(
    address: SocketAddr,
    bind: impl AsyncFn(SocketAddr) -> io::Result<T>,
) {
    let ends = Ends { address, bind };
    exchanges::carry_whole_frames(&ends).await;
    exchanges::without_an_answer_give_none(&ends).await;
    exchanges::at_once_are_not_mixed_up(&ends).await;
    exchanges::go_both_ways_at_once(&ends).await;
    exchanges::with_nobody_do_not_succeed(&ends).await;
    exchanges::are_not_lost_with_a_dropped_future(&ends).await;
    exchanges::that_are_given_up_harm_nobody(&ends).await;
}

/// Checks what is said of closing, for transports that implement it. See [`check_all`].
///
/// # Panics
/// When a clause is broken.
pub async fn check_closing<T: Transport>(
    address: SocketAddr,
    bind: impl AsyncFn(SocketAddr) -> io::Result<T>,
) {
    let ends = Ends { address, bind };
    closing::ends_what_waits(&ends).await;
    closing::makes_later_calls_errors(&ends).await;
    closing::is_no_refusal_of_the_other_side(&ends).await;
    closing::frees_the_address(&ends).await;
    closing::frees_the_address_whoever_still_waits(&ends).await;
}

/// Where transports come from.
struct Ends<F> {
    address: SocketAddr,
    bind: F,
}

impl<T: Transport, F: AsyncFn(SocketAddr) -> io::Result<T>> Ends<F> {
    async fn bind_at(&self, address: SocketAddr, clause: Clause) -> T {
        clause.succeeds("binding", clause.within("binding", (self.bind)(address)).await)
    }

    async fn one(&self) -> T {
        self.bind_at(self.address, Clause("a transport is bound at the address it is given")).await
    }

    async fn two(&self) -> (T, T) {
        (self.one().await, self.one().await)
    }
}

/// What both planes carry here: so many bytes that differ from each other and by `mark`.
fn pattern(mark: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 ^ mark).collect()
}

/// A frame with such a body.
fn frame(mark: u8, length: usize) -> Vec<u8> {
    let prefix = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    [&prefix[..], &pattern(mark, length)].concat()
}
