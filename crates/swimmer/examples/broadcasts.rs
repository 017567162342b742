//! Three ways to say something: to all by gossip, to one by a datagram, to one with a receipt.
//!
//! ```sh
//! cargo run -p swimmer --example broadcasts
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;

use swimmer::{
    Builder, Change, Cluster, Delivery, Event, Message, Messages, Profile, Subscription,
};

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

    let (mut told_anna, mut told_bert) = (anna.subscribe(), bert.subscribe());
    let (mut to_anna, mut to_bert) = (anna.messages(), bert.messages());

    // To all: rides on the pings that are sent anyway, at most 512 bytes, once to each.
    speaker.broadcast("cache cleared").await?;
    println!("anna hears {}", next_broadcast(&mut told_anna).await);
    println!("bert hears {}", next_broadcast(&mut told_bert).await);

    // To one: a datagram, which may be lost.
    speaker.send(anna.id(), "are you busy?").await?;
    println!("anna hears {}", next_message(&mut to_anna).await);

    // To one, over the reliable plane: at most 65,472 bytes, and it returns when they wait there.
    speaker.send_reliable(bert.id(), "the plan for today").await?;
    println!("bert has it, says the receipt");
    println!("bert hears {}", next_message(&mut to_bert).await);
    Ok(())
}

fn node(name: &str) -> Builder {
    let listen = ([127, 0, 0, 1], 0).into();
    Cluster::builder("example").listen(listen).name(name).profile(Profile::Local)
}

async fn next_broadcast(events: &mut Subscription) -> String {
    while let Some(update) = events.recv().await {
        if let Change::Event(Event::Message { from, payload, .. }) = update.change {
            return format!(
                "'{}' from {}, by broadcast",
                String::from_utf8_lossy(&payload),
                from.name
            );
        }
    }
    "that the node was stopped".into()
}

async fn next_message(messages: &mut Messages) -> String {
    let Some(Message { from, delivery, payload }) = messages.recv().await else {
        return "that the node was stopped".into();
    };
    let how = if delivery == Delivery::Reliable { "reliably" } else { "by datagram" };
    format!("'{}' from {}, {how}", String::from_utf8_lossy(&payload), from.name)
}
