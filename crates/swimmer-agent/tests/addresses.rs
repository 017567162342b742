//! Agents on machines of their own, which are network namespaces: which address they tell, what they do
//! when it changes, and paths that lose long packets. They need root, `ip` and `tc`, and say so where
//! there is none.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use support::{Agent, swimmer, until};

/// Machines on one link, without a route to anywhere else. They do not outlive their test.
struct Lab {
    name: String,
    machines: u32,
    folder: tempfile::TempDir,
}

fn ip(arguments: &str) -> bool {
    let done = Command::new("ip").args(arguments.split(' ')).output();
    done.is_ok_and(|output| output.status.success())
}

impl Lab {
    /// So many machines at 10.81.0.1 and so on; `None`, and said, where they cannot be made.
    fn of(machines: u32) -> Option<Self> {
        static LABS: AtomicU32 = AtomicU32::new(0);
        let name = format!("sw{}x{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed));
        let lab = Self { name, machines, folder: tempfile::tempdir().unwrap() };
        let made = ip(&format!("netns add {}", lab.switch()))
            && ip(&format!("-n {} link add br0 type bridge", lab.switch()))
            && ip(&format!("-n {} link set br0 up", lab.switch()))
            && (1..=machines).all(|n| lab.make(n));
        if !made {
            println!("SKIPPED: no network namespaces can be made here (root, `ip`)");
            return None;
        }
        Some(lab)
    }

    fn make(&self, n: u32) -> bool {
        let (machine, switch) = (self.machine(n), self.switch());
        ip(&format!("netns add {machine}"))
            && ip(&format!("-n {switch} link add p{n} type veth peer name eth0 netns {machine}"))
            && ip(&format!("-n {switch} link set p{n} master br0 up"))
            && ip(&format!("-n {machine} addr add 10.81.0.{n}/16 dev eth0"))
            && ip(&format!("-n {machine} link set lo up"))
            && ip(&format!("-n {machine} link set eth0 up"))
    }

    fn switch(&self) -> String {
        format!("{}sw", self.name)
    }

    fn machine(&self, n: u32) -> String {
        format!("{}m{n}", self.name)
    }

    /// Packets of more bytes than this, headers of IP included, vanish on their way to any machine.
    fn lose_longer_than(&self, bytes: u32) -> bool {
        (1..=self.machines).all(|n| {
            let mut command = Command::new("tc");
            command.args(["-n", &self.switch(), "qdisc", "add", "dev", &format!("p{n}"), "root"]);
            // It drops what is longer than its bucket, the header of Ethernet included.
            command.args(["tbf", "rate", "1gbit", "limit", "1000000", "burst"]);
            command.arg((bytes + 14).to_string());
            command.output().is_ok_and(|output| output.status.success())
        })
    }

    /// The name server of this machine is one that never answers.
    fn silence_names(&self, n: u32) {
        let folder = PathBuf::from("/etc/netns").join(self.machine(n));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("resolv.conf"), "nameserver 10.81.0.250\n").unwrap();
    }

    fn start(&self, n: u32, listen: &str, seeds: &[&str], options: &[&str]) -> Agent {
        let program = swimmer();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.machine(n)]).arg(program.get_program());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        for (name, _) in program.get_envs().filter(|(_, value)| value.is_none()) {
            command.env_remove(name);
        }
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let folder: &Path = self.folder.path();
        command.args(["--profile", "local"]).args(options);
        command.arg(folder.join(format!("{n}"))).args(["test", listen]).args(seeds);
        Agent::run(command)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for n in 1..=self.machines {
            ip(&format!("netns del {}", self.machine(n)));
            let _ = fs::remove_dir_all(PathBuf::from("/etc/netns").join(self.machine(n)));
        }
        ip(&format!("netns del {}", self.switch()));
    }
}

#[test]
fn without_a_default_route_a_wildcard_tells_an_address_at_which_others_reach_it() {
    let Some(lab) = Lab::of(3) else { return };
    let first = lab.start(1, "0.0.0.0:7946", &[], &[]);
    assert_eq!(first.address(), "10.81.0.1:7946", "{}", first.start_line());
    // The usual list: the own host first.
    let second = lab.start(2, "[::]:7946", &["localhost:7946", "10.81.0.1:7946"], &[]);
    assert_eq!(second.address(), "10.81.0.2:7946", "{}", second.start_line());
    let third = lab.start(3, "127.0.0.1:7946", &["10.81.0.1:7946"], &[]);
    third.until_err("10.81.0.1:7946 refused us: the address that this node tells others");
    first.until_err("its record says 127.0.0.1:7946");
    first.until_out("joined    10.81.0.2:7946");
    assert!(first.out.having("127.0.0.1").is_empty());
}

#[test]
fn a_node_on_a_wildcard_follows_its_machine_to_another_address() {
    let Some(lab) = Lab::of(2) else { return };
    let first = lab.start(1, "0.0.0.0:7946", &[], &[]);
    let second = lab.start(2, "0.0.0.0:7946", &["10.81.0.1:7946"], &[]);
    first.until_out("joined    10.81.0.2:7946");
    second.until_out("joined    10.81.0.1:7946");
    assert!(ip(&format!("-n {} addr del 10.81.0.2/16 dev eth0", lab.machine(2))));
    assert!(ip(&format!("-n {} addr add 10.81.9.2/16 dev eth0", lab.machine(2))));
    second.until_err("this node is reached at 10.81.9.2:7946 from now on");
    until("the other has its new address, and it is alive", || {
        let lines = first.out.all();
        let last = lines.iter().rfind(|line| line.contains("10.81.9.2:7946  "))?;
        last.contains("  alive ").then_some(())
    });
}

#[test]
fn a_silent_name_server_does_not_hold_up_a_seed_that_is_an_address() {
    let Some(lab) = Lab::of(2) else { return };
    let _first = lab.start(1, "10.81.0.1:7946", &[], &[]);
    lab.silence_names(2);
    let seeds = ["gone.example:7946", "10.81.0.1:7946", "gone-too.example:7946"];
    for listen in ["10.81.0.2:7946", "0.0.0.0:7947"] {
        let started = std::time::Instant::now();
        let mut second = lab.start(2, listen, &seeds, &["--join-timeout", "4"]);
        second.until_err("10.81.0.1:7946 has taken this node in");
        assert!(started.elapsed().as_secs() < 4, "{:?}", started.elapsed());
        second.leave();
    }
}

#[test]
fn a_late_joiner_gets_a_long_table_over_a_path_that_loses_packets_above_1280_bytes() {
    let Some(lab) = Lab::of(3) else { return };
    if !lab.lose_longer_than(1_280) {
        println!("SKIPPED: `tc` cannot lose long packets here");
        return;
    }
    let tag = format!("k={}", "v".repeat(440));
    let options = ["--tag", &tag];
    let first = lab.start(1, "10.81.0.1:7946", &[], &options);
    let crowd = (1..=8).map(|n| {
        let folder = lab.folder.path().join(format!("crowd{n}"));
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &lab.machine(1), env!("CARGO_BIN_EXE_swimmer")]);
        command.args(["--profile", "local", "--tag", &tag]).arg(folder);
        command.args(["test", "10.81.0.1:0", &first.address()]);
        command.stdin(std::process::Stdio::null());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        Agent::run(command)
    });
    let _crowd: Vec<Agent> = crowd.collect();
    until("the first sees all", || (first.out.having("joined ").len() == 8).then_some(()));
    let late = lab.start(3, "10.81.0.3:7946", &[&first.address()], &options);
    until("the late one sees all", || (late.out.having("joined ").len() == 9).then_some(()));
    late.until_err("has taken this node in");
    assert!(late.out.having("suspected ").is_empty(), "{:?}", late.out.all());
}
