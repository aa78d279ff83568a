//! Opening a file, or refusing it.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{OpenError, explain};
use crate::{migrate, wal, writer};

/// How long a write waits for a lock that another program holds on the file.
const BUSY: Duration = Duration::from_secs(2);

/// Up to this size the whole file is checked at start; a larger one would delay the start.
const CHECKED_SIZE: u64 = 256 * 1024 * 1024;

/// Which file to open.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// The database file. Beside it lie its write-ahead log and a lock file.
    pub path: PathBuf,
    /// Whether an absent file, and its directory, may be made.
    pub create: bool,
}

impl SqliteOptions {
    /// The file at a path, made when it is absent.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), create: true }
    }
}

/// A file that passed every check.
pub(crate) struct Opened {
    pub(crate) path: PathBuf,
    pub(crate) connection: Connection,
    pub(crate) lock: File,
    pub(crate) created: bool,
}

/// Opens a file for writing and brings its tables up to date.
pub(crate) fn open(options: &SqliteOptions) -> Result<Opened, OpenError> {
    let path = locate(options)?;
    let (mut lock, kept_before) = lock(&path)?;
    let created = if exists(&path)? {
        false
    } else if kept_before {
        return Err(OpenError::Missing { path });
    } else if !options.create {
        return Err(OpenError::Absent { path });
    } else {
        create(&path)?;
        true
    };
    check_header(&path)?;
    check_log(&path)?;
    let mut connection = connect(&path).map_err(|error| explain(&path, &error))?;
    check_content(&path, &connection)?;
    if connection.is_readonly(rusqlite::MAIN_DB).map_err(|error| explain(&path, &error))? {
        return Err(OpenError::ReadOnly { path });
    }
    prepare(&mut connection).map_err(|error| explain(&path, &error))?;
    migrate::check(&connection)
        .map_err(|error| OpenError::Corrupt { path: path.clone(), what: error.to_string() })?;
    mark(&mut lock).map_err(|source| OpenError::Io { path: beside(&path, ".lock"), source })?;
    if created {
        tracing::warn!(path = %path.display(), "made a new, empty database");
    }
    Ok(Opened { path, connection, lock, created })
}

/// What stands in the lock file once a store was opened beside it. A later start that finds the
/// mark and no database knows that one was lost.
const KEPT: &str = "a store is kept here";

fn mark(lock: &mut File) -> io::Result<()> {
    writeln!(lock, "{KEPT}")
}

/// The one spelling of the path, so that two ways to write it meet at one lock file.
fn locate(options: &SqliteOptions) -> Result<PathBuf, OpenError> {
    if let Ok(path) = options.path.canonicalize() {
        return Ok(path);
    }
    let absent = || OpenError::Absent { path: options.path.clone() };
    let name = options.path.file_name().ok_or_else(absent)?;
    let directory = match options.path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if options.create {
        make_directory(directory)
            .map_err(|source| OpenError::Directory { path: directory.to_owned(), source })?;
    }
    directory.canonicalize().map(|directory| directory.join(name)).map_err(|_| absent())
}

/// Only this user may look into a directory that holds users' records.
fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Takes the lock file, for as long as the returned handle lives; and whether it says that a store
/// was opened here before. The file itself stays: to
/// delete it would let a third process lock a new one beside the holder of the old one.
fn lock(path: &Path) -> Result<(File, bool), OpenError> {
    let lock_path = beside(path, ".lock");
    let io = |source| OpenError::Io { path: lock_path.clone(), source };
    let mut file =
        private_file().create(true).truncate(false).open(&lock_path).map_err(|source| {
            OpenError::Directory { path: path.parent().unwrap_or(path).to_owned(), source }
        })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenError::InUse { path: path.to_owned(), holder: holder(&mut file) });
        }
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    let mut before = String::new();
    // What is not text was not written by this crate.
    let _ = (&file).take(256).read_to_string(&mut before);
    let kept = before.contains(KEPT);
    // The number is for the message of the process that comes second.
    file.rewind().map_err(io)?;
    file.set_len(0).map_err(io)?;
    writeln!(file, "{}", std::process::id()).map_err(io)?;
    if kept {
        mark(&mut file).map_err(io)?;
    }
    Ok((file, kept))
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(32).read_to_string(&mut text) {
        Ok(_) => match text.lines().next().map(str::trim).and_then(|line| line.parse().ok()) {
            Some::<u32>(number) => format!("process {number}"),
            None => "its number is not known".to_owned(),
        },
        _ => "its number is not known".to_owned(),
    }
}

/// Whether the database is there. A log without its database is refused: SQLite would delete it.
fn exists(path: &Path) -> Result<bool, OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    if path.try_exists().map_err(io)? {
        return Ok(true);
    }
    match beside(path, "-wal").metadata() {
        Ok(log) if log.len() > 0 => Err(OpenError::Lost { path: path.to_owned() }),
        _ => Ok(false),
    }
}

/// Makes a new database under another name and renames it when it is whole. So a file under the
/// real name is never an unfinished one, and an empty one is always a loss.
fn create(path: &Path) -> Result<(), OpenError> {
    let draft = beside(path, ".new");
    let io = |source| OpenError::Io { path: draft.clone(), source };
    for end in ["", "-wal", "-shm", "-journal"] {
        match std::fs::remove_file(beside(&draft, end)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
    }
    let file = private_file().create_new(true).open(&draft).map_err(io)?;
    fill(&draft).map_err(|error| explain(path, &error))?;
    file.sync_all().map_err(io)?;
    std::fs::rename(&draft, path).map_err(io)?;
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(io)?;
    }
    Ok(())
}

fn fill(draft: &Path) -> rusqlite::Result<()> {
    let mut connection = connect(draft)?;
    prepare(&mut connection)?;
    connection.close().map_err(|(_, error)| error)
}

/// Looks at the file before SQLite does: what follows must not touch a file that is not ours.
fn check_header(path: &Path) -> Result<(), OpenError> {
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    let path = path.to_owned();
    let mut header = Vec::with_capacity(100);
    File::open(&path).and_then(|file| file.take(100).read_to_end(&mut header)).map_err(io)?;
    if header.is_empty() {
        return Err(OpenError::Empty { path });
    }
    if header.len() < 100 || !header.starts_with(b"SQLite format 3\0") {
        return Err(OpenError::NotADatabase { path });
    }
    // The file got its mark before it got its name, so the mark is never only in the log.
    if header.get(68..72) != Some(migrate::APPLICATION_ID.to_be_bytes().as_slice()) {
        return Err(OpenError::OtherApplication { path });
    }
    Ok(())
}

fn check_log(path: &Path) -> Result<(), OpenError> {
    let log = beside(path, "-wal");
    match wal::damage(path, &log) {
        Ok(None) => Ok(()),
        Ok(Some(what)) => Err(OpenError::DamagedLog { path: log, what }),
        Err(source) => Err(OpenError::Io { path: log, source }),
    }
}

fn check_content(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| explain(path, &error);
    let found = migrate::version(connection).map_err(failed)?;
    let known = migrate::newest();
    if found > known {
        return Err(OpenError::Newer { path: path.to_owned(), found, known });
    }
    let size =
        path.metadata().map_err(|source| OpenError::Io { path: path.to_owned(), source })?.len();
    if size <= CHECKED_SIZE {
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if verdict != "ok" {
            let what = verdict.replace('\n', " ");
            return Err(OpenError::Corrupt { path: path.to_owned(), what });
        }
    }
    if size > CHECKED_SIZE {
        tracing::info!(
            bytes = size,
            "the database is large: its pages are checked as they are read"
        );
    }
    Ok(())
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY)?;
    settle(&connection)?;
    Ok(connection)
}

/// Settings of the writing connection, and the tables.
fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        // File systems without shared memory cannot do it, and readers would wait for writers.
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN),
            Some("this file system cannot hold a write-ahead log; use a local disk".to_owned()),
        ));
    }
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA cache_size = -65536;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    migrate::run(connection)?;
    // From here on the database file alone holds the schema, and the log starts empty.
    writer::checkpoint(connection)
}

/// The path with something added to its last part.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// What every connection has. A plan that depends on the values of its parameters would be made
/// anew at every call, which costs four times the lookup itself.
pub(crate) fn settle(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA trusted_schema = OFF;")?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

/// More than there are statements in this crate.
const STATEMENTS: usize = 64;
