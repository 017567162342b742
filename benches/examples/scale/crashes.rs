//! Agents that are dropped one after the other, and when the others hold each dead.

use std::time::{Duration, Instant};

use benches::{Deaths, load};
use swimmer::{Change, Cluster, Event, NodeId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout_at};

use crate::measure::{PATIENCE, Result, Setup, all_see_all, say, settle, until};

/// Deaths that wait to be counted.
const SEEN_MAX: usize = 1_024;

/// An agent holds a member dead since this moment.
struct Seen {
    observer: NodeId,
    dead: NodeId,
    at: Instant,
}

/// Drops agents one after the other, each replaced after its death, and measures when the others hold
/// it dead.
///
/// # Errors
/// When a death is not known to all in time.
pub(crate) async fn measure(
    agents: &mut Vec<Cluster>,
    count: usize,
    within: Option<f64>,
    setup: &Setup,
) -> Result<()> {
    let mut crashes = Crashes::new();
    agents.iter().for_each(|agent| crashes.watch(agent));
    for number in 0..count {
        settle(agents, setup).await?;
        // At different moments of the period.
        sleep(Duration::from_millis(270 * number as u64 % 1_000)).await;
        let stalls = stalls(agents);
        let victim = agents.remove(1 + number * 7 % (agents.len() - 1));
        let line = crashes.drop_one(victim, agents.len()).await?;
        let stalls = self::stalls(agents).saturating_sub(stalls);
        say(&format!("  death {number:>2}: {line}; load {}, {stalls} stalls", load()));
        let next = setup.start(agents, agents.len() + 1 + number).await?;
        crashes.watch(&next);
        agents.push(next);
        until("all see the new one", || all_see_all(agents)).await?;
    }
    crashes.deaths.summary().iter().for_each(|line| say(&format!("  {line}")));
    if let Some(within) = within {
        crashes.deaths.check(within)?;
    }
    Ok(())
}

/// Times that agents stood still: the machine's doing, not the protocol's.
fn stalls(agents: &[Cluster]) -> u64 {
    agents.iter().map(|agent| agent.stats().membership.stalls).sum()
}

/// The deaths that the agents see.
struct Crashes {
    deaths: Deaths,
    seen: mpsc::Receiver<Seen>,
    sender: mpsc::Sender<Seen>,
    watchers: JoinSet<()>,
}

impl Crashes {
    fn new() -> Self {
        let (sender, seen) = mpsc::channel(SEEN_MAX);
        Self { deaths: Deaths::default(), seen, sender, watchers: JoinSet::new() }
    }

    /// Collects the deaths that this agent sees, until it is dropped.
    fn watch(&mut self, agent: &Cluster) {
        let (observer, mut events, sender) = (agent.id(), agent.subscribe(), self.sender.clone());
        self.watchers.spawn(async move {
            while let Some(update) = events.recv().await {
                if let Change::Event(Event::Down(member, _)) = update.change {
                    let seen = Seen { observer, dead: member.id, at: Instant::now() };
                    if sender.send(seen).await.is_err() {
                        return;
                    }
                }
            }
        });
    }

    /// Drops an agent and waits until `others` agents hold it dead.
    async fn drop_one(&mut self, victim: Cluster, others: usize) -> Result<String> {
        while let Ok(seen) = self.seen.try_recv() {
            self.on_seen(seen);
        }
        let dropped = Instant::now();
        self.deaths.kill(victim.id(), dropped);
        drop(victim);
        while self.deaths.known_to() < others {
            match timeout_at((dropped + PATIENCE).into(), self.seen.recv()).await {
                Ok(Some(seen)) => self.on_seen(seen),
                _ => return Err("a death was not seen".into()),
            }
        }
        Ok(self.deaths.end())
    }

    fn on_seen(&mut self, Seen { observer, dead, at }: Seen) {
        if self.deaths.saw(observer, dead, at) {
            say(&format!("  false death: {observer} holds {dead} dead"));
        }
    }
}
