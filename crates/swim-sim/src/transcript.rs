//! What happened, as a running hash always and as lines on demand.

use std::collections::VecDeque;
use std::fmt::{self, Write};

use swim_membership::Instant;

/// Lines that are kept for the report of a failure.
pub(crate) const LINES_KEPT: usize = 2_000;

/// Which lines are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// None; only the hash.
    #[default]
    Hash,
    /// Events and faults.
    Events,
    /// Datagrams and exchanges too.
    Messages,
}

/// The record of a run. Two runs of one seed have the same, byte for byte.
#[derive(Clone, Debug)]
pub struct Transcript {
    detail: Detail,
    kept: usize,
    hash: u64,
    lines: VecDeque<String>,
    /// How many lines there were, those that are not kept any more too.
    written: u64,
    scratch: String,
}

impl Transcript {
    /// Keeps the last `kept` lines.
    pub(crate) fn new(detail: Detail, kept: usize) -> Self {
        let hash = 0xcbf2_9ce4_8422_2325;
        Self { detail, kept, hash, lines: VecDeque::new(), written: 0, scratch: String::new() }
    }

    /// Whether lines of this detail are kept: else they need not be made.
    pub(crate) fn wants(&self, detail: Detail) -> bool {
        self.detail as u8 >= detail as u8
    }

    /// How many lines there were, those that are not kept any more too.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// A hash of everything that happened, messages to the byte.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The last lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Takes the lines out.
    pub fn take_lines(&mut self) -> Vec<String> {
        self.lines.drain(..).collect()
    }

    /// FNV-1a; bytes are folded eight at a time.
    pub(crate) fn absorb(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.absorb_word(u64::from_le_bytes(word));
        }
        self.absorb_word(bytes.len() as u64);
    }

    pub(crate) fn absorb_word(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }

    /// An event or a fault.
    pub(crate) fn event(&mut self, at: Instant, line: fmt::Arguments<'_>) {
        self.write(Detail::Events, at, line);
    }

    /// A message.
    pub(crate) fn message(&mut self, at: Instant, line: fmt::Arguments<'_>) {
        self.write(Detail::Messages, at, line);
    }

    fn write(&mut self, detail: Detail, at: Instant, line: fmt::Arguments<'_>) {
        if !self.wants(detail) {
            return;
        }
        self.scratch.clear();
        let micros = at.as_micros();
        // Writing to a string cannot fail.
        let _ = write!(self.scratch, "{:>4}.{:03} ", micros / 1_000_000, micros / 1_000 % 1_000);
        let _ = self.scratch.write_fmt(line);
        if self.lines.len() >= self.kept {
            self.lines.pop_front();
        }
        self.written += 1;
        self.lines.push_back(self.scratch.clone());
    }
}
