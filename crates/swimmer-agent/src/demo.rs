use crate::args::DemoArgs;
use std::process::ExitCode;
pub(crate) fn main(_args: &DemoArgs) -> ExitCode {
    ExitCode::FAILURE
}
