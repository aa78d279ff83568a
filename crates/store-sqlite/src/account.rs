//! Accounts with their identities and devices.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use uuid::Uuid;
use vestibule_core::identity::Existing;
use vestibule_core::ids::{InstanceId, ProjectId, UserId};
use vestibule_core::ports::Timestamp;
use vestibule_core::store::{
    Account, AccountStore, DeviceKey, ExternalKey, Found, IdentityKey, NewAccount, ProfilePatch,
    Registration, StoreResult, StoredDevice,
};

use crate::Shared;
use crate::statement;

/// The accounts of one project.
pub(crate) struct SqliteAccounts {
    shared: Arc<Shared>,
    project: Uuid,
}

impl SqliteAccounts {
    pub(crate) fn new(shared: Arc<Shared>, project: ProjectId) -> Self {
        Self { shared, project: project.uuid() }
    }

    /// Writes one account that is known by its id.
    async fn write<T: Send + 'static>(
        &self,
        id: UserId,
        work: impl FnOnce(&Connection) -> StoreResult<T> + Send + 'static,
    ) -> StoreResult<T> {
        let cache = Arc::clone(&self.shared.cache);
        self.shared.writer.submit_telling(work, move |_| cache.written(id)).await
    }
}

impl fmt::Debug for SqliteAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteAccounts").field("project", &self.project).finish_non_exhaustive()
    }
}

#[async_trait]
impl AccountStore for SqliteAccounts {
    async fn find(&self, key: &IdentityKey) -> StoreResult<Option<Found>> {
        self.shared.readers.read(|connection| statement::find(connection, self.project, key))
    }

    async fn find_by_external(
        &self,
        instance: &InstanceId,
        external: &ExternalKey,
    ) -> StoreResult<Option<Found>> {
        let cache = &self.shared.cache;
        let key = (self.project, *external);
        if let Some(found) = cache.get(&key) {
            let same = found.identity.key.instance == *instance;
            return Ok(same.then(|| Found::clone(&found)));
        }
        let as_of = cache.now();
        let found = self.shared.readers.read(|connection| {
            statement::find_by_external(connection, self.project, instance, external)
        })?;
        if let Some(found) = &found {
            cache.keep(key, Arc::new(found.clone()), as_of);
        }
        Ok(found)
    }

    async fn find_or_create(&self, new: NewAccount) -> StoreResult<Registration> {
        let project = self.project;
        let cache = Arc::clone(&self.shared.cache);
        let write = move |connection: &Connection| match statement::find(
            connection,
            project,
            &new.identity.key,
        )? {
            None => statement::create(connection, project, new),
            Some(found) if new.existing == Existing::Refuse => {
                Ok(Registration { found, created: false })
            }
            Some(found) => statement::sign_in(connection, project, found, new),
        };
        let committed = move |done: &Registration| cache.written(done.found.account.id);
        self.shared.writer.submit_telling(write, committed).await
    }

    async fn record_login(
        &self,
        id: UserId,
        device: (DeviceKey, String),
        at: Timestamp,
    ) -> StoreResult<Option<Account>> {
        let project = self.project;
        self.write(id, move |connection| {
            statement::record_login(connection, project, id, device, at)
        })
        .await
    }

    async fn update(
        &self,
        id: UserId,
        patch: ProfilePatch,
        at: Timestamp,
    ) -> StoreResult<Option<Account>> {
        let project = self.project;
        self.write(id, move |connection| statement::update(connection, project, id, patch, at))
            .await
    }

    async fn devices(&self, id: UserId) -> StoreResult<Vec<StoredDevice>> {
        self.shared.readers.read(|connection| statement::devices(connection, self.project, id))
    }

    async fn erase(&self, id: UserId) -> StoreResult<bool> {
        let project = self.project;
        self.write(id, move |connection| statement::erase(connection, project, id)).await
    }
}
