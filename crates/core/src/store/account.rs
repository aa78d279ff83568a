//! Accounts, their identities and devices.

use std::fmt;

use async_trait::async_trait;

use super::StoreResult;
use crate::identity::{Attributes, Existing, Issuer, Subject};
use crate::ids::{InstanceId, UserId};
use crate::payload::{AppProfile, Username};
use crate::ports::Timestamp;

/// How many login times an account keeps.
pub const MAX_LOGINS: usize = 20;

/// How many devices an account keeps: those that signed in last. A client that forgets its device
/// id at every start makes a new device each time.
pub const MAX_DEVICES: usize = 50;

/// A user of a project.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// The wire's `userId`.
    pub id: UserId,
    /// The name that the user is shown under.
    pub username: Option<Username>,
    /// The app's own object.
    pub app_profile: AppProfile,
    /// When it was made.
    pub sign_up: Timestamp,
    /// When it last changed, logins not counted.
    pub updated_at: Timestamp,
    /// The last [`MAX_LOGINS`] login times, oldest first.
    pub logins: Vec<Timestamp>,
    /// Grows by one with every change of name or profile.
    pub revision: i64,
}

/// What makes an identity unique within a project: provider instance, issuer and subject.
/// Nothing else ever does.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdentityKey {
    /// Which provider of the project.
    pub instance: InstanceId,
    /// Who vouches.
    pub issuer: Issuer,
    /// For whom.
    pub subject: Subject,
}

/// What an external id is found by: a keyed hash, so that a copy of the store holds no id that
/// could be replayed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExternalKey(pub [u8; 32]);

/// What a device is found by: a keyed hash, for the same reason.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceKey(pub [u8; 32]);

impl fmt::Debug for ExternalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalKey(…)")
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey(…)")
    }
}

/// Bytes that the broker encrypted; opaque to a store.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// An identity as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredIdentity {
    /// What makes it unique.
    pub key: IdentityKey,
    /// What its external id is found by.
    pub external: ExternalKey,
    /// What the provider said last.
    pub attributes: Attributes,
    /// What the adapter asked to remember.
    pub adapter_data: Option<Sealed>,
}

/// A device as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDevice {
    /// What it is found by.
    pub key: DeviceKey,
    /// The first eight characters of its id, for the user's list of devices.
    pub shown: String,
    /// When it first signed in.
    pub sign_up: Timestamp,
    /// When it last signed in.
    pub last_login: Timestamp,
}

/// An identity and the account that it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The account.
    pub account: Account,
    /// The identity by which it was found.
    pub identity: StoredIdentity,
}

/// A user to be made, unless the identity has one already.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// The id for a new account.
    pub id: UserId,
    /// The identity.
    pub identity: StoredIdentity,
    /// The device that signs in, with the first eight characters of its id.
    pub device: Option<(DeviceKey, String)>,
    /// The name for a new account.
    pub username: Option<Username>,
    /// The profile for a new account; `None` is `{}`.
    pub app_profile: Option<AppProfile>,
    /// What happens when the identity is there already.
    pub existing: Existing,
    /// Now.
    pub at: Timestamp,
}

/// What became of a [`NewAccount`].
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// The account as it stands now.
    pub found: Found,
    /// Whether this call made it.
    pub created: bool,
}

/// A change of an account. What is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ProfilePatch {
    /// The new name.
    pub username: Option<Username>,
    /// The new profile, replacing the old one whole.
    pub app_profile: Option<AppProfile>,
    /// Refuses with [`super::StoreError::Conflict`] when the account has another revision.
    pub expected_revision: Option<i64>,
}

/// The accounts of one project, with their identities and devices.
#[async_trait]
pub trait AccountStore: fmt::Debug + Send + Sync {
    /// The account of an identity.
    async fn find(&self, key: &IdentityKey) -> StoreResult<Option<Found>>;

    /// The account of an external id of one provider instance.
    async fn find_by_external(
        &self,
        instance: &InstanceId,
        external: &ExternalKey,
    ) -> StoreResult<Option<Found>>;

    /// Makes account, identity and device, or finds what the identity already has. When it is
    /// found and [`Existing::SignIn`] is asked for, the login is recorded, the attributes and
    /// adapter data are replaced where given, all in the same transaction; with
    /// [`Existing::Refuse`] nothing is written.
    ///
    /// Called by fifty at once for one identity, it makes one account and says `created` once.
    async fn find_or_create(&self, new: NewAccount) -> StoreResult<Registration>;

    /// Records a login of an account that exists: the time, and the device by its key and the
    /// first eight characters of its id. `None` when there is no such account; none is made.
    async fn record_login(
        &self,
        id: UserId,
        device: (DeviceKey, String),
        at: Timestamp,
    ) -> StoreResult<Option<Account>>;

    /// Changes name and profile; answers the account as it stands then. `None` when there is no
    /// such account.
    async fn update(
        &self,
        id: UserId,
        patch: ProfilePatch,
        at: Timestamp,
    ) -> StoreResult<Option<Account>>;

    /// The devices of an account, oldest first.
    async fn devices(&self, id: UserId) -> StoreResult<Vec<StoredDevice>>;

    /// Deletes the account with its identities and devices. Whether there was one.
    async fn erase(&self, id: UserId) -> StoreResult<bool>;
}
