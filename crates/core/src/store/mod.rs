//! What a store must promise.
//!
//! # Contract
//! `store_conformance!` in the testkit tests these rules against a real store.
//!
//! 1. **Tenant**: a handle is scoped to one project. What another project holds cannot be read,
//!    found, changed or told apart from what does not exist.
//! 2. **Atomic intentions**: each write method is one transaction that is committed whole or
//!    not at all. No method hands out a transaction, lock or row, so none can be held across an
//!    upstream call.
//! 3. **Durable**: a write that returned `Ok` is on disk.
//! 4. **Lookups** answer `None` for what is not there; that is not an error.
//! 5. **Time** comes from the caller; a store never asks a clock.

mod account;
mod key;

pub use account::{
    Account, AccountStore, DeviceKey, ExternalKey, Found, IdentityKey, MAX_DEVICES, MAX_LOGINS,
    NewAccount, ProfilePatch, Registration, Sealed, StoredDevice, StoredIdentity,
};
pub use key::{KeyName, KeyStore};

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::{Error, ErrorKind};
use crate::ids::ProjectId;

/// `Result` with [`StoreError`].
pub type StoreResult<T> = Result<T, StoreError>;

/// A whole store.
#[async_trait]
pub trait Stores: fmt::Debug + Send + Sync {
    /// The accounts of one project.
    fn accounts(&self, project: ProjectId) -> Arc<dyn AccountStore>;

    /// The keys of one project.
    fn keys(&self, project: ProjectId) -> Arc<dyn KeyStore>;

    /// Whether a write would be taken now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], with why.
    async fn ready(&self) -> StoreResult<()>;

    /// How many writes wait for their turn.
    fn queue_depth(&self) -> usize;

    /// Finishes what was accepted and closes the files. Later calls are refused.
    async fn close(&self);
}

/// Why a store refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The record changed since it was read.
    #[error("the record changed in between")]
    Conflict,
    /// The store cannot do it now: busy, full, closed or unreachable. Nothing was acknowledged.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A row holds what it cannot hold. Somebody must look at it.
    #[error("corrupt row in {table}: {what}")]
    Corrupt {
        /// In which table.
        table: &'static str,
        /// What is wrong with it; never its content.
        what: String,
    },
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Conflict => ErrorKind::Conflict,
            StoreError::Unavailable(_) => ErrorKind::StoreUnavailable,
            StoreError::Corrupt { .. } => ErrorKind::Internal,
        };
        Self::new(kind).step("store").source(error)
    }
}
