//! Seeds: addresses are known at once, names are looked up again and again, for a host may have moved.
//!
//! Each name is looked up by itself, and its addresses are handed over when they are known. So one
//! whose name server is silent holds up no other.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::notices::NoticeBoard;
use crate::event::Notice;

/// The first pause between two look-ups of a name; it doubles up to the last.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
const PAUSE_LAST: Duration = Duration::from_secs(30);
/// More addresses than this of one name are not tried.
const ADDRESSES_MAX: usize = 16;
/// So many names are looked up at once; each occupies a thread for as long as its name server is
/// silent.
const LOOKUPS_MAX: usize = 64;

/// What is no seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SeedError {
    /// It is no `host:port`.
    NoHostPort(String),
    /// It is an address with a zone.
    Zone(String),
}

/// By whom to join, as given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seeds {
    addresses: Vec<SocketAddr>,
    names: Vec<String>,
}

impl Seeds {
    /// Checks that each is a `host:port`; an error is the first that is not.
    pub(super) fn parse(
        seeds: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, SeedError> {
        let mut parsed = Self::default();
        for seed in seeds {
            let seed = seed.into();
            match parse_address(&seed) {
                Some(address) => parsed.addresses.push(address),
                None if seed.contains('%') => return Err(SeedError::Zone(seed)),
                None if is_host_port(&seed) => parsed.names.push(seed),
                None => return Err(SeedError::NoHostPort(seed)),
            }
        }
        Ok(parsed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.names.is_empty()
    }

    /// The addresses among them, which need no look-up, and the one that the name `localhost` has on
    /// all machines.
    pub(super) fn known(&self) -> impl Iterator<Item = SocketAddr> {
        let localhost = self.names.iter().filter_map(|name| localhost(name));
        self.addresses.iter().copied().chain(localhost)
    }

    /// Whether all of them are known without a look-up.
    pub(super) fn are_known(&self) -> bool {
        self.names.iter().all(|name| localhost(name).is_some())
    }
}

/// An address without a zone: who is given it could not use it anyway. One of IPv4 in IPv6's clothes
/// is one of IPv4.
fn parse_address(seed: &str) -> Option<SocketAddr> {
    let address: SocketAddr = seed.parse().ok()?;
    let plain = address.port() != 0 && !seed.contains('%');
    plain.then(|| SocketAddr::new(address.ip().to_canonical(), address.port()))
}

fn is_host_port(seed: &str) -> bool {
    let Some((host, port)) = seed.rsplit_once(':') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let port = port.parse::<u16>().is_ok_and(|port| port != 0);
    // What looks like an address, and is none, is not looked up as a name.
    let address = host.parse::<IpAddr>().is_ok();
    !host.is_empty() && host.chars().all(plain) && port && !address
}

fn localhost(name: &str) -> Option<SocketAddr> {
    let (host, port) = name.rsplit_once(':')?;
    let port = port.parse().ok().filter(|_| host.eq_ignore_ascii_case("localhost"))?;
    Some((std::net::Ipv4Addr::LOCALHOST, port).into())
}

/// The addresses of all seeds, as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) addresses: Vec<SocketAddr>,
    /// Whether each name was looked up, be it in vain.
    pub(super) complete: bool,
}

/// The addresses of all names, looked up once and at the same time, each as soon as it is known.
pub(super) fn look_up_once(seeds: &Seeds) -> mpsc::Receiver<Vec<SocketAddr>> {
    let (sender, receiver) = mpsc::channel(1);
    let gate = Arc::new(Semaphore::new(LOOKUPS_MAX));
    for name in seeds.names.iter().cloned() {
        let (sender, gate) = (sender.clone(), Arc::clone(&gate));
        tokio::spawn(async move {
            let _place = gate.acquire().await;
            if let Ok(found) = look_up(name).await {
                let _ = sender.send(found).await;
            }
        });
    }
    receiver
}

async fn look_up(name: String) -> io::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host(name).await?;
    Ok(found.take(ADDRESSES_MAX).collect())
}

/// What is known of a name.
struct Name {
    text: String,
    addresses: Vec<SocketAddr>,
    /// The pause before the next look-up.
    pause: Duration,
    looked_up: bool,
    /// Whether it was told that it has no address, or none that can be reached.
    told: bool,
}

/// Finds the addresses of seeds, for a node that listens at `listen` and reaches what `reaches` says.
pub(super) struct Finder<R> {
    addresses: Vec<SocketAddr>,
    names: Vec<Name>,
    listen: SocketAddr,
    reaches: R,
    notices: Arc<NoticeBoard>,
}

impl<R: Fn(SocketAddr) -> bool> Finder<R> {
    pub(super) fn new(
        seeds: Seeds,
        listen: SocketAddr,
        reaches: R,
        notices: Arc<NoticeBoard>,
    ) -> Self {
        let mut addresses = seeds.addresses;
        addresses.retain(|&address| {
            let reached = reaches(address);
            if !reached {
                notices.put(Notice::SeedUnreachable { seed: address.to_string(), listen });
            }
            reached
        });
        let names = seeds.names.into_iter().map(|text| Name {
            text,
            addresses: Vec::new(),
            pause: PAUSE_FIRST,
            looked_up: false,
            told: false,
        });
        Self { addresses, names: names.collect(), listen, reaches, notices }
    }

    /// Whether there is nothing to look up: addresses stay what they are.
    pub(super) fn is_done(&self) -> bool {
        self.names.is_empty()
    }

    /// What is known now. Addresses that were given go first, so that no name crowds them out.
    pub(super) fn found(&self) -> Found {
        let of_names = self.names.iter().flat_map(|name| &name.addresses);
        Found {
            addresses: self.addresses.iter().chain(of_names).copied().collect(),
            complete: self.names.iter().all(|name| name.looked_up),
        }
    }

    /// Looks all names up, again and again, and hands over what is known whenever that has changed,
    /// until nobody takes it any more.
    pub(super) async fn run(self, sink: mpsc::Sender<Found>) {
        self.run_by(look_up, sink).await;
    }

    async fn run_by<F>(mut self, look_up: impl Fn(String) -> F, sink: mpsc::Sender<Found>)
    where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        let gate = Arc::new(Semaphore::new(LOOKUPS_MAX));
        let mut lookups = JoinSet::new();
        let begin = |lookups: &mut JoinSet<_>, at: usize, name: &Name, pause: Duration| {
            let (gate, found) = (Arc::clone(&gate), look_up(name.text.clone()));
            lookups.spawn(async move {
                tokio::time::sleep(pause).await;
                let _place = gate.acquire().await;
                (at, found.await)
            });
        };
        for (at, name) in self.names.iter().enumerate() {
            begin(&mut lookups, at, name, Duration::ZERO);
        }
        let mut said = self.found();
        while let Some(looked_up) = lookups.join_next().await {
            // Look-ups neither panic nor are they aborted but together with this.
            let Ok((at, found)) = looked_up else { continue };
            self.take(at, found);
            let found = self.found();
            if found != said {
                said = found.clone();
                if sink.send(found).await.is_err() {
                    return;
                }
            }
            let name = &mut self.names[at];
            let pause = name.pause;
            name.pause = (pause * 2).min(PAUSE_LAST);
            begin(&mut lookups, at, name, pause);
        }
    }

    /// A name was looked up. What fails is where it was, as far as anybody knows.
    fn take(&mut self, at: usize, found: io::Result<Vec<SocketAddr>>) {
        let name = &mut self.names[at];
        name.looked_up = true;
        let seed = name.text.clone();
        let notice = match found {
            Ok(found) => {
                let reached = found.iter().copied().filter(|&address| (self.reaches)(address));
                name.addresses = reached.take(ADDRESSES_MAX).collect();
                // Name servers have another order each time.
                name.addresses.sort_unstable();
                let none = name.addresses.is_empty() && !found.is_empty();
                none.then_some(Notice::SeedUnreachable { seed, listen: self.listen })
            }
            Err(error) => Some(Notice::SeedUnresolved { seed, error: error.to_string() }),
        };
        if let Some(notice) = notice.filter(|_| !std::mem::replace(&mut name.told, true)) {
            self.notices.put(notice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_seed_is_a_host_and_a_port() {
        for good in ["localhost:1", "node-1.example.com:7946"] {
            let seeds = Seeds::parse([good]).unwrap();
            assert_eq!((seeds.names, seeds.addresses), (vec![good.to_owned()], vec![]));
        }
        for (good, plain) in [
            ("127.0.0.1:2552", "127.0.0.1:2552"),
            ("[::1]:2552", "[::1]:2552"),
            ("[::ffff:10.0.0.1]:7", "10.0.0.1:7"),
        ] {
            let seeds = Seeds::parse([good]).unwrap();
            assert_eq!((seeds.names, seeds.addresses), (vec![], vec![address(plain)]));
        }
        for bad in
            ["", "localhost", ":1", "localhost:0", "::1:1", "a b:1", "host:99999", "1.2.3.4:0"]
        {
            assert_eq!(Seeds::parse([bad]), Err(SeedError::NoHostPort(bad.to_owned())));
        }
        for zoned in ["[fe80::1%eth0]:7", "[fe80::1%2]:7", "fe80::1%eth0:7"] {
            assert_eq!(Seeds::parse([zoned]), Err(SeedError::Zone(zoned.to_owned())));
        }
    }

    /// Runs a finder of these seeds; a name beginning with `dead` is never answered, one with `gone`
    /// fails, and any other has two addresses.
    fn run(seeds: &[&str]) -> (mpsc::Receiver<Found>, Arc<NoticeBoard>, Found) {
        let notices = Arc::new(NoticeBoard::default());
        let seeds = Seeds::parse(seeds.iter().copied()).unwrap();
        let reaches = |address: SocketAddr| address.is_ipv4();
        let finder = Finder::new(seeds, address("0.0.0.0:7"), reaches, Arc::clone(&notices));
        let first = finder.found();
        let (sink, found) = mpsc::channel(1);
        let look_up = async |name: String| match &name[..4] {
            "dead" => std::future::pending().await,
            "gone" => Err(io::Error::other("no such name")),
            "six." => Ok(vec![address("[2001:db8::1]:7")]),
            _ => Ok(vec![address("[2001:db8::1]:7"), address("10.0.0.9:7")]),
        };
        tokio::spawn(finder.run_by(move |name| Box::pin(look_up(name)), sink));
        (found, notices, first)
    }

    #[tokio::test(start_paused = true)]
    async fn j1_a_silent_name_server_holds_up_neither_an_address_nor_another_name() {
        let seeds = ["dead-1.example:7", "10.0.0.1:7", "good.example:7", "dead-2.example:7"];
        let (mut found, _, first) = run(&seeds);
        assert_eq!(first.addresses, [address("10.0.0.1:7")], "an address is known at once");
        let next = found.recv().await.unwrap();
        assert_eq!(next.addresses, [address("10.0.0.1:7"), address("10.0.0.9:7")]);
        assert!(!first.complete && !next.complete, "some were never looked up");
    }

    #[tokio::test(start_paused = true)]
    async fn j1_names_were_all_looked_up_when_each_has_an_answer_be_it_a_failure() {
        let (mut found, notices, _) = run(&["gone.example:7", "good.example:7"]);
        while !found.recv().await.unwrap().complete {}
        let mut told = super::super::Notices::new(&notices);
        assert!(
            matches!(told.try_recv(), Ok(Notice::SeedUnresolved { seed, .. }) if seed == "gone.example:7")
        );
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(told.try_recv().ok(), None, "it is told once");
        assert!(found.try_recv().is_err(), "and what stays as it is is not handed over");
    }

    #[tokio::test(start_paused = true)]
    async fn j1_a_seed_of_a_family_that_is_not_reached_is_told_and_not_tried() {
        let (mut found, notices, first) = run(&["[::1]:7", "six.example:7"]);
        assert_eq!(first.addresses, []);
        let found = found.recv().await.unwrap();
        assert_eq!(found, Found { addresses: vec![], complete: true });
        let mut told = super::super::Notices::new(&notices);
        let listen = address("0.0.0.0:7");
        for seed in ["[::1]:7", "six.example:7"] {
            let seed = seed.to_owned();
            assert_eq!(told.try_recv(), Ok(Notice::SeedUnreachable { seed, listen }));
        }
    }
}
