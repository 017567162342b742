//! What goes to standard error: one line each.

use std::io::Write;

use crate::escape::escape;

/// Says a line about this program. A closed standard error leaves nobody to tell.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", escape(line));
}

/// Says what went wrong.
pub(crate) fn complain(wrong: &str) {
    say(&format!("swimmer: {wrong}"));
}
