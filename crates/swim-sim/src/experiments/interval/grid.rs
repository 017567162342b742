//! The cells of Lifeguard's grid.

use clap::ValueEnum;

/// Which cells of Lifeguard's grid are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Grid {
    /// C = 1, 4, 8 … 32; D = 128 … 32,768 ms; I = 1 … 16,384 ms.
    Full,
    /// C = 20, 32; D = 2,048, 8,192, 16,384, 32,768 ms; I = 1, 16 ms: the worst cells of `lifeguard`
    /// (C 32, D 32,768, I 16) and those in which `swimmer` has had most (C 32, D 16,384, I 1; all D
    /// from 2,048 on).
    Short,
}

/// One cell of the grid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) blocked: u32,
    pub(super) duration_ms: u64,
    pub(super) interval_ms: u64,
}

impl Grid {
    /// All C, D and I.
    pub(super) fn axes(self) -> (&'static [u32], &'static [u64], &'static [u64]) {
        match self {
            Self::Full => (
                &[1, 4, 8, 12, 16, 20, 24, 28, 32],
                &[128, 512, 2_048, 8_192, 16_384, 32_768],
                &[1, 4, 16, 64, 256, 1_024, 4_096, 16_384],
            ),
            Self::Short => (&[20, 32], &[2_048, 8_192, 16_384, 32_768], &[1, 16]),
        }
    }
}
