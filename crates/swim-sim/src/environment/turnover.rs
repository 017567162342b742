//! Environments in which processes end and start.

mod lives;

use std::time::Duration;

use super::active::Range;
use super::{Entry, Parameter, Setup};
use crate::cluster::Data;
use lives::{Flaps, Joins, Life, Replacements, Rolling};

const BETWEEN: Parameter = Parameter::seconds("the time between two restarts in seconds", 5_000);
const DOWN: Parameter = Parameter::seconds("how long each is down, in seconds", 1_000);
const LOOPS: Parameter = Parameter::count("how many members", 1, 1_024);
const UP: Parameter = Parameter::seconds("how long they are up, in seconds", 5_000);

/// In this time all members hold a crashed one dead, with each protocol.
const LONG: Duration = Duration::from_secs(25);

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        name: "mass",
        parameters: &[Parameter::percent("the percentage of members", 10)],
        about: "after 15 s some members crash at once",
        begin: |setup| {
            for host in setup.choose(setup.environment.per_mille(0)) {
                setup.routine(Duration::from_secs(15), Life::crash(host));
            }
        },
    },
    Entry {
        name: "rolling-kept",
        parameters: &[BETWEEN, DOWN],
        about: "one member after another restarts, with its data folder",
        begin: |setup| rolling(setup, Data::Kept),
    },
    Entry {
        name: "rolling-lost",
        parameters: &[BETWEEN, DOWN],
        about: "one member after another restarts, without its data folder",
        begin: |setup| rolling(setup, Data::Lost),
    },
    Entry {
        name: "loop-kept",
        parameters: &[LOOPS, UP],
        about: "some members crash again and again, and restart after 1 s with their data folder",
        begin: |setup| loops(setup, Data::Kept),
    },
    Entry {
        name: "loop-lost",
        parameters: &[LOOPS, UP],
        about: "the same, without their data folder",
        begin: |setup| loops(setup, Data::Lost),
    },
    Entry {
        name: "second",
        parameters: &[Parameter::seconds(
            "the time from the restart to the second crash in seconds",
            3_000,
        )],
        about: "every 10 s a member crashes, restarts after 25 s, and soon crashes for good",
        begin: |setup| {
            let up = setup.environment.span(0);
            for (at, host) in (1..).zip(setup.choose(500)) {
                let life = Life::ending(host, vec![LONG, up]);
                setup.routine(Duration::from_secs(10) * at, life);
            }
        },
    },
    Entry {
        name: "flap-die",
        parameters: &[
            Parameter::count("how many times", 2, 100),
            Parameter::percent("the percentage of members", 5),
        ],
        about: "some members pause for 25 s and run for 15 s, some times, then crash",
        begin: |setup| {
            let flaps = setup.environment.count(0);
            for host in setup.stall(setup.environment.per_mille(1)) {
                let first = Range::millis(0, 10_000).draw(&mut setup.rng);
                setup.routine(first, Flaps::new(host, flaps, LONG, Duration::from_secs(15)));
            }
        },
    },
    Entry {
        name: "churn",
        parameters: &[Parameter::count("how many members are replaced a minute", 10, 1_000)],
        about: "members crash, and each time another one joins",
        begin: |setup| {
            let every = Duration::from_secs(60) / setup.environment.count(0).max(1);
            let hosts = setup.choose(1_000);
            setup.routine(every, Replacements::new(hosts, every));
        },
    },
    Entry {
        name: "mass-join",
        parameters: &[Parameter::percent("how many join, in percent of the members", 20)],
        about: "once a minute, up to ten times, many members join at once through one seed",
        begin: |setup| {
            let count = setup.choose(setup.environment.per_mille(0)).len() as u32;
            setup.routine(Duration::from_secs(15), Joins::new(count));
        },
    },
];

fn rolling(setup: &mut Setup<'_>, data: Data) {
    let (between, down) = (setup.environment.span(0), setup.environment.span(1));
    let hosts = setup.choose(1_000);
    setup.routine(between, Rolling::new(hosts, data, between, down));
}

fn loops(setup: &mut Setup<'_>, data: Data) {
    let (count, up) = (setup.environment.count(0) as usize, setup.environment.span(1));
    let mut hosts = setup.choose(1_000);
    hosts.truncate(count);
    for host in hosts {
        let first = Range { min: Duration::ZERO, max: up }.draw(&mut setup.rng);
        setup.routine(first, Life::looping(host, data, up, Duration::from_secs(1)));
    }
}
