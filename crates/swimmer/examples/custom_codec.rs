//! A codec of one's own, around the default one: what it writes is changed before it is sent, and
//! changed back in place when it has come. Nodes with it and nodes without do not meet.
//!
//! The change here is a XOR that hides the bytes from a glance and from nothing else. A codec that
//! encrypts has the same shape.
//!
//! ```sh
//! cargo run -p swimmer --example custom_codec
//! ```

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Duration;

use swimmer::proto::{
    BincodeCodec, Codec, Datagram, DecodeError, EncodeError, Fit, Frame, Packet, Part, Reply,
    Request,
};
use swimmer::{Builder, Cluster, ClusterName, ClusterNameError, Notice, Profile};

/// The default wire behind a mask.
struct Masked {
    inner: BincodeCodec,
    mask: u8,
}

impl Masked {
    fn new(cluster: &str, mask: u8) -> Result<Self, ClusterNameError> {
        Ok(Self { inner: BincodeCodec::new(ClusterName::new(cluster)?), mask })
    }

    /// Puts the mask on, or takes it off. The first 4 bytes stay as they are: in a frame they are
    /// its length, by which the transport knows where it ends.
    fn apply(&self, bytes: &mut [u8]) {
        for byte in bytes.iter_mut().skip(4) {
            *byte ^= self.mask;
        }
    }
}

impl Codec for Masked {
    // Writing is begin, push while it fits, finish. Only a finished packet gets the mask.
    fn begin_datagram(
        &mut self,
        message: &Datagram<'_>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.inner.begin_datagram(message, limit, out)
    }

    fn begin_frame(
        &mut self,
        message: &Frame<'_>,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        self.inner.begin_frame(message, limit, out)
    }

    fn push(&mut self, part: &Part<'_>, limit: usize, out: &mut Vec<u8>) -> Fit {
        self.inner.push(part, limit, out)
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.inner.finish(out);
        self.apply(out);
    }

    // Reading may change the input: nothing is copied. A codec that decompresses has `scratch`.
    fn decode_datagram<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Datagram<'a>>, DecodeError> {
        self.apply(bytes);
        self.inner.decode_datagram(bytes, scratch)
    }

    fn decode_request<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Request<'a>>, DecodeError> {
        self.apply(bytes);
        self.inner.decode_request(bytes, scratch)
    }

    fn decode_reply<'a>(
        &mut self,
        bytes: &'a mut [u8],
        scratch: &'a mut Vec<u8>,
    ) -> Result<Packet<'a, Reply<'a>>, DecodeError> {
        self.apply(bytes);
        self.inner.decode_reply(bytes, scratch)
    }
}

const CLUSTER: &str = "example";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let masked = || Masked::new(CLUSTER, 0x5a).map(Box::new);
    let first = node().codec(masked()?).start().await?;
    let seed = first.local_addr().to_string();
    let second = node().codec(masked()?).seeds([&seed]).start().await?;
    // The same cluster by name, the same seed, but the default wire.
    let plain = node().seeds([&seed]).start().await?;

    for node in [&first, &second] {
        let mut events = node.subscribe();
        while node.members().present_count() < 2 && events.recv().await.is_some() {}
    }
    println!("two nodes with the mask see each other");

    // The plain one asks again and again, and is not understood.
    while first.stats().wire.frames_malformed == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(plain.members().present_count(), 1);
    assert_eq!(first.members().present_count(), 2);
    println!("the one without sees nobody; its requests are counted, and not answered");

    // A datagram of the plain wire is told to the operator.
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
    socket.send_to(&plain_datagram()?, first.local_addr()).await?;
    let mut notices = first.notices();
    while let Some(notice) = notices.recv().await {
        if let Notice::ForeignDatagram { from } = notice {
            println!("a datagram from {from} is of another cluster, or damaged");
            break;
        }
    }
    Ok(())
}

fn node() -> Builder {
    let listen = ([127, 0, 0, 1], 0).into();
    Cluster::builder(CLUSTER).listen(listen).profile(Profile::Local)
}

/// A good datagram of this cluster, as the default codec writes it.
fn plain_datagram() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut codec = BincodeCodec::new(ClusterName::new(CLUSTER)?);
    let mut bytes = Vec::new();
    codec.begin_datagram(&Datagram::Gossip, 1_400, &mut bytes)?;
    codec.finish(&mut bytes);
    Ok(bytes)
}
