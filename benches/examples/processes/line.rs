//! What an agent tells the program that started it: a line each.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use swimmer::NodeId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// It runs, with this id at this address.
    Ready(NodeId, SocketAddr),
    /// This many members are present, itself included.
    Present(usize),
    /// It holds this member dead.
    Down(NodeId),
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(id, address) => write!(f, "ready {id} {address}"),
            Self::Present(count) => write!(f, "present {count}"),
            Self::Down(id) => write!(f, "down {id}"),
        }
    }
}

impl FromStr for Line {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let line = match words[..] {
            ["ready", id, address] => {
                id.parse().ok().zip(address.parse().ok()).map(|(id, at)| Self::Ready(id, at))
            }
            ["present", count] => count.parse().ok().map(Self::Present),
            ["down", id] => id.parse().ok().map(Self::Down),
            _ => None,
        };
        line.ok_or_else(|| format!("an agent said {text:?}"))
    }
}
