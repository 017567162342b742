//! What goes to standard error: one line each.

use std::io::Write;
use std::process::ExitCode;

use tokio::task::spawn_blocking;

use crate::escape::escape;

/// Says a line about this program. A closed standard error leaves nobody to tell.
pub(crate) fn say(line: &str) {
    let line = format!("{}\n", escape(line));
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// As [`say`], while a node runs on this thread: whoever has stopped reading holds up only the
/// next line.
pub(crate) async fn tell(line: String) {
    let _ = spawn_blocking(move || say(&line)).await;
}

/// Says all of these lines at once, off this thread as [`tell`] does.
pub(crate) async fn tell_lines(lines: Vec<String>) {
    let text: String = lines.iter().map(|line| format!("{}\n", escape(line))).collect();
    let write = move || std::io::stderr().lock().write_all(text.as_bytes());
    let _ = spawn_blocking(write).await;
}

/// Says what went wrong.
pub(crate) fn complain(wrong: &str) {
    say(&format!("swimmer: {wrong}"));
}

/// Says what is wrong with the command line. Returns the exit code for that.
pub(crate) fn complain_of_usage(wrong: &str) -> ExitCode {
    complain(&format!("{wrong}; try 'swimmer --help'"));
    ExitCode::from(2)
}
