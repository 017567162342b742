//! What happens in the demo, and how long everyone takes to see it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use swimmer::{NodeId, State, block_on};

use super::node::DemoNode;
use super::view::{LEGEND, Views};
use super::witness::Witness;
use crate::table::table;
use crate::text::colour_wanted;

/// How often everyone's view is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// A rest between two steps, for whoever reads along.
const REST: Duration = Duration::from_secs(1);
/// How long a change may take to be seen by all: whoever has lost most of the others judges nobody
/// for 10 s, and then alone.
const PATIENCE: Duration = Duration::from_secs(35);
/// How long all of it may take: what is not seen by then will not be waited for.
const PLAY_MAX: Duration = Duration::from_secs(110);

/// One thing that was to be seen, and how it came out: after how long, or how often.
struct Outcome {
    what: String,
    measured: String,
    good: bool,
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
    script.restart(&killed)?;
    script.rest();
    script.pause();
    script.rest();
    script.split();
    script.rest();
    script.heal();
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
        self.watch(&format!("{name} killed: the first holds it dead"), started, |views| {
            views.any_holds(id, State::Dead)
        });
        self.watch(&format!("{name} killed: all others hold it dead"), started, |views| {
            views.all_hold(id, State::Dead)
        });
        self.show_death(id);
        name
    }

    /// One node's record of a death.
    fn show_death(&mut self, id: NodeId) {
        let observer = &self.nodes[0];
        let members = observer.cluster.members();
        let Some(death) = members.death(id) else { return };
        let name_of = |id: &NodeId| {
            let column = self.columns.iter().find(|(_, column)| column == id);
            column.map_or_else(|| id.to_string(), |(name, _)| name.clone())
        };
        let accusers: Vec<String> = death.accusers.iter().map(name_of).collect();
        let (accusers, path) = (accusers.join(", "), death.path.as_str());
        let time = death.suspected_for.unwrap_or_default().as_secs_f64();
        let record =
            format!("{} by {path}, suspected for {time:.2} s, by {accusers}", observer.name);
        self.show(&format!("the record of it at {record}\n"));
    }

    fn pause(&mut self) {
        let (name, id) = (self.nodes[2].name.clone(), self.nodes[2].id());
        let accusations = |script: &Self| {
            let counted = script.nodes[2].cluster.stats().membership;
            counted.suspicions_raised + counted.deaths_declared
        };
        let before = accusations(self);
        self.say(&format!("Pausing {name}: its thread is blocked, as that of a stopped process."));
        let pause = self.nodes[2].pause();
        self.watch(&format!("{name} paused: all others hold it dead"), Instant::now(), |views| {
            views.all_hold(id, State::Dead)
        });
        self.say(&format!("{name} goes on. It learns what the others think, and refutes it."));
        drop(pause);
        self.watch(&format!("{name} goes on: all see all"), Instant::now(), Views::all_see_all);
        self.rest();
        let raised = accusations(self) - before;
        self.count(raised, &format!("accusations by {name}, which has heard nobody for so long"));
    }

    /// Cuts the first half off from the second.
    fn split(&mut self) {
        let (left, right) = self.halves();
        let names = |nodes: &[DemoNode]| {
            let names: Vec<&str> = nodes.iter().map(|node| &*node.name).collect();
            names.join(" ")
        };
        let (one, other) = self.nodes.split_at(left.len());
        let between = format!("{} | {}", names(one), names(other));
        for (from, to) in [(one, other), (other, one)] {
            for node in from {
                to.iter().for_each(|other| node.faults.cut_to(other.address()));
            }
        }
        self.say(&format!(
            "Splitting the network: {between}. Who has lost many at once waits before it judges."
        ));
        self.watch("network split: each half holds the other dead", Instant::now(), |views| {
            views.hold(&left, &right, State::Dead) && views.hold(&right, &left, State::Dead)
        });
    }

    fn halves(&self) -> (Vec<NodeId>, Vec<NodeId>) {
        let ids: Vec<NodeId> = self.nodes.iter().map(DemoNode::id).collect();
        let (left, right) = ids.split_at(ids.len() / 2);
        (left.to_vec(), right.to_vec())
    }

    fn heal(&mut self) {
        self.say("Healing the network: nobody calls, the halves find each other.");
        let mut witness = Witness::of(&self.nodes);
        let started = Instant::now();
        self.nodes.iter().for_each(|node| node.faults.heal());
        self.watch("network healed: all see all", started, Views::all_see_all);
        self.watch("network healed: all have said so", started, |_| witness.all_healed());
        self.rest();
        self.count(witness.deaths() as u64, "deaths by the healing");
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
        let rows = self
            .outcomes
            .iter()
            .map(|outcome| vec![outcome.measured.clone(), outcome.what.clone()]);
        let rows: Vec<Vec<String>> = rows.collect();
        print(&format!("\nWhat was seen:\n{}", table(&rows)));
        let good = self.outcomes.iter().all(|outcome| outcome.good);
        let verdict = if good { "All was as it should be" } else { "Something went wrong" };
        print(&format!("{verdict}, in {:.1} s.\n", self.started.elapsed().as_secs_f64()));
        good
    }

    /// Shows views as they change until `done`, and notes how long that took.
    fn watch(&mut self, what: &str, started: Instant, mut done: impl FnMut(&Views) -> bool) {
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
        let measured = seen_after.map_or_else(|| "NOT SEEN".into(), seconds);
        self.show(&format!("{what}, after {}\n", measured.trim_start()));
        self.outcomes.push(Outcome { what: what.into(), measured, good: seen_after.is_some() });
    }

    /// Notes how often something happened that must not.
    fn count(&mut self, count: u64, what: &str) {
        self.show(&format!("{count} {what}\n"));
        let measured = format!("{count:6}  ");
        self.outcomes.push(Outcome { what: what.into(), measured, good: count == 0 });
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
