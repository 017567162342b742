//! The canaries. To add one, name the claim and its document, the experiment, and for each figure
//! the rows of its JSON and the bound. All together take two minutes on two cores.

use super::Canary;
use super::bound::Bound;

/// Figures that are shown with two digits are equal within half of the last one.
const fn two_digits(rows: &'static str, key: &'static str, figure: f64) -> Bound {
    Bound::between(rows, key, figure - 0.005, figure + 0.005)
}

pub(super) const CANARIES: &[Canary] = &[
    Canary {
        name: "detect-lan",
        claim: "With `lan` a crash is found within 5 s, at any size (CHANGELOG); all know after 4.8 s \
                at the median (EXPERIMENTS); 2.00 datagrams and 104 bytes at rest (EXPERIMENTS).",
        experiment: "detect --nodes 3,32,128 --runs 200 --variants swimmer",
        bounds: &[
            Bound::at_most("", "first_p50", 4.7),
            Bound::at_most("", "first_p99", 5.0),
            Bound::at_most("", "full_p50", 4.9),
            Bound::at_most("", "full_p99", 5.6),
            Bound::at_most("nodes=128", "full_max", 6.0),
            two_digits("", "datagrams_per_member_s", 2.0),
            Bound::between("", "bytes_per_member_s", 103.95, 104.05),
        ],
    },
    Canary {
        name: "detect-lan-1000",
        claim: "The same at 1,000 members (CHANGELOG, EXPERIMENTS).",
        experiment: "detect --nodes 1000 --runs 10 --variants swimmer",
        bounds: &[
            Bound::at_most("", "first_max", 5.0),
            Bound::at_most("", "full_max", 6.0),
            two_digits("", "datagrams_per_member_s", 2.0),
            Bound::between("", "bytes_per_member_s", 103.95, 104.05),
        ],
    },
    Canary {
        name: "detect-two",
        claim: "Of two members one that is killed is down some eight seconds after it is suspected \
                (README).",
        experiment: "detect --nodes 2 --runs 100 --variants swimmer",
        bounds: &[Bound::between("", "first_p50", 8.0, 9.0), Bound::at_most("", "first_max", 10.0)],
    },
    Canary {
        name: "detect-fast",
        claim: "With `fast` all know a crash after 3.1 s at the median (EXPERIMENTS).",
        experiment: "detect --nodes 32,128 --runs 200 --profile fast --variants swimmer",
        bounds: &[
            Bound::at_most("", "first_p50", 2.7),
            Bound::at_most("", "full_p50", 3.1),
            Bound::at_most("nodes=128", "full_p99", 3.6),
            Bound::at_most("nodes=128", "full_max", 4.0),
        ],
    },
    Canary {
        name: "lifeguard-paper",
        claim: "`lifeguard` comes within some tenths of its paper: 12.4 s until the first knows, 12.9 s \
                until all do (EXPERIMENTS).",
        experiment: "detect --nodes 128 --runs 200 --variants lifeguard",
        bounds: &[
            Bound::between("variant=lifeguard", "first_p50", 11.8, 13.0),
            Bound::between("variant=lifeguard", "full_p50", 12.3, 13.5),
        ],
    },
    Canary {
        name: "interval",
        claim: "In Lifeguard's Interval experiment swimmer has at most 1/300 of lifeguard's false \
                positives, none at healthy members, and in no row by C, D or I more than the larger of \
                lifeguard's and 10 (EXPERIMENTS). Of lifeguard's in the full grid 1/300 is 40; these \
                are the worst cells of both.",
        experiment: "interval --blocked 32 --durations 2048,8192,16384,32768 --intervals 1,16 \
                     --variants lifeguard,swimmer",
        bounds: &[
            Bound::at_most(ALL_CELLS, "fp", 40.0),
            Bound::at_most(ALL_CELLS, "fp_healthy", 0.0),
            Bound::lifeguards_or("duration_ms=null; interval_ms=null", "fp", 10.0),
            Bound::lifeguards_or("blocked=null; interval_ms=null", "fp", 10.0),
            Bound::lifeguards_or("blocked=null; duration_ms=null", "fp", 10.0),
        ],
    },
    Canary {
        name: "interval-600",
        claim: "The same if blocks go on for ten minutes (EXPERIMENTS).",
        experiment: "interval --time 600 --blocked 32 --durations 16384,32768 --intervals 1 \
                     --variants lifeguard,swimmer",
        bounds: &[
            Bound::at_most(ALL_CELLS, "fp", 40.0),
            Bound::at_most(ALL_CELLS, "fp_healthy", 0.0),
            Bound::lifeguards_or("blocked=null; interval_ms=null", "fp", 10.0),
        ],
    },
    Canary {
        name: "interval-stuck",
        claim: "The same with senders that are stuck too (EXPERIMENTS). lifeguard has few then, so that \
                10 are the bound.",
        experiment: "interval --blocked 32 --durations 2048,8192,16384,32768 --intervals 1,16 \
                     --block stuck --variants swimmer",
        bounds: &[
            Bound::at_most(ALL_CELLS, "fp", 10.0),
            Bound::at_most(ALL_CELLS, "fp_healthy", 0.0),
        ],
    },
    Canary {
        name: "pause",
        claim: "A pause of 3 s kills nobody, the paused are back in all views within about a second, \
                and hiccups make nobody suspect (EXPERIMENTS).",
        experiment: "pause --lengths 3 --runs 20 --variants swimmer",
        bounds: &[
            Bound::at_most("", "deaths_of_paused", 0.0),
            Bound::at_most("", "deaths_of_others", 0.0),
            Bound::at_most("length_s=3", "back_max", 1.5),
            Bound::at_most("length_s=null", "refutations_per_run", 0.0),
        ],
    },
    Canary {
        name: "loss",
        claim: "Up to 30 % of packets lost, with and without TCP, nobody dies of it (EXPERIMENTS).",
        experiment: "loss --losses 20,30 --time 120 --runs 2 --rapid-nodes 0 --variants swimmer",
        bounds: &[Bound::at_most("", "false_deaths", 0.0)],
    },
    Canary {
        name: "crash-under-loss",
        claim: "With 10, 20 or 30 % of packets lost all know a crash after 5, 6 or 7 s at the median and \
                7, 10 or 14 s at most, and no healthy member is held dead (EXPERIMENTS).",
        experiment: "conditions --scenes loss:10,loss:20,loss:30 --runs 5 --time 200 --crash-every 20 \
                     --variants swimmer",
        bounds: &[
            Bound::at_most("condition=loss:10", "full_p50", 5.0),
            Bound::at_most("condition=loss:10", "full_max", 7.0),
            Bound::at_most("condition=loss:20", "full_p50", 6.0),
            Bound::at_most("condition=loss:20", "full_max", 10.0),
            Bound::at_most("condition=loss:30", "full_p50", 7.0),
            Bound::at_most("condition=loss:30", "full_max", 14.0),
            Bound::at_most("", "unknown", 0.0),
            Bound::at_most("", "false_deaths_healthy", 0.0),
        ],
    },
    Canary {
        name: "few-and-slow",
        claim: "Of three members, half of them slow or starved, the dead one is known after some ten \
                seconds at the median, not later than with lifeguard (EXPERIMENTS).",
        experiment: "conditions --nodes 3 --scenes slow-sync:50,slow-random:50,starved:50 --runs 20 \
                     --time 185 --crash-every 90 --variants lifeguard,swimmer",
        bounds: &[
            Bound::at_most("variant=swimmer", "full_p50", 11.0),
            Bound::at_most("variant=swimmer", "full_p90", 17.0),
            Bound::at_most("variant=swimmer", "full_max", 40.0),
            Bound::at_most("", "false_deaths_healthy", 0.0),
        ],
    },
    Canary {
        name: "partition",
        claim: "Parts find each other within a minute, and nobody dies of the healing (CHANGELOG).",
        experiment: "partition --durations 10,60 --crash-nodes 4 --runs 5 --variants swimmer",
        bounds: &[
            Bound::at_most("nodes=128", "done_max", 60.0),
            Bound::at_most("nodes=128", "own_deaths_before", 0.0),
            Bound::at_most("nodes=128", "own_deaths_after", 0.0),
        ],
    },
    Canary {
        name: "mass-failure",
        claim: "After a quarter, a half or three quarters have crashed the survivors know all of them \
                sooner than lifeguard's, and hold no survivor dead (EXPERIMENTS).",
        experiment: "partition --durations 1 --nodes 3 --crash-nodes 8,128 --runs 5 \
                     --variants lifeguard,swimmer",
        bounds: &[
            Bound::lifeguards_or("seconds=null", "done_p50", 0.0),
            Bound::at_most("seconds=null; case=1/4 crash", "done_max", 20.0),
            Bound::at_most("seconds=null; case=2/4 crash", "done_max", 30.0),
            Bound::at_most("seconds=null; case=3/4 crash", "done_max", 60.0),
            Bound::at_most("seconds=null", "own_deaths_after", 0.0),
        ],
    },
    Canary {
        name: "churn",
        claim: "All that join or restart at once agree within seconds, and no member that runs is \
                declared dead (EXPERIMENTS).",
        experiment: "churn --nodes 128 --runs 3 --minutes 10 --variants swimmer",
        bounds: &[
            Bound::at_most("case=all join", "agreed_max", 5.0),
            Bound::at_most("case=all restart", "agreed_max", 5.0),
            Bound::at_most("case=half restart", "agreed_max", 5.0),
            Bound::at_most("case=replaced one by one", "agreed_max", 6.0),
            Bound::at_most("", "false_deaths", 0.0),
        ],
    },
];

/// The row of all cells together.
const ALL_CELLS: &str = "blocked=null; duration_ms=null; interval_ms=null";
