//! Environments in which processes end, start and come anew.

mod lives;

use std::time::Duration;

use super::course::Range;
use super::{Draft, Entry, Parameter};
use crate::cluster::Data;
use lives::{Flaps, Joins, Life, Replacements, Rolling};

const BETWEEN: Parameter = Parameter::seconds("the time between two restarts in seconds", 5_000);
const DOWN: Parameter = Parameter::seconds("how long each is down, in seconds", 1_000);
const LOOPS: Parameter = Parameter::count("how many members", 1, 1_024);
const UP: Parameter = Parameter::seconds("how long they are up, in seconds", 5_000);

/// Long enough for everybody to hold a member dead, by any protocol.
const LONG: Duration = Duration::from_secs(25);

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "mass",
        parameters: &[Parameter::percent("the percentage of members", 10)],
        about: "after 15 s some members crash at once",
        begin: |draft| {
            for host in draft.choose(draft.environment.per_mille(0)) {
                draft.routine(Duration::from_secs(15), Life::crash(host));
            }
        },
    },
    Entry {
        name: "rolling-kept",
        parameters: &[BETWEEN, DOWN],
        about: "one member after another restarts, with what it had on its disk",
        begin: |draft| rolling(draft, Data::Kept),
    },
    Entry {
        name: "rolling-lost",
        parameters: &[BETWEEN, DOWN],
        about: "one member after another restarts, with nothing",
        begin: |draft| rolling(draft, Data::Lost),
    },
    Entry {
        name: "loop-kept",
        parameters: &[LOOPS, UP],
        about: "some members crash again and again, and start after 1 s with what they had",
        begin: |draft| loops(draft, Data::Kept),
    },
    Entry {
        name: "loop-lost",
        parameters: &[LOOPS, UP],
        about: "some members crash again and again, and start after 1 s with nothing",
        begin: |draft| loops(draft, Data::Lost),
    },
    Entry {
        name: "second",
        parameters: &[Parameter::seconds("how long a member is back, in seconds", 3_000)],
        about: "every 10 s another member crashes, is back after 25 s, and soon crashes for good",
        begin: |draft| {
            let up = draft.environment.span(0);
            for (at, host) in (1..).zip(draft.choose(500)) {
                let life = Life::ending(host, vec![LONG, up]);
                draft.routine(Duration::from_secs(10) * at, life);
            }
        },
    },
    Entry {
        name: "flap-die",
        parameters: &[
            Parameter::count("how often a member flaps", 2, 100),
            Parameter::percent("the percentage of members", 5),
        ],
        about: "some members stand still for 25 s and run for 15 s so often, then crash",
        begin: |draft| {
            let flaps = draft.environment.count(0);
            for host in draft.stall(draft.environment.per_mille(1)) {
                let first = Range::millis(0, 10_000).draw(&mut draft.rng);
                draft.routine(first, Flaps::new(host, flaps, LONG, Duration::from_secs(15)));
            }
        },
    },
    Entry {
        name: "churn",
        parameters: &[Parameter::count("how many members are replaced a minute", 10, 1_000)],
        about: "members crash, each as another one joins",
        begin: |draft| {
            let every = Duration::from_secs(60) / draft.environment.count(0).max(1);
            let hosts = draft.choose(1_000);
            draft.routine(every, Replacements::new(hosts, every));
        },
    },
    Entry {
        name: "mass-join",
        parameters: &[Parameter::percent("how many join, in percent of the members", 20)],
        about: "once a minute many members join at once, through one, up to ten times",
        begin: |draft| {
            let count = draft.choose(draft.environment.per_mille(0)).len() as u32;
            draft.routine(Duration::from_secs(15), Joins::new(count));
        },
    },
];

fn rolling(draft: &mut Draft<'_>, data: Data) {
    let (between, down) = (draft.environment.span(0), draft.environment.span(1));
    let hosts = draft.choose(1_000);
    draft.routine(between, Rolling::new(hosts, data, between, down));
}

fn loops(draft: &mut Draft<'_>, data: Data) {
    let (count, up) = (draft.environment.count(0) as usize, draft.environment.span(1));
    let mut hosts = draft.choose(1_000);
    hosts.truncate(count);
    for host in hosts {
        let first = Range { min: Duration::ZERO, max: up }.draw(&mut draft.rng);
        draft.routine(first, Life::looping(host, data, up, Duration::from_secs(1)));
    }
}
