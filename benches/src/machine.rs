//! What else the machine does.

/// The load of the machine in the last minute, where the system tells it.
pub fn load() -> String {
    let averages = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    averages.split_whitespace().next().unwrap_or("unknown").into()
}
