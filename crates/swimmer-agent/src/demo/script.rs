//! What happens in the demo, and how long everyone takes to see it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use swimmer::{NodeId, State, block_on};

use super::node::DemoNode;
use super::view::{LEGEND, Views};
use crate::table::table;
use crate::text::colour_wanted;

/// How often everyone's view is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// A rest between two steps, for whoever reads along.
const REST: Duration = Duration::from_secs(1);
/// How long a change may take to be seen by all.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long all of it may take: what is not seen by then will not be waited for.
const PLAY_MAX: Duration = Duration::from_secs(100);

/// One thing that was done, and how long all took to see it; `None`: they did not.
struct Outcome {
    what: String,
    seen_after: Option<Duration>,
}

struct Script<'a> {
    folder: &'a Path,
    nodes: Vec<DemoNode>,
    /// Every member there ever was.
    columns: Vec<(String, NodeId)>,
    shown: Views,
    outcomes: Vec<Outcome>,
    started: Instant,
    colour: bool,
}

/// Plays the demo with so many nodes, four at least, whose data is kept in `folder`. Returns
/// whether all was seen by all.
pub(super) fn play(count: usize, folder: &Path) -> Result<bool, String> {
    let mut script = Script {
        folder,
        nodes: Vec::new(),
        columns: Vec::new(),
        shown: Views::of(&[], &[]),
        outcomes: Vec::new(),
        started: Instant::now(),
        colour: colour_wanted(),
    };
    script.start_all(count)?;
    script.rest();
    let killed = script.kill();
    script.rest();
    script.pause();
    script.rest();
    script.cut();
    script.rest();
    script.heal();
    script.rest();
    script.restart(&killed)?;
    script.rest();
    script.leave();
    Ok(script.finish())
}

impl Script<'_> {
    fn start_all(&mut self, count: usize) -> Result<(), String> {
        self.say(&format!(
            "A cluster of {count} nodes, each with sockets and a thread of its own."
        ));
        print(&format!("{LEGEND}\n"));
        let started = Instant::now();
        let mut seed: Option<SocketAddr> = None;
        for number in 1..=count {
            let node = DemoNode::start(&format!("n{number}"), self.folder, seed)?;
            seed = seed.or(Some(node.address()));
            self.columns.push((node.name.clone(), node.id()));
            self.nodes.push(node);
        }
        self.watch("all started: all see all", started, Views::all_see_all);
        Ok(())
    }

    fn kill(&mut self) -> String {
        let victim = self.nodes.remove(self.nodes.len() - 1);
        let (name, id) = (victim.name.clone(), victim.id());
        self.say(&format!("Killing {name}: it ends without a word."));
        let started = Instant::now();
        victim.kill();
        self.watch(&format!("{name} killed: all others hold it dead"), started, |views| {
            views.all_hold(id, State::Dead)
        });
        name
    }

    fn pause(&mut self) {
        let (name, id) = (self.nodes[2].name.clone(), self.nodes[2].id());
        self.say(&format!("Pausing {name}: its thread is blocked, as that of a stopped process."));
        let pause = self.nodes[2].pause();
        self.watch(&format!("{name} paused: all others doubt it"), Instant::now(), |views| {
            views.all_doubt(id)
        });
        self.say(&format!("{name} goes on. It learns what the others think, and refutes it."));
        drop(pause);
        self.watch(&format!("{name} goes on: all see all"), Instant::now(), Views::all_see_all);
    }

    fn cut(&mut self) {
        let (name, id) = (self.nodes[1].name.clone(), self.nodes[1].id());
        self.say(&format!("Cutting {name} off: nothing reaches it, nothing comes out."));
        self.nodes[1].faults.isolate();
        self.watch(&format!("{name} cut off: all others hold it dead"), Instant::now(), |views| {
            views.all_hold(id, State::Dead)
        });
    }

    fn heal(&mut self) {
        let name = self.nodes[1].name.clone();
        self.say(&format!("Healing the cut: nobody calls, {name} and the others find each other."));
        self.nodes[1].faults.heal();
        self.watch(&format!("{name} healed: all see all"), Instant::now(), Views::all_see_all);
    }

    fn restart(&mut self, name: &str) -> Result<(), String> {
        self.say(&format!(
            "Starting {name} again: the same data folder, another port, and no seed to join by."
        ));
        let started = Instant::now();
        let node = DemoNode::start(name, self.folder, None)?;
        self.nodes.push(node);
        self.watch(&format!("{name} restarted: all see all"), started, Views::all_see_all);
        Ok(())
    }

    fn leave(&mut self) {
        let leaver = &self.nodes[0];
        let (name, id) = (leaver.name.clone(), leaver.id());
        self.say(&format!("{name} leaves gently."));
        let started = Instant::now();
        let report = block_on(self.nodes[0].cluster.leave());
        if let Ok(report) = report {
            let (acknowledged, told) = (report.acknowledged, report.told);
            self.show(&format!("{acknowledged} of {told} peers that it told confirm\n"));
        }
        self.watch(&format!("{name} left: all others hold it left"), started, |views| {
            views.all_hold(id, State::Left)
        });
    }

    /// Stops everything, and says how it went.
    fn finish(mut self) -> bool {
        for node in self.nodes.drain(..) {
            node.kill();
        }
        let rows = self.outcomes.iter().map(|outcome| {
            let time = outcome.seen_after.map_or_else(|| "NOT SEEN".into(), seconds);
            vec![time, outcome.what.clone()]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        print(&format!("\nSeen by all after:\n{}", table(&rows)));
        let good = self.outcomes.iter().all(|outcome| outcome.seen_after.is_some());
        let verdict = if good { "All was seen by all" } else { "Something was not seen in time" };
        print(&format!("{verdict}, in {:.1} s.\n", self.started.elapsed().as_secs_f64()));
        good
    }

    /// Shows views as they change until `done`, and notes how long that took.
    fn watch(&mut self, what: &str, started: Instant, done: impl Fn(&Views) -> bool) {
        let deadline = (Instant::now() + PATIENCE).min(self.started + PLAY_MAX);
        let seen_after = loop {
            let views = self.look();
            if done(&views) {
                break Some(started.elapsed());
            }
            if Instant::now() > deadline {
                break None;
            }
        };
        let time = seen_after.map_or_else(|| "NOT SEEN".into(), seconds);
        self.show(&format!("{what}, after {}\n", time.trim_start()));
        self.outcomes.push(Outcome { what: what.to_owned(), seen_after });
    }

    /// Shows views as they change for a while.
    fn rest(&mut self) {
        let started = Instant::now();
        while started.elapsed() < REST {
            self.look();
        }
    }

    fn look(&mut self) -> Views {
        sleep(LOOK);
        let views = Views::of(&self.nodes, &self.columns);
        if let Some(picture) = views.draw_changes(&self.shown, self.colour) {
            self.show(&picture);
        }
        self.shown = views.clone();
        views
    }

    fn say(&self, what: &str) {
        print(&format!("\n{} {what}\n", seconds(self.started.elapsed())));
    }

    /// Shows lines beside the time.
    fn show(&self, lines: &str) {
        let mut margin = seconds(self.started.elapsed());
        let mut text = String::new();
        for line in lines.lines() {
            text.push_str(&format!("{margin}   {line}\n"));
            margin = " ".repeat(margin.len());
        }
        print(&text);
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:6.2} s", duration.as_secs_f64())
}

/// A closed standard output leaves nobody to show it to; the exit code still tells.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
