//! The crates depend in one direction, as docs/ARCHITECTURE.md draws it.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Each crate, and on which of ours it may depend, but for its tests. `?`: only by a feature.
const ALLOWED: [(&str, &[&str]); 7] = [
    ("swim-proto", &[]),
    ("swim-dissemination", &["swim-proto"]),
    ("swim-membership", &["swim-proto"]),
    ("swim-transport", &[]),
    ("swimmer", &["swim-proto", "swim-dissemination", "swim-membership", "swim-transport?"]),
    ("swimmer-agent", &["swimmer", "swim-transport"]),
    ("swim-sim", &["swim-proto", "swim-dissemination", "swim-membership", "swimmer"]),
];

/// The packages of the workspace that live in `crates`. Benches and the like are on top of the
/// house, and may depend on what they want.
fn crates() -> Vec<Value> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    command.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let crates = Path::new(metadata["workspace_root"].as_str().unwrap()).join("crates");
    let lives_in_crates = |package: &&Value| {
        Path::new(package["manifest_path"].as_str().unwrap()).starts_with(&crates)
    };
    metadata["packages"].as_array().unwrap().iter().filter(lives_in_crates).cloned().collect()
}

/// What a package depends on by a path, but for its tests.
fn house_dependencies(package: &Value) -> BTreeSet<String> {
    let of_the_house = package["dependencies"].as_array().unwrap().iter().filter(|dependency| {
        dependency["kind"].as_str() != Some("dev") && dependency["path"].is_string()
    });
    of_the_house
        .map(|dependency| {
            let by_feature = dependency["optional"].as_bool().unwrap();
            let mark = if by_feature { "?" } else { "" };
            format!("{}{mark}", dependency["name"].as_str().unwrap())
        })
        .collect()
}

#[test]
fn the_crates_depend_in_one_direction() {
    let crates = crates();
    assert!(!crates.is_empty());
    for package in &crates {
        let name = package["name"].as_str().unwrap();
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            panic!("{name} has no place in the house yet: give it one, here and in the drawing");
        };
        for dependency in house_dependencies(package) {
            assert!(allowed.contains(&&*dependency), "{name} must not depend on {dependency}");
        }
    }
}
