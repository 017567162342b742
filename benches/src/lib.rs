//! What the benches and proofs of this package share: members by number, the bytes they would
//! send, and nodes that know many of them, told through the front door.
//!
//! ```sh
//! cargo test -p benches # no allocation at rest, wire sizes
//! ```

#![forbid(unsafe_code)]

mod pair;
mod populated;
mod population;
mod voice;

pub use pair::Pair;
pub use populated::Populated;
pub use population::{CLUSTER, LOCAL, address, cluster, config, id, record, tag};
pub use voice::Voice;
