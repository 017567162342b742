//! Seeds by name: resolved again and again, for whoever is looked for may have moved.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::notices::NoticeBoard;
use crate::event::Notice;

/// The first pause between two resolutions; it doubles up to the last.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
const PAUSE_LAST: Duration = Duration::from_secs(30);
/// More addresses than this of one name are not tried.
const ADDRESSES_MAX: usize = 16;

/// Checks that each seed is a `host:port`; an error is the first that is not.
pub(super) fn parse(
    seeds: impl IntoIterator<Item = impl Into<String>>,
) -> Result<Vec<String>, String> {
    let seeds = seeds.into_iter().map(Into::into);
    seeds.map(|seed| if is_host_port(&seed) { Ok(seed) } else { Err(seed) }).collect()
}

fn is_host_port(seed: &str) -> bool {
    if seed.parse::<SocketAddr>().is_ok_and(|address| address.port() != 0) {
        return true;
    }
    let Some((host, port)) = seed.rsplit_once(':') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !host.is_empty() && host.chars().all(plain) && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// The addresses of all seeds; what cannot be resolved is reported once.
pub(super) async fn resolve(seeds: &[String], notices: &NoticeBoard) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for seed in seeds {
        match tokio::net::lookup_host(seed).await {
            Ok(found) => addresses.extend(found.take(ADDRESSES_MAX)),
            Err(error) => {
                let (seed, error) = (seed.clone(), error.to_string());
                notices.put(Notice::SeedUnresolved { seed, error });
            }
        }
    }
    addresses
}

/// Whether there is a name among the seeds: addresses need no second look.
fn has_names(seeds: &[String]) -> bool {
    seeds.iter().any(|seed| seed.parse::<SocketAddr>().is_err())
}

/// Resolves again and again, and hands the addresses to the loop, until it hangs up.
pub(super) async fn keep_resolving(
    seeds: Vec<String>,
    notices: Arc<NoticeBoard>,
    found: mpsc::Sender<Vec<SocketAddr>>,
) {
    let mut pause = PAUSE_FIRST;
    // The first failure is told by whoever resolved first; later ones would only repeat it.
    let quiet = NoticeBoard::default();
    let mut first = true;
    loop {
        let board = if first { &*notices } else { &quiet };
        let addresses = resolve(&seeds, board).await;
        first = false;
        if found.send(addresses).await.is_err() || !has_names(&seeds) {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_LAST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_host_and_a_port() {
        for good in ["127.0.0.1:2552", "[::1]:2552", "localhost:1", "node-1.example.com:7946"] {
            assert_eq!(parse([good]), Ok(vec![good.to_owned()]));
        }
        for bad in
            ["", "localhost", ":1", "localhost:0", "::1:1", "a b:1", "host:99999", "1.2.3.4:0"]
        {
            assert_eq!(parse([bad]), Err(bad.to_owned()));
        }
    }
}
