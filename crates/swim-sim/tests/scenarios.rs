//! Stories as texts: each is played again, and must come out as it stands in `scenarios`. With
//! `UPDATE=1` they are written anew; change one only if the difference can be explained.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use swim_sim::Story;

/// More lines than this nobody reads in a review.
const LINES_MAX: usize = 120;
/// Lines that are shown of each side of a difference.
const SHOWN: usize = 25;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios"))
}

fn check(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let before = fs::read_to_string(&path).unwrap();
    let told = before.parse::<Story>().unwrap().tell();
    let told = told.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(told.starts_with("# "), "{name} begins with what it shows");
    let lines = told.lines().count();
    assert!(lines < LINES_MAX, "{name} has {lines} lines, too many to be read");
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(&path, told).unwrap();
    } else if told != before {
        let difference = difference(&before, &told);
        panic!("{name} is told otherwise; UPDATE=1 writes it anew:\n{difference}");
    }
}

/// Where two texts differ, without what is the same before and after.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - same;
    let ends = old.iter().rev().zip(new.iter().rev());
    let tail = ends.take_while(|(a, b)| a == b).count().min(rest);
    let mut text: Vec<String> =
        old[same.saturating_sub(3)..same].iter().map(|line| format!("  {line}")).collect();
    for (mark, lines) in [('-', &old[same..old.len() - tail]), ('+', &new[same..new.len() - tail])]
    {
        text.extend(lines.iter().take(SHOWN).map(|line| format!("{mark} {line}")));
        if lines.len() > SHOWN {
            text.push(format!("{mark} and {} more", lines.len() - SHOWN));
        }
    }
    text.join("\n")
}

macro_rules! stories {
    ($($name:ident,)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_story_has_a_test() {
            let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
            let found: BTreeSet<String> =
                files.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
            assert_eq!(found, [$(stringify!($name).to_owned(),)*].into());
        }
    };
}

stories! {
    join,
    suspicion_and_refutation,
    saved_by_an_indirect_probe,
    saved_by_the_reliable_plane,
    asymmetric_cut,
    gentle_leave,
    flapping,
    mass_restart,
    host_key_conflict,
    rolling_restart_with_new_addresses,
    healing,
    crash_during_an_outage,
    killed_processes,
}

#[test]
fn a_difference_is_shown_without_what_is_the_same() {
    let shown = difference("a\nb\nc\nd\ne", "a\nb\nc\nx\ny\ne");
    assert_eq!(shown, "  a\n  b\n  c\n- d\n+ x\n+ y");
}
