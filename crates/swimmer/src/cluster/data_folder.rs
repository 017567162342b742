//! The data folder: `host_key`, the 16 bytes that identify this node across restarts; `snapshot`,
//! its number and where the others are (R5, R6); and a lock that keeps a second process out.
//!
//! Files are written whole, under another name, and moved to their place when they are on the disk:
//! so a crash leaves the old one or the new one. What a crash leaves beside them is removed at the
//! next start. A damaged file stays as it is, and is an error: what it held would be lost else.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use swim_membership::SavedState;
use swim_proto::{ClusterTag, Incarnation, NodeId};

use super::saved_file::{self, Owner};

const KEY_FILE: &str = "host_key";
const SNAPSHOT_FILE: &str = "snapshot";
/// What the names of files begin with that are not in their place yet.
const UNFINISHED: &str = ".unfinished-";
const LOCK_FILE: &str = "lock";
const KEY_BYTES: usize = 16;

/// What is wrong with a data folder. Nothing in it was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataFolderError {
    /// It cannot be created.
    #[error("cannot create the data folder {}: {source}", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The path is that of something else.
    #[error("the data folder {} is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// Another process uses it.
    #[error("the data folder {} is in use by another process", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The key is damaged.
    #[error(
        "{} is damaged: {found}, but a host key is 16 bytes, not all of them zero; restore it, or \
         remove it to start as a new node",
        path.display()
    )]
    BadKey {
        /// The file.
        path: PathBuf,
        /// What it holds.
        found: String,
    },
    /// The snapshot is damaged, or of a later version.
    #[error(
        "{} is damaged: {found}; restore it, or remove it to start with incarnation 1 and without \
         the addresses of the other members: then a seed is needed to find them",
        path.display()
    )]
    BadSnapshot {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// A file in it cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: read, write, open or lock.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A folder that this process holds until it is dropped.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    owner: Owner,
    /// Locked for as long as it is open.
    _lock: File,
}

impl DataFolder {
    /// Opens or creates the folder, takes its lock, reads or makes the key, and reads what was
    /// saved by the life before.
    pub(super) fn open(
        path: &Path,
        cluster: ClusterTag,
    ) -> Result<(Self, SavedState), DataFolderError> {
        if path.is_dir() {
            // What is damaged is seen before the lock's file is made: then nothing is written.
            read_key(path)?;
            read_snapshot(path)?;
        } else if path.exists() {
            return Err(DataFolderError::NotAFolder { path: path.into() });
        }
        fs::create_dir_all(path)
            .map_err(|source| DataFolderError::Create { path: path.into(), source })?;
        let lock = lock(path)?;
        remove_unfinished(path);
        let id = read_key(path)?.map_or_else(|| make_key(path), Ok)?;
        let owner = Owner { id, cluster };
        let saved = read_snapshot(path)?.map_or_else(SavedState::default, |saved| of(owner, saved));
        Ok((Self { path: path.into(), owner, _lock: lock }, saved))
    }

    pub(super) fn id(&self) -> NodeId {
        self.owner.id
    }

    /// Saves this in place of what was saved before. It takes as long as the disk does.
    pub(super) fn save(&self, state: &SavedState) -> Result<(), DataFolderError> {
        write_whole(&self.path, SNAPSHOT_FILE, &saved_file::encode(self.owner, state))
    }
}

/// What of a saved state is this node's: under another key it has another number, and other pauses; in
/// another cluster the others are not at those addresses.
fn of(owner: Owner, (saved_by, mut state): (Owner, SavedState)) -> SavedState {
    if saved_by.id != owner.id {
        (state.incarnation, state.pause) = (Incarnation::FIRST, Duration::ZERO);
    }
    if saved_by.cluster != owner.cluster {
        state.addresses.clear();
    }
    state
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataFolderError {
    let path = path.into();
    move |source| DataFolderError::Io { action, path, source }
}

fn lock(folder: &Path) -> Result<File, DataFolderError> {
    let path = folder.join(LOCK_FILE);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(DataFolderError::Locked { path: folder.into() }),
        Err(TryLockError::Error(source)) => Err(failed("lock", &path)(source)),
    }
}

fn read_key(folder: &Path) -> Result<Option<NodeId>, DataFolderError> {
    let path = folder.join(KEY_FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", &path)(error)),
    };
    let length = bytes.len();
    match <[u8; KEY_BYTES]>::try_from(bytes) {
        Ok(key) if key != [0; KEY_BYTES] => Ok(Some(NodeId::from_bytes(key))),
        Ok(_) => Err(DataFolderError::BadKey { path, found: "it holds only zeros".into() }),
        Err(_) => Err(DataFolderError::BadKey { path, found: format!("it holds {length} bytes") }),
    }
}

fn make_key(folder: &Path) -> Result<NodeId, DataFolderError> {
    let id = new_id().map_err(failed("write", &folder.join(KEY_FILE)))?;
    write_whole(folder, KEY_FILE, id.as_bytes())?;
    Ok(id)
}

fn read_snapshot(folder: &Path) -> Result<Option<(Owner, SavedState)>, DataFolderError> {
    let path = folder.join(SNAPSHOT_FILE);
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(&path)?.take(saved_file::BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = match read() {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", &path)(error)),
    };
    saved_file::decode(&bytes)
        .map(Some)
        .map_err(|found| DataFolderError::BadSnapshot { path, found })
}

/// Writes a file so that a crash leaves the one that was there before, or the whole new one.
fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), DataFolderError> {
    let path = folder.join(name);
    let write = || -> io::Result<()> {
        // Mode 0600 is what temporary files have.
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    };
    write().map_err(failed("write", &path))
}

/// Removes what a crash has left of files that were being written. Nobody else writes here: the
/// lock is ours. What cannot be removed does no harm.
fn remove_unfinished(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A version 4 UUID.
pub(super) fn new_id() -> io::Result<NodeId> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(NodeId::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: ClusterTag = ClusterTag(9);

    fn state() -> SavedState {
        let addresses = vec!["127.0.0.1:2552".parse().unwrap(), "[::1]:7".parse().unwrap()];
        SavedState { incarnation: Incarnation(129), addresses, pause: Duration::from_secs(5) }
    }

    /// A folder in which a node has saved its state, and the bytes of that.
    fn saved() -> (tempfile::TempDir, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let (open, first) = DataFolder::open(folder.path(), CLUSTER).unwrap();
        assert_eq!(first, SavedState::default());
        open.save(&state()).unwrap();
        let bytes = fs::read(folder.path().join(SNAPSHOT_FILE)).unwrap();
        (folder, bytes)
    }

    fn files(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn r5_what_was_saved_is_there_at_the_next_start() {
        let (folder, _) = saved();
        let (open, found) = DataFolder::open(folder.path(), CLUSTER).unwrap();
        assert_eq!(found, state());
        open.save(&SavedState::default()).unwrap();
        drop(open);
        let (_open, found) = DataFolder::open(folder.path(), CLUSTER).unwrap();
        assert_eq!(found, SavedState::default());
        assert_eq!(files(folder.path()), ["host_key", "lock", "snapshot"]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let snapshot = fs::metadata(folder.path().join(SNAPSHOT_FILE)).unwrap();
            assert_eq!(snapshot.permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_snapshot_cut_off_or_changed_at_any_byte_is_a_clear_error_and_stays_as_it_is() {
        let (folder, bytes) = saved();
        fs::remove_file(folder.path().join(LOCK_FILE)).unwrap();
        let path = folder.path().join(SNAPSHOT_FILE);
        let cut = (0..bytes.len()).map(|length| bytes[..length].to_vec());
        let changed = (0..bytes.len()).flat_map(|at| {
            (0..8).map(move |bit| (at, bit)).map(|(at, bit)| {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                bytes
            })
        });
        let too_long = [bytes.clone(), vec![0; saved_file::BYTES_MAX]].concat();
        for damaged in cut.chain(changed).chain([too_long]) {
            fs::write(&path, &damaged).unwrap();
            let error = DataFolder::open(folder.path(), CLUSTER).unwrap_err();
            assert!(matches!(error, DataFolderError::BadSnapshot { .. }), "{error}");
            let said = error.to_string();
            assert!(said.contains(path.to_str().unwrap()) && said.contains("remove it"), "{said}");
            assert_eq!(fs::read(&path).unwrap(), damaged);
            assert_eq!(files(folder.path()), ["host_key", "snapshot"], "nothing is written");
        }
        fs::remove_file(&path).unwrap();
        let (_open, found) = DataFolder::open(folder.path(), CLUSTER).unwrap();
        assert_eq!(found, SavedState::default(), "the remedy works");
    }

    #[test]
    fn what_a_crash_has_left_half_written_is_removed_and_the_old_state_counts() {
        let (folder, bytes) = saved();
        for length in 0..=bytes.len() {
            let half = folder.path().join(format!("{UNFINISHED}{length}"));
            fs::write(half, &bytes[..length]).unwrap();
            let (_open, found) = DataFolder::open(folder.path(), CLUSTER).unwrap();
            assert_eq!(found, state());
            assert_eq!(files(folder.path()), ["host_key", "lock", "snapshot"]);
        }
    }

    #[test]
    fn a_new_key_begins_at_1_and_another_cluster_has_nobody_at_the_old_addresses() {
        let (folder, _) = saved();
        let (open, found) = DataFolder::open(folder.path(), ClusterTag(10)).unwrap();
        assert_eq!((found.incarnation, found.addresses.len()), (Incarnation(129), 0));
        drop(open);
        fs::remove_file(folder.path().join(KEY_FILE)).unwrap();
        let (_open, found) = DataFolder::open(folder.path(), CLUSTER).unwrap();
        let (incarnation, pause) = (Incarnation::FIRST, Duration::ZERO);
        assert_eq!(found, SavedState { incarnation, pause, ..state() });
    }

    #[test]
    fn a_state_that_cannot_be_written_is_an_error_that_names_the_file() {
        let (folder, _) = saved();
        let (open, _) = DataFolder::open(folder.path(), CLUSTER).unwrap();
        drop(folder);
        let error = open.save(&state()).unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && error.contains("snapshot"), "{error}");
    }
}
