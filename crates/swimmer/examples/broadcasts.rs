//! Three ways to say something: to all by gossip, to one by a datagram, to one with a receipt.
//!
//! ```sh
//! cargo run -p swimmer --example broadcasts
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;

use swimmer::{Builder, Change, Cluster, Delivery, Event, Profile, Subscription};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let speaker = node("speaker").start().await?;
    let seed = speaker.local_addr().to_string();
    let anna = node("anna").seeds([&seed]).start().await?;
    let bert = node("bert").seeds([&seed]).start().await?;
    for node in [&speaker, &anna, &bert] {
        let mut events = node.subscribe();
        while node.members().present_count() < 3 && events.recv().await.is_some() {}
    }

    let mut at_anna = anna.subscribe();
    let mut at_bert = bert.subscribe();

    // To all: rides on the pings that are sent anyway, at most 512 bytes, once to each.
    speaker.broadcast("cache cleared").await?;
    println!("anna hears {}", next_message(&mut at_anna).await);
    println!("bert hears {}", next_message(&mut at_bert).await);

    // To one: a datagram, which may be lost.
    speaker.send(anna.id(), "are you busy?").await?;
    println!("anna hears {}", next_message(&mut at_anna).await);

    // To one, over the reliable plane: at most 65,472 bytes, and it returns when they have come.
    speaker.send_reliable(bert.id(), "the plan for today").await?;
    println!("bert has it, says the receipt");
    println!("bert hears {}", next_message(&mut at_bert).await);
    Ok(())
}

fn node(name: &str) -> Builder {
    let listen = ([127, 0, 0, 1], 0).into();
    Cluster::builder("example").listen(listen).name(name).profile(Profile::Local)
}

async fn next_message(events: &mut Subscription) -> String {
    while let Some(update) = events.recv().await {
        if let Change::Event(Event::Message { from, delivery, payload }) = update.change {
            let how = match delivery {
                Delivery::Broadcast => "by broadcast",
                Delivery::BestEffort => "by datagram",
                Delivery::Reliable => "reliably",
            };
            return format!("'{}' from {}, {how}", String::from_utf8_lossy(&payload), from.name);
        }
    }
    "that the node was stopped".into()
}
