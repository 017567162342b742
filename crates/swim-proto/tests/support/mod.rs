//! What the test files share. Each file uses some of it.
#![allow(dead_code)]

pub(crate) mod absurd;
pub(crate) mod any;
pub(crate) mod sizes;
pub(crate) mod vectors;
pub(crate) mod wire;
