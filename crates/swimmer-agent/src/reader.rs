//! Whoever reads standard output: when it hangs up, nobody is left to print for.

/// Waits until the other end of standard output is closed, where it is a pipe or a terminal. The
/// next event would tell, too, but it may be days away.
#[cfg(unix)]
pub(crate) async fn gone() {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::retry_on_intr;

    let hung_up = tokio::task::spawn_blocking(|| {
        let output = std::io::stdout();
        // A hang-up is always told; nothing else is asked for.
        let mut polled = [PollFd::new(&output, PollFlags::empty())];
        let told = PollFlags::ERR | PollFlags::HUP;
        retry_on_intr(|| poll(&mut polled, None)).is_ok() && polled[0].revents().intersects(told)
    });
    // What cannot be watched may still be written to.
    if !matches!(hung_up.await, Ok(true)) {
        std::future::pending().await
    }
}

#[cfg(not(unix))]
pub(crate) async fn gone() {
    std::future::pending().await
}
