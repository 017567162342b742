//! What a program sees of the others: they come, change what they say of themselves, die, and come
//! back under the same identity.
//!
//! ```sh
//! cargo run -p swimmer --example metadata_and_events
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;

use swimmer::{Builder, Change, Cluster, Event, Member, NodeId, Profile, Subscription};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let watcher = node().name("watcher").start().await?;
    let seed = watcher.local_addr().to_string();
    // Who must miss nothing subscribes first: the stream begins where its snapshot ends.
    let mut events = watcher.subscribe();
    println!("{} members at the beginning", events.snapshot().present_count());

    // An identity is 16 bytes. Kept over restarts (`data_dir` does that), it is the same member.
    let id = NodeId::from_bytes(*b"the worker's key");
    let worker = node().name("worker").id(id).metadata("role=web").seeds([&seed]).start().await?;
    print_until(&mut events, |event| matches!(event, Event::Joined(_))).await;

    worker.set_metadata("role=database").await?;
    print_until(&mut events, |event| matches!(event, Event::Updated(_))).await;

    // Stopped without a goodbye, as by a crash: first it is suspected, and has time to object.
    worker.shutdown().await;
    print_until(&mut events, |event| matches!(event, Event::Down(..))).await;

    let again = node().name("worker").id(id).metadata("role=web").seeds([&seed]).start().await?;
    print_until(&mut events, |event| matches!(event, Event::Up(_))).await;
    assert_eq!(again.id(), id);
    println!("it is the same member");
    Ok(())
}

fn node() -> Builder {
    let listen = ([127, 0, 0, 1], 0).into();
    Cluster::builder("example").listen(listen).profile(Profile::Local)
}

/// Prints what happens, up to the event that is waited for.
async fn print_until(events: &mut Subscription, is_last: impl Fn(&Event) -> bool) {
    while let Some(update) = events.recv().await {
        match update.change {
            Change::Event(event) => {
                println!("{:2}  {}", update.seq, describe(&event));
                if is_last(&event) {
                    return;
                }
            }
            // For readers that lag far behind: events were dropped, and this is how things stand.
            Change::Resync(members) => {
                println!("{:2}  {} members now", update.seq, members.present_count());
            }
        }
    }
}

fn describe(event: &Event) -> String {
    match event {
        Event::Joined(member) => format!("joined     {}", title(member)),
        Event::Updated(member) => format!("updated    {}", title(member)),
        Event::Suspected(member) => format!("suspected  {}", title(member)),
        Event::Down(member, death) => {
            format!("down       {}, by {}", title(member), death.path.as_str())
        }
        Event::Up(member) => format!("up         {}", title(member)),
        Event::Left(member) => format!("left       {}", title(member)),
        other => format!("{other:?}"),
    }
}

/// Metadata is bytes to the library. This program puts text there.
fn title(member: &Member) -> String {
    let metadata = String::from_utf8_lossy(&member.metadata);
    format!("{} at {}, {metadata}, incarnation {}", member.name, member.address, member.incarnation)
}
