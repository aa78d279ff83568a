#![doc = include_str!("../README.md")]

mod account;
mod cache;
mod error;
mod key;
mod migrate;
mod open;
mod reader;
mod row;
mod statement;
mod wal;
mod writer;

pub use error::OpenError;
pub use open::SqliteOptions;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use vestibule_core::ids::ProjectId;
use vestibule_core::store::{AccountStore, KeyStore, StoreResult, Stores};

use crate::account::SqliteAccounts;
use crate::cache::Accounts;
use crate::key::SqliteKeys;
use crate::reader::Readers;
use crate::writer::Writer;

/// How long the question whether the store is ready may take.
const READY_WITHIN: Duration = Duration::from_secs(2);

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStores {
    shared: Arc<Shared>,
}

/// What the handles of all projects share.
pub(crate) struct Shared {
    // The readers are dropped before the writer, so that the writer's last checkpoint finds
    // nobody in its way.
    pub(crate) readers: Readers,
    pub(crate) writer: Writer,
    pub(crate) cache: Arc<Accounts>,
    created: bool,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("queue_depth", &self.writer.depth()).finish_non_exhaustive()
    }
}

impl SqliteStores {
    /// Opens the file, checks it, brings its tables up to date and starts the writer. Blocks:
    /// called once, at start.
    ///
    /// # Errors
    /// [`OpenError`], whose text is meant for the operator. Nothing was changed then, and no
    /// file was replaced.
    pub fn open(options: SqliteOptions) -> Result<Self, OpenError> {
        let opened = open::open(&options)?;
        let readers =
            Readers::open(&opened.path).map_err(|error| error::explain(&opened.path, &error))?;
        let writer = Writer::start(opened.connection, opened.lock)
            .map_err(|source| OpenError::Io { path: opened.path, source })?;
        let cache = Arc::new(Accounts::new());
        Ok(Self { shared: Arc::new(Shared { readers, writer, cache, created: opened.created }) })
    }

    /// Whether this call of [`SqliteStores::open`] made the file: there is no user yet.
    #[must_use]
    pub fn created(&self) -> bool {
        self.shared.created
    }
}

#[async_trait]
impl Stores for SqliteStores {
    fn accounts(&self, project: ProjectId) -> Arc<dyn AccountStore> {
        Arc::new(SqliteAccounts::new(Arc::clone(&self.shared), project))
    }

    fn keys(&self, project: ProjectId) -> Arc<dyn KeyStore> {
        Arc::new(SqliteKeys::new(Arc::clone(&self.shared), project))
    }

    async fn ready(&self) -> StoreResult<()> {
        // A write that changes nothing still waits its turn and takes the write lock, so it
        // fails for everything that would fail a real one but a full disk.
        self.shared.writer.submit_within(READY_WITHIN, |_| Ok(()), |()| ()).await
    }

    fn queue_depth(&self) -> usize {
        self.shared.writer.depth()
    }

    async fn close(&self) {
        self.shared.cache.close();
        self.shared.readers.close();
        self.shared.writer.close().await;
    }
}
