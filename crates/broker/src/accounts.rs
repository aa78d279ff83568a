//! What adapters may look up, and how stored identities become known ones.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use vestibule_core::deps::Accounts;
use vestibule_core::store::{AccountStore, Found, IdentityKey, Sealed};
use vestibule_core::{AdapterData, InstanceId, Issuer, KnownIdentity, ProjectId, Result, Subject};

use crate::seal::{Row, Vault};

/// The identities of one provider of one project.
pub(crate) struct ScopedAccounts {
    project: ProjectId,
    instance: InstanceId,
    store: Arc<dyn AccountStore>,
    vault: Arc<Vault>,
}

impl ScopedAccounts {
    pub(crate) fn new(
        project: ProjectId,
        instance: InstanceId,
        store: Arc<dyn AccountStore>,
        vault: Arc<Vault>,
    ) -> Self {
        Self { project, instance, store, vault }
    }
}

impl fmt::Debug for ScopedAccounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScopedAccounts({:?} {:?})", self.project, self.instance)
    }
}

#[async_trait]
impl Accounts for ScopedAccounts {
    async fn find(&self, issuer: &Issuer, subject: &Subject) -> Result<Option<KnownIdentity>> {
        let key = IdentityKey {
            instance: self.instance.clone(),
            issuer: issuer.clone(),
            subject: subject.clone(),
        };
        let found = self.store.find(&key).await?;
        found.map(|found| known(self.project, &found, &self.vault)).transpose()
    }
}

/// A stored identity as adapters see it, its adapter data opened.
pub(crate) fn known(project: ProjectId, found: &Found, vault: &Vault) -> Result<KnownIdentity> {
    let key = &found.identity.key;
    let mut known = KnownIdentity::new(found.account.id, key.issuer.clone(), key.subject.clone());
    known.attributes.clone_from(&found.identity.attributes);
    if let Some(sealed) = &found.identity.adapter_data {
        let place = place(key);
        let data = vault.open(&row(project, &place), sealed)?;
        known.adapter_data = Some(AdapterData::new(data.as_slice()));
    }
    Ok(known)
}

/// Adapter data, encrypted for its row.
pub(crate) fn seal(
    project: ProjectId,
    key: &IdentityKey,
    data: &AdapterData,
    vault: &Vault,
) -> Result<Sealed> {
    vault.seal(&row(project, &place(key)), data.as_bytes())
}

fn row(project: ProjectId, place: &str) -> Row<'_> {
    Row { project, table: "identity", id: place }
}

/// Names the row: three parts that cannot shift into each other.
fn place(key: &IdentityKey) -> String {
    let issuer = key.issuer.as_str();
    format!("{}\n{}\n{issuer}\n{}", key.instance.as_str(), issuer.len(), key.subject.as_str())
}
