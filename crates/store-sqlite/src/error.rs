//! Why a file was refused at start.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why a file was refused. The text is meant for the operator: what is wrong, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The directory cannot be made or used.
    #[error("the directory {} cannot be used: {source}; make it writable for this user or set another path", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no file and none may be made.
    #[error("the database {} does not exist; check the path", .path.display())]
    Absent {
        /// The database file.
        path: PathBuf,
    },
    /// A store was kept at this path, and its database file is gone.
    #[error("the database {} is missing, although a store was kept here; put the file back or restore it from a backup, or delete {}.lock if a new, empty store is really wanted", .path.display(), .path.display())]
    Missing {
        /// The database file.
        path: PathBuf,
    },
    /// The file can be read and not written.
    #[error("the database {} cannot be written; give this user write access to the file and to its directory", .path.display())]
    ReadOnly {
        /// The database file.
        path: PathBuf,
    },
    /// The database file is gone while its log is still there.
    #[error("the database {} is missing but its write-ahead log {}-wal is there; put the database file back, or restore both from a backup", .path.display(), .path.display())]
    Lost {
        /// The database file.
        path: PathBuf,
    },
    /// Another process has the file open.
    #[error("the database {} is in use by another process ({holder}); one process at a time may use it, so stop the other one first", .path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
        /// Which process, as far as it can be told.
        holder: String,
    },
    /// Another program holds a lock on the file.
    #[error("the database {} is locked by another program, perhaps a backup or a database shell; end it and start again", .path.display())]
    Locked {
        /// The database file.
        path: PathBuf,
    },
    /// The file has no content.
    #[error("the database {} is empty: it was cut to nothing, so whatever it held is lost; restore it from a backup, or delete it if a new store is really wanted", .path.display())]
    Empty {
        /// The database file.
        path: PathBuf,
    },
    /// The file is not a SQLite database.
    #[error("{} is not a SQLite database, or its header is damaged; check the path, or restore it from a backup", .path.display())]
    NotADatabase {
        /// The database file.
        path: PathBuf,
    },
    /// The file belongs to another program.
    #[error("{} is a SQLite database of another application; set another path", .path.display())]
    OtherApplication {
        /// The database file.
        path: PathBuf,
    },
    /// The file was written by a newer version of this program.
    #[error("the database {} has schema version {found}, and this version knows no newer one than {known}; start the newer version, or restore a backup from before the upgrade", .path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest schema version that is known.
        known: i64,
    },
    /// The file is damaged.
    #[error("the database {} is damaged: {what}; restore it from a backup", .path.display())]
    Corrupt {
        /// The database file.
        path: PathBuf,
        /// What SQLite found.
        what: String,
    },
    /// The write-ahead log is damaged where that would lose acknowledged writes.
    #[error("the write-ahead log {} is damaged: {what}; restore database and log from a backup. Deleting the log would lose the writes in it", .path.display())]
    DamagedLog {
        /// The log.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// The system refused access to a file.
    #[error("{} cannot be used: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite refused for another reason.
    #[error("the database {} cannot be opened: {what}", .path.display())]
    Refused {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        what: String,
    },
}

/// What an error of SQLite means while a file is opened.
pub(crate) fn explain(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    let what = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::NotADatabase { path },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Corrupt { path, what },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path },
        _ => OpenError::Refused { path, what },
    }
}
