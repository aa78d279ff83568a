//! Keys that the broker makes for a project and keeps, encrypted by the master key.

use std::fmt;

use async_trait::async_trait;

use super::{Sealed, StoreResult};

/// Which key of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum KeyName {
    /// Derives external ids and hashes device ids.
    Identity,
    /// Makes `signature`, where the configuration gives no key.
    Signature,
    /// A known text under the master key, by which a wrong master key is told at start.
    MasterCheck,
}

impl KeyName {
    /// The name in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Signature => "signature",
            Self::MasterCheck => "master_check",
        }
    }
}

/// The keys of one project.
#[async_trait]
pub trait KeyStore: fmt::Debug + Send + Sync {
    /// Keeps the candidate if there is no key of this name yet; answers the one that is kept.
    /// Called by many at once, all get the same.
    async fn find_or_create(&self, name: KeyName, candidate: Sealed) -> StoreResult<Sealed>;

    /// The key, if there is one.
    async fn find(&self, name: KeyName) -> StoreResult<Option<Sealed>>;
}
