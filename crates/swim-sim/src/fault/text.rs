//! Faults, networks and tampering as text, as the module above has it.

use std::fmt;
use std::str::FromStr;

use super::{Fault, Isolation};
use crate::cluster::{Data, Place};
use crate::lie::Lie;
use crate::link::{Conditions, Tampering};
use crate::words::{Span, TextError, Words};

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Crash(ix) => write!(f, "crash {ix}"),
            Self::Kill(ix) => write!(f, "kill {ix}"),
            Self::Restart(ix, data, place) => {
                let lost = if data == Data::Lost { " lost" } else { "" };
                let moved = match place {
                    Place::Same => "",
                    Place::New => " moved",
                    Place::Back => " back",
                };
                write!(f, "restart {ix}{lost}{moved}")
            }
            Self::Pause(ix) => write!(f, "pause {ix}"),
            Self::Block(ix) => write!(f, "block {ix}"),
            Self::Resume(ix) => write!(f, "resume {ix}"),
            Self::Stick(ix) => write!(f, "stick {ix}"),
            Self::Jump(ix, by) => write!(f, "jump {ix} {}", Span(by)),
            Self::ClockForward(ix, by) => write!(f, "clock {ix} forward {}", Span(by)),
            Self::ClockBack(ix, by) => write!(f, "clock {ix} back {}", Span(by)),
            Self::Inbox(ix, packets) => write!(f, "inbox {ix} {packets}"),
            Self::Leave(ix) => write!(f, "leave {ix}"),
            Self::Join(ix) => write!(f, "join {ix}"),
            Self::Metadata(ix, value) => write!(f, "metadata {ix} {value}"),
            Self::Broadcast(ix) => write!(f, "broadcast {ix}"),
            Self::Twin(twin, of) => write!(f, "twin {twin} {of}"),
            Self::Cut(from, to) => write!(f, "cut {from} {to}"),
            Self::Filter(from, to) => write!(f, "filter {from} {to}"),
            Self::Mend(from, to) => write!(f, "mend {from} {to}"),
            Self::Isolate(ix, Isolation::Both) => write!(f, "isolate {ix}"),
            Self::Isolate(ix, Isolation::Deaf) => write!(f, "isolate {ix} deaf"),
            Self::Isolate(ix, Isolation::Mute) => write!(f, "isolate {ix} mute"),
            Self::Reconnect(ix) => write!(f, "reconnect {ix}"),
            Self::Flap(a, b, each) => write!(f, "flap {a} {b} {}", Span(each)),
            Self::Clog(from, to, time) => write!(f, "clog {from} {to} {}", Span(time)),
            Self::Split(sides) => {
                f.write_str("split")?;
                (0..32).filter(|bit| sides >> bit & 1 == 1).try_for_each(|bit| write!(f, " h{bit}"))
            }
            Self::Bridge(ix) => write!(f, "bridge {ix}"),
            Self::Rate(ix, rate) => write!(f, "rate {ix} {rate}"),
            Self::Network(conditions) => write!(f, "network {conditions}"),
            Self::Tamper(tampering) => write!(f, "tamper{tampering}"),
            Self::Under(environment) => write!(f, "under {environment}"),
            Self::Heal => f.write_str("heal"),
            Self::Lie(ref lie) => write!(f, "lie {lie}"),
        }
    }
}

impl FromStr for Fault {
    type Err = TextError;

    fn from_str(line: &str) -> Result<Self, TextError> {
        let mut words = Words::new(line);
        let fault = match words.word("what is done")? {
            "crash" => Self::Crash(words.host()?),
            "kill" => Self::Kill(words.host()?),
            "restart" => read_restart(&mut words)?,
            "pause" => Self::Pause(words.host()?),
            "block" => Self::Block(words.host()?),
            "resume" => Self::Resume(words.host()?),
            "stick" => Self::Stick(words.host()?),
            "jump" => Self::Jump(words.host()?, words.span()?),
            "clock" => read_clock(&mut words)?,
            "inbox" => Self::Inbox(words.host()?, words.value("a number of packets")?),
            "leave" => Self::Leave(words.host()?),
            "join" => Self::Join(words.host()?),
            "metadata" => Self::Metadata(words.host()?, words.value("a number up to 255")?),
            "broadcast" => Self::Broadcast(words.host()?),
            "twin" => Self::Twin(words.host()?, words.host()?),
            "cut" => Self::Cut(words.host()?, words.host()?),
            "filter" => Self::Filter(words.host()?, words.host()?),
            "mend" => Self::Mend(words.host()?, words.host()?),
            "isolate" => Self::Isolate(words.host()?, read_isolation(&mut words)),
            "reconnect" => Self::Reconnect(words.host()?),
            "flap" => Self::Flap(words.host()?, words.host()?, words.span()?),
            "clog" => Self::Clog(words.host()?, words.host()?, words.span()?),
            "split" => Self::Split(read_sides(&mut words)?),
            "bridge" => Self::Bridge(words.host()?),
            "rate" => Self::Rate(words.host()?, words.value("bytes a second")?),
            "network" => Self::Network(Conditions::read(&mut words)?),
            "tamper" => Self::Tamper(Tampering::read(&mut words)?),
            "under" => Self::Under(words.word("an environment")?.parse()?),
            "heal" => Self::Heal,
            "lie" => Self::Lie(Lie::read(&mut words)?),
            other => return Err(TextError::new(format!("`{other}` is nothing that can be done"))),
        };
        words.end()?;
        Ok(fault)
    }
}

fn read_restart(words: &mut Words<'_>) -> Result<Fault, TextError> {
    let host = words.host()?;
    let data = if words.take("lost") { Data::Lost } else { Data::Kept };
    let place = match () {
        () if words.take("moved") => Place::New,
        () if words.take("back") => Place::Back,
        () => Place::Same,
    };
    Ok(Fault::Restart(host, data, place))
}

fn read_clock(words: &mut Words<'_>) -> Result<Fault, TextError> {
    let host = words.host()?;
    match words.word("`forward` or `back`")? {
        "forward" => Ok(Fault::ClockForward(host, words.span()?)),
        "back" => Ok(Fault::ClockBack(host, words.span()?)),
        other => Err(TextError::new(format!("a clock is not set `{other}`"))),
    }
}

fn read_isolation(words: &mut Words<'_>) -> Isolation {
    match () {
        () if words.take("deaf") => Isolation::Deaf,
        () if words.take("mute") => Isolation::Mute,
        () => Isolation::Both,
    }
}

fn read_sides(words: &mut Words<'_>) -> Result<u32, TextError> {
    words.hosts()?.iter().try_fold(0, |sides, host| match host.0 {
        bit @ 0..32 => Ok(sides | 1 << bit),
        _ => Err(TextError::new(format!("{host} cannot be split off"))),
    })
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Span(self.delay_min), Span(self.delay_max))?;
        write_shares(f, &[("tail", self.tail), ("loss", self.loss), ("doubled", self.duplication)])
    }
}

impl Conditions {
    pub(crate) fn read(words: &mut Words<'_>) -> Result<Self, TextError> {
        let (delay_min, delay_max) = (words.span()?, words.span()?);
        let mut network = Self { delay_min, delay_max, ..Self::LAN };
        while let Some(name) = words.next() {
            *match name {
                "tail" => &mut network.tail,
                "loss" => &mut network.loss,
                "doubled" => &mut network.duplication,
                other => return Err(TextError::new(format!("`{other}` is not of a network"))),
            } = words.value("a share of 1,000")?;
        }
        Ok(network)
    }
}

impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = [
            ("flips", self.flips),
            ("cuts", self.cuts),
            ("splices", self.splices),
            ("replays", self.replays),
            ("foreign", self.foreign),
            ("later", self.later),
        ];
        write_shares(f, &shares)
    }
}

impl Tampering {
    fn read(words: &mut Words<'_>) -> Result<Self, TextError> {
        let mut tampering = Self::default();
        while let Some(name) = words.next() {
            *match name {
                "flips" => &mut tampering.flips,
                "cuts" => &mut tampering.cuts,
                "splices" => &mut tampering.splices,
                "replays" => &mut tampering.replays,
                "foreign" => &mut tampering.foreign,
                "later" => &mut tampering.later,
                other => return Err(TextError::new(format!("`{other}` is not done to bytes"))),
            } = words.value("a share of 1,000")?;
        }
        Ok(tampering)
    }
}

fn write_shares(f: &mut fmt::Formatter<'_>, shares: &[(&str, u32)]) -> fmt::Result {
    let some = shares.iter().filter(|(_, share)| *share > 0);
    some.into_iter().try_for_each(|(name, share)| write!(f, " {name} {share}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_read_as_it_is_written() {
        for text in [
            "crash h2",
            "restart h2",
            "restart h2 lost moved",
            "restart h0 back",
            "pause h1",
            "block h1",
            "resume h1",
            "stick h1",
            "jump h1 2h",
            "clock h1 forward 3s",
            "clock h1 back 1.5s",
            "inbox h1 16",
            "leave h0",
            "join h0",
            "metadata h0 7",
            "broadcast h0",
            "twin h2 h0",
            "cut h0 h1",
            "filter h0 h1",
            "mend h0 h1",
            "isolate h2",
            "isolate h2 deaf",
            "isolate h2 mute",
            "reconnect h2",
            "flap h0 h1 500ms",
            "clog h0 h1 3.25s",
            "split h0 h3",
            "bridge h1",
            "rate h0 2000",
            "network 200us 1ms",
            "network 100us 20ms tail 3 loss 20 doubled 1",
            "tamper",
            "tamper flips 1 cuts 2 splices 3 replays 4 foreign 5 later 6",
            "heal",
            "lie suspect h1 65536",
            "lie phantoms 30",
        ] {
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        for text in ["", "crash", "crash 2", "crash h2 h3", "split h40", "network 1ms", "burn h1"] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
    }
}
