//! A whole cluster in one process on loopback, broken and mended before your eyes.

mod node;
mod script;
mod view;
mod witness;

use std::io;
use std::process::ExitCode;

use tokio::task::spawn_blocking;

use crate::args::DemoArgs;
use crate::report::complain;
use crate::signals::Signals;

/// Runs the demo. It ends by itself; the exit code says whether all was seen by all.
pub(crate) fn main(args: &DemoArgs) -> ExitCode {
    run(usize::from(args.nodes)).unwrap_or_else(|error| {
        complain(&error.to_string());
        ExitCode::FAILURE
    })
}

/// The folder is removed however it ends, so signals are waited for here.
fn run(count: usize) -> io::Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        let mut signals = Signals::new()?;
        let played = spawn_blocking(move || script::play(count, &path));
        tokio::select! {
            signal = signals.next() => Ok(ExitCode::from(signal)),
            played = played => match played?.map_err(io::Error::other)? {
                true => Ok(ExitCode::SUCCESS),
                false => Ok(ExitCode::FAILURE),
            },
        }
    });
    runtime.shutdown_background();
    folder.close()?;
    code
}
