//! The data folder: `host_key`, the 16 bytes that identify this node across restarts, and a lock
//! that keeps a second process out.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use swim_proto::NodeId;

const KEY_FILE: &str = "host_key";
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
    pub(super) id: NodeId,
    /// Locked for as long as it is open.
    _lock: File,
}

impl DataFolder {
    /// Opens or creates the folder, takes its lock, and reads or makes the key.
    pub(super) fn open(path: &Path) -> Result<Self, DataFolderError> {
        if path.is_dir() {
            // A damaged key is seen before the lock's file is made: then nothing is written.
            read_key(path)?;
        } else if path.exists() {
            return Err(DataFolderError::NotAFolder { path: path.into() });
        }
        fs::create_dir_all(path)
            .map_err(|source| DataFolderError::Create { path: path.into(), source })?;
        let lock = lock(path)?;
        let id = read_key(path)?.map_or_else(|| make_key(path), Ok)?;
        Ok(Self { id, _lock: lock })
    }
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

/// A new key goes to a file of its own first, so that a crash leaves none or a whole one.
fn make_key(folder: &Path) -> Result<NodeId, DataFolderError> {
    let path = folder.join(KEY_FILE);
    let id = new_id().map_err(failed("write", &path))?;
    let write = || -> io::Result<()> {
        // Mode 0600 is what temporary files have.
        let mut file = tempfile::Builder::new().prefix(".host_key").tempfile_in(folder)?;
        file.write_all(id.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path)?;
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    };
    write().map_err(failed("write", &path))?;
    Ok(id)
}

/// A version 4 UUID.
pub(super) fn new_id() -> io::Result<NodeId> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(NodeId::from_bytes(bytes))
}
