//! What a panic has said.

use std::any::Any;
use std::cell::RefCell;
#[cfg(feature = "cli")]
use std::panic;

thread_local! {
    /// What the last panic of this thread has said, and where.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on panics are not printed, but kept to be reported with the seed that led to them.
#[cfg(feature = "cli")]
pub(crate) fn keep_quiet() {
    panic::set_hook(Box::new(|info| {
        LAST.with_borrow_mut(|last| *last = Some(info.to_string().replace('\n', " ")));
    }));
}

/// The words of a panic that was caught on this thread.
pub(crate) fn words(cause: &(dyn Any + Send)) -> String {
    LAST.take().unwrap_or_else(|| {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| cause.downcast_ref::<&str>().copied());
        text.unwrap_or("without words").to_owned()
    })
}
