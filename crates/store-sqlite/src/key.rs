//! The keys of a project.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, params};
use uuid::Uuid;
use vestibule_core::ids::ProjectId;
use vestibule_core::store::{KeyName, KeyStore, Sealed, StoreError, StoreResult};

use crate::Shared;
use crate::row::{column, refused};

const FIND: &str = "SELECT sealed FROM project_key WHERE project = ?1 AND name = ?2";
const INSERT: &str = "INSERT INTO project_key (project, name, sealed) VALUES (?1, ?2, ?3)
    ON CONFLICT (project, name) DO NOTHING";

/// The keys of one project.
pub(crate) struct SqliteKeys {
    shared: Arc<Shared>,
    project: Uuid,
}

impl SqliteKeys {
    pub(crate) fn new(shared: Arc<Shared>, project: ProjectId) -> Self {
        Self { shared, project: project.uuid() }
    }
}

impl fmt::Debug for SqliteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteKeys").field("project", &self.project).finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyStore for SqliteKeys {
    async fn find_or_create(&self, name: KeyName, candidate: Sealed) -> StoreResult<Sealed> {
        let project = self.project;
        self.shared
            .writer
            .submit(move |connection| {
                connection
                    .prepare_cached(INSERT)
                    .and_then(|mut insert| {
                        insert.execute(params![project.as_bytes(), name.as_str(), candidate.0])
                    })
                    .map_err(refused)?;
                find(connection, project, name)?.ok_or_else(|| StoreError::Corrupt {
                    table: "project_key",
                    what: "a key that was just kept is not there".to_owned(),
                })
            })
            .await
    }

    async fn find(&self, name: KeyName) -> StoreResult<Option<Sealed>> {
        self.shared.readers.read(|connection| find(connection, self.project, name))
    }
}

fn find(connection: &Connection, project: Uuid, name: KeyName) -> StoreResult<Option<Sealed>> {
    let mut statement = connection.prepare_cached(FIND).map_err(refused)?;
    let mut rows = statement.query(params![project.as_bytes(), name.as_str()]).map_err(refused)?;
    match rows.next().map_err(refused)? {
        Some(row) => column(row, 0, "project_key", "sealed").map(|bytes| Some(Sealed(bytes))),
        None => Ok(None),
    }
}
