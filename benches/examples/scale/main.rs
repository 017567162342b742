//! Many agents in one process over loopback: how long they take to meet, what they cost at rest,
//! and how long a death takes to be seen.
//!
//! ```sh
//! cargo run --release -p benches --example scale -- --nodes 128 --nodes 512
//! cargo run --release -p benches --example scale -- --loss 20 --deaths 10 --within 10
//! ```
//!
//! Every agent has real sockets; all share one runtime of two threads. It measures time, so it
//! wants a machine that does nothing else.

#[cfg(unix)]
mod crashes;
#[cfg(unix)]
mod measure;

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    measure::main()
}

#[cfg(not(unix))]
fn main() {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), b"it measures on Unix only\n");
}
