//! What the tests of the program share: processes that always end, and waiting that ends.

// Not every test file uses all of it, and lints know tests by their attribute only.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than anything takes that works, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The program, without the variables of whoever runs the tests.
pub(crate) fn swimmer() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_swimmer"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SWIMMER_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Looks again and again until `done` gives something, and fails after a while.
pub(crate) fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = done() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Lines as a thread reads them.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn read(source: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let sink = lines.clone();
        std::thread::spawn(move || {
            let mut source = BufReader::new(source);
            let mut line = Vec::new();
            while source.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                let text = String::from_utf8(std::mem::take(&mut line)).expect("UTF-8");
                sink.0.lock().unwrap().push(text);
            }
        });
        lines
    }

    /// All so far, each without its end.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|line| line.trim_end_matches('\n').into()).collect()
    }

    pub(crate) fn having(&self, part: &str) -> Vec<String> {
        self.all().into_iter().filter(|line| line.contains(part)).collect()
    }
}

/// A running agent. It does not outlive its test.
pub(crate) struct Agent {
    child: Child,
    pub(crate) out: Lines,
    pub(crate) err: Lines,
    unread: Option<ChildStdout>,
}

impl Agent {
    /// Starts an agent of the cluster `test` on loopback, at a port that the system chooses.
    pub(crate) fn start(folder: &Path, seeds: &[&str], options: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", folder, seeds, options)
    }

    pub(crate) fn start_at(listen: &str, folder: &Path, seeds: &[&str], options: &[&str]) -> Self {
        let mut command = swimmer();
        command.args(["--profile", "local"]).args(options);
        command.arg(folder).args(["test", listen]).args(seeds);
        Self::run(command)
    }

    /// Runs an agent, and waits until it has said that it runs.
    pub(crate) fn run(command: Command) -> Self {
        let mut agent = Self::run_unread(command);
        agent.read();
        agent
    }

    /// As [`run`](Self::run), but nobody reads its standard output yet.
    pub(crate) fn run_unread(command: Command) -> Self {
        let mut agent = Self::spawn(command);
        until("the start line", || {
            if let Some(status) = agent.child.try_wait().unwrap() {
                panic!("it ended with {status}: {:?}", agent.err.all());
            }
            agent.err.having(" preset ").first().map(drop)
        });
        agent
    }

    /// Runs anything, and waits for nothing.
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let unread = child.stdout.take();
        let err = Lines::read(child.stderr.take().unwrap());
        Self { child, out: Lines::default(), err, unread }
    }

    pub(crate) fn read(&mut self) {
        self.out = Lines::read(self.unread.take().expect("read only once"));
    }

    /// Closes the reading end of its standard output.
    pub(crate) fn stop_reading(&mut self) {
        self.unread = None;
    }

    pub(crate) fn start_line(&self) -> String {
        self.err.having(" preset ")[0].clone()
    }

    /// What the start line says after this word.
    pub(crate) fn says(&self, word: &str) -> String {
        let line = self.start_line();
        let mut words = line.split(' ').skip_while(|&found| found != word);
        words.nth(1).unwrap_or_else(|| panic!("no {word} in {line}")).to_owned()
    }

    pub(crate) fn address(&self) -> String {
        self.says("address")
    }

    /// The first 8 characters of its id, as text output has it.
    pub(crate) fn short_id(&self) -> String {
        self.says("id")[..8].to_owned()
    }

    pub(crate) fn until_out(&self, part: &str) -> String {
        until(part, || self.out.having(part).first().cloned())
    }

    pub(crate) fn until_err(&self, part: &str) -> String {
        until(part, || self.err.having(part).first().cloned())
    }

    /// Its events so far; each line must be one.
    pub(crate) fn events(&self) -> Vec<Value> {
        let parse =
            |line: &String| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}"));
        self.out.all().iter().map(parse).collect()
    }

    /// Waits for an event of this kind, and returns the first.
    pub(crate) fn until_event(&self, kind: &str) -> Value {
        until(kind, || self.events().into_iter().find(|event| event["event"] == kind))
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("its end", || self.child.try_wait().unwrap())
    }

    /// Asks it to leave, and waits for its end.
    pub(crate) fn leave(&mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{:?}", self.err.all());
        self.until_err("left; ");
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}\n{}", self.err.all().join("\n"), self.out.all().join("\n"));
        }
    }
}

/// Runs a command that ends by itself, and fails if it does not.
pub(crate) fn output(mut command: Command, patience: Duration) -> Output {
    let mut child = command.spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read_out = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).map(|_| bytes)
    });
    let read_err = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).map(|_| bytes)
    });
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > patience {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("not in time: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let (stdout, stderr) = (read_out.join().unwrap().unwrap(), read_err.join().unwrap().unwrap());
    Output { status, stdout, stderr }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A port that was free on both planes a moment ago.
pub(crate) fn free_port() -> u16 {
    until("a free port", || {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = tcp.local_addr().unwrap();
        std::net::UdpSocket::bind(address).ok().map(|_| address.port())
    })
}
