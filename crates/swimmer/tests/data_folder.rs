//! The data folder: an identity that survives restarts, and what can be wrong with it.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use support::{all_hold, all_see_all, builder, start_many, until};
use swimmer::{DataFolderError, StartError, State};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

async fn error_of(path: &Path) -> DataFolderError {
    match builder().data_dir(path).start().await {
        Err(StartError::DataFolder(error)) => error,
        other => panic!("expected an error of the data folder, not {other:?}"),
    }
}

#[tokio::test]
async fn an_identity_survives_a_restart() {
    let folder = folder();
    let path = folder.path().join("new/and/deep");
    let first = builder().data_dir(&path).start().await.unwrap();
    let id = first.id();
    first.shutdown().await;
    let key = fs::read(path.join("host_key")).unwrap();
    assert_eq!(key, id.as_bytes());
    assert_eq!((key[6] >> 4, key[8] >> 6), (4, 2), "a version 4 UUID");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(path.join("host_key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let second = builder().data_dir(&path).start().await.unwrap();
    assert_eq!(second.id(), id);
    second.shutdown().await;
    let files = fs::read_dir(&path).unwrap().count();
    assert_eq!(files, 3, "the key, the snapshot and the lock, nothing else");
}

#[tokio::test]
async fn any_key_but_zeros_is_accepted() {
    let folder = folder();
    fs::write(folder.path().join("host_key"), [1; 16]).unwrap();
    let node = builder().data_dir(folder.path()).start().await.unwrap();
    assert_eq!(node.id().as_bytes(), &[1; 16]);
}

#[tokio::test]
async fn a_damaged_key_is_a_clear_error_and_stays_as_it_is() {
    for damaged in [&[][..], &[1; 15], &[1; 17], &[0; 16]] {
        let folder = folder();
        let key = folder.path().join("host_key");
        fs::write(&key, damaged).unwrap();
        let error = error_of(folder.path()).await.to_string();
        assert!(error.contains(key.to_str().unwrap()) && error.contains("16 bytes"), "{error}");
        assert_eq!(fs::read(&key).unwrap(), damaged);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is written beside it");
    }
}

#[tokio::test]
async fn a_damaged_snapshot_is_a_clear_error_and_stays_as_it_is() {
    let folder = folder();
    let first = builder().data_dir(folder.path()).start().await.unwrap();
    let address = first.local_addr();
    first.shutdown().await;
    let snapshot = folder.path().join("snapshot");
    let mut damaged = fs::read(&snapshot).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&snapshot, &damaged).unwrap();
    let error = error_of(folder.path()).await.to_string();
    assert!(error.contains(snapshot.to_str().unwrap()) && error.contains("remove it"), "{error}");
    assert_eq!(fs::read(&snapshot).unwrap(), damaged);
    fs::remove_file(&snapshot).unwrap();
    let again = builder().listen(address).data_dir(folder.path()).start().await.unwrap();
    assert_eq!((again.id(), again.local().incarnation.0), (first.id(), 1));
}

#[tokio::test]
async fn a_folder_in_use_a_file_and_a_place_that_cannot_be_are_clear_errors() {
    let folder = folder();
    let _node = builder().data_dir(folder.path()).start().await.unwrap();
    assert!(matches!(error_of(folder.path()).await, DataFolderError::Locked { .. }));
    let file = folder.path().join("host_key");
    assert!(matches!(error_of(&file).await, DataFolderError::NotAFolder { .. }));
    let below = file.join("below");
    assert!(matches!(error_of(&below).await, DataFolderError::Create { .. }));
}

#[tokio::test]
async fn nothing_is_written_when_something_else_is_wrong() {
    let folder = folder();
    let path = folder.path().join("data");
    let base = || builder().data_dir(&path);
    let holder = builder().start().await.unwrap();
    assert!(base().name("a\nb").start().await.is_err());
    assert!(base().metadata(vec![0; 513]).start().await.is_err());
    assert!(base().seeds(["no port"]).start().await.is_err());
    assert!(base().advertise("0.0.0.0:1".parse().unwrap()).start().await.is_err());
    for address in [holder.local_addr(), "224.0.0.1:0".parse().unwrap()] {
        let error = base().listen(address).start().await.unwrap_err();
        assert!(matches!(error, StartError::Listen { .. } | StartError::Record(_)), "{error}");
    }
    assert!(!path.exists());
}

#[tokio::test]
async fn a_node_that_restarts_with_its_folder_is_the_same_member_in_a_new_incarnation() {
    let folder = folder();
    let nodes = start_many(3).await;
    let seeds = || [nodes[0].local_addr().to_string()];
    let node = builder().data_dir(folder.path()).seeds(seeds()).start().await.unwrap();
    let id = node.id();
    until("all see it", || all_hold(&nodes, id, State::Alive)).await;
    node.shutdown().await;
    until("all hold it dead", || all_hold(&nodes, id, State::Dead)).await;

    let again = builder().data_dir(folder.path()).seeds(seeds()).start().await.unwrap();
    until("all see it again", || all_hold(&nodes, id, State::Alive)).await;
    let mut all = nodes.clone();
    all.push(again.clone());
    until("all see all", || all_see_all(&all)).await;
    assert!(again.local().incarnation.0 > 1);
    let members = nodes[1].members();
    assert_eq!(members.members().len(), 3, "no ghost of its earlier life");
    assert_eq!(members.get(id).unwrap().address, again.local_addr());
}

#[tokio::test]
async fn a_node_that_restarts_at_once_is_not_held_dead() {
    let folder = folder();
    let nodes = start_many(3).await;
    let seeds = || [nodes[0].local_addr().to_string()];
    let node = builder().data_dir(folder.path()).seeds(seeds()).start().await.unwrap();
    until("all see it", || all_hold(&nodes, node.id(), State::Alive)).await;
    node.shutdown().await;
    let again = builder().data_dir(folder.path()).seeds(seeds()).start().await.unwrap();
    until("all see its new address", || {
        nodes.iter().all(|node| {
            node.members().get(again.id()).is_some_and(|m| m.address == again.local_addr())
        })
    })
    .await;
}
