//! One agent: it tells on its standard output what it sees, and ends with its standard input.

use std::io::Read;

use swim_transport::{Faulty, UdpTcp};
use swimmer::{Change, Cluster, Event, Profile};

use crate::line::Line;
use crate::{Result, say};

/// Runs until the standard input ends.
pub(crate) fn run(join: &str, profile: Profile, loss: u32, seed: u64) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The thread ends with the process.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    runtime.block_on(tell(join, profile, loss, seed))
}

async fn tell(join: &str, profile: Profile, loss: u32, seed: u64) -> Result<()> {
    let transport = Faulty::new(UdpTcp::bind("127.0.0.1:0".parse()?).await?, seed);
    transport.control().lose_on_receipt(10 * loss);
    let builder = Cluster::builder("processes").profile(profile).transport(transport);
    let seeds = (join != "first").then_some(join);
    let agent = builder.seeds(seeds).start().await?;
    let mut events = agent.subscribe();
    say(&Line::Ready(agent.id(), agent.local_addr()).to_string());
    let mut present = agent.members().present_count();
    say(&Line::Present(present).to_string());
    while let Some(update) = events.recv().await {
        if let Change::Event(Event::Down(member, _)) = update.change {
            say(&Line::Down(member.id).to_string());
        }
        let count = agent.members().present_count();
        if count != present {
            present = count;
            say(&Line::Present(present).to_string());
        }
    }
    Ok(())
}
