//! What the benches and proofs of this package share: members by number, the bytes they would
//! send, and nodes that know many of them, told through the front door.
//!
//! ```sh
//! cargo bench -p benches                      # all layers, some five minutes
//! cargo bench -p benches --bench node -- fill # of one bench what has "fill" in its name
//! cargo test -p benches                       # allocations at rest, bytes a member, wire sizes
//! ```
//!
//! There is a bench for each layer (`codec`, `dissemination`, `membership`, `transport`) and one
//! for their composition (`node`). Figures of two machines cannot be compared: read ratios.

#![forbid(unsafe_code)]

mod deaths;
mod machine;
mod pair;
mod populated;
mod population;
mod voice;

pub use deaths::Deaths;
pub use machine::load;
pub use pair::Pair;
pub use populated::Populated;
pub use population::{CLUSTER, LOCAL, address, cluster, config, id, record, tag};
pub use voice::Voice;

/// The numbers of members at which benches are run.
pub const SIZES: [u32; 4] = [100, 1_000, 10_000, 100_000];
