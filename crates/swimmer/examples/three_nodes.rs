//! Three nodes in one process: they find each other, and one says goodbye.
//!
//! ```sh
//! cargo run -p swimmer --example three_nodes
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;

use swimmer::{Builder, Change, Cluster, Event, Profile};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // The first node needs nobody. The others join by it; one address is enough to meet all.
    let first = node("first").start().await?;
    let seed = first.local_addr().to_string();
    let second = node("second").seeds([&seed]).start().await?;
    let third = node("third").seeds([&seed]).start().await?;

    for node in [&first, &second, &third] {
        until_all_are_there(node, 3).await;
        let members = node.members();
        let others: Vec<&str> = members.others().map(|member| &*member.name).collect();
        println!("{} sees {}", node.local().name, others.join(" and "));
    }

    // A leave is told, not guessed: nobody has to find out by a silence.
    let mut events = first.subscribe();
    let report = third.leave().await?;
    println!("third leaves; {} of {} peers know already", report.acknowledged, report.told);
    while let Some(update) = events.recv().await {
        if let Change::Event(Event::Left(member)) = update.change {
            println!("first sees that {} has left", member.name);
            break;
        }
    }
    until_all_are_there(&first, 2).await;
    println!("{} members remain", first.members().present_count());
    Ok(())
}

/// A node on a port that the system chooses, with timing for one machine.
fn node(name: &str) -> Builder {
    let listen = ([127, 0, 0, 1], 0).into();
    Cluster::builder("example").listen(listen).name(name).profile(Profile::Local)
}

/// Waits until `node` sees so many members, itself included.
async fn until_all_are_there(node: &Cluster, count: usize) {
    let mut events = node.subscribe();
    while node.members().present_count() != count && events.recv().await.is_some() {}
}
