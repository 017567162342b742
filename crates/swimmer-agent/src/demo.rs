//! A whole cluster in one process on loopback, broken and mended before your eyes.

mod node;
mod script;
mod view;

use std::process::ExitCode;

use crate::args::DemoArgs;
use crate::report::complain;

/// Runs the demo. It ends by itself; the exit code says whether all was seen by all.
pub(crate) fn main(args: &DemoArgs) -> ExitCode {
    match script::play(usize::from(args.nodes)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}
