//! A store in memory, which keeps the same rules as a real one but the durable ones.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use vestibule_core::identity::Existing;
use vestibule_core::ids::{InstanceId, ProjectId, UserId};
use vestibule_core::payload::AppProfile;
use vestibule_core::ports::Timestamp;
use vestibule_core::store::{
    Account, AccountStore, DeviceKey, ExternalKey, Found, IdentityKey, KeyName, KeyStore,
    MAX_DEVICES, MAX_LOGINS, NewAccount, ProfilePatch, Registration, Sealed, StoreError,
    StoreResult, StoredDevice, StoredIdentity, Stores,
};

/// A store that forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryStores {
    state: Arc<State>,
}

impl MemoryStores {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn handle(&self, project: ProjectId) -> Arc<Handle> {
        Arc::new(Handle { state: Arc::clone(&self.state), project })
    }
}

#[async_trait]
impl Stores for MemoryStores {
    fn accounts(&self, project: ProjectId) -> Arc<dyn AccountStore> {
        self.handle(project)
    }

    fn keys(&self, project: ProjectId) -> Arc<dyn KeyStore> {
        self.handle(project)
    }

    async fn ready(&self) -> StoreResult<()> {
        self.state.with(ProjectId::new(uuid::Uuid::nil()), |_| Ok(()))
    }

    fn queue_depth(&self) -> usize {
        0
    }

    async fn close(&self) {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// `None` once closed.
struct State(Mutex<Option<HashMap<ProjectId, Project>>>);

impl Default for State {
    fn default() -> Self {
        Self(Mutex::new(Some(HashMap::new())))
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State(…)")
    }
}

impl State {
    fn with<T>(
        &self,
        project: ProjectId,
        work: impl FnOnce(&mut Project) -> StoreResult<T>,
    ) -> StoreResult<T> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.as_mut() {
            Some(projects) => work(projects.entry(project).or_default()),
            None => Err(StoreError::Unavailable("it is closed".to_owned())),
        }
    }
}

#[derive(Default)]
struct Project {
    accounts: BTreeMap<UserId, Account>,
    identities: BTreeMap<IdentityKey, (UserId, StoredIdentity)>,
    externals: BTreeMap<ExternalKey, IdentityKey>,
    devices: BTreeMap<(UserId, DeviceKey), StoredDevice>,
    keys: BTreeMap<KeyName, Sealed>,
}

impl Project {
    fn find(&self, key: &IdentityKey) -> Option<Found> {
        let (id, identity) = self.identities.get(key)?;
        let account = self.accounts.get(id)?.clone();
        Some(Found { account, identity: identity.clone() })
    }

    fn create(&mut self, new: NewAccount) -> StoreResult<Registration> {
        let taken = self.accounts.contains_key(&new.id)
            || self.externals.contains_key(&new.identity.external);
        if taken {
            return Err(StoreError::Conflict);
        }
        let account = Account {
            id: new.id,
            username: new.username,
            app_profile: new.app_profile.unwrap_or_else(AppProfile::empty),
            sign_up: new.at,
            updated_at: new.at,
            logins: vec![new.at],
            revision: 0,
        };
        let identity = new.identity;
        self.accounts.insert(new.id, account.clone());
        self.externals.insert(identity.external, identity.key.clone());
        self.identities.insert(identity.key.clone(), (new.id, identity.clone()));
        self.keep_device(new.id, new.device, new.at);
        Ok(Registration { found: Found { account, identity }, created: true })
    }

    fn sign_in(&mut self, mut found: Found, new: NewAccount) -> Registration {
        let id = found.account.id;
        note_login(&mut found.account, new.at);
        if !new.identity.attributes.is_empty() {
            found.identity.attributes = new.identity.attributes;
        }
        if new.identity.adapter_data.is_some() {
            found.identity.adapter_data = new.identity.adapter_data;
        }
        self.accounts.insert(id, found.account.clone());
        self.identities.insert(found.identity.key.clone(), (id, found.identity.clone()));
        self.keep_device(id, new.device, new.at);
        Registration { found, created: false }
    }

    fn keep_device(&mut self, id: UserId, device: Option<(DeviceKey, String)>, at: Timestamp) {
        if let Some((key, shown)) = device {
            self.devices
                .entry((id, key))
                .and_modify(|device| device.last_login = at)
                .or_insert(StoredDevice { key, shown, sign_up: at, last_login: at });
            let mut own: Vec<_> = self
                .devices
                .iter()
                .filter(|((owner, _), _)| *owner == id)
                .map(|((_, key), device)| (device.last_login, device.sign_up, *key))
                .collect();
            own.sort_by(|one, other| other.cmp(one));
            for (_, _, forgotten) in own.into_iter().skip(MAX_DEVICES) {
                self.devices.remove(&(id, forgotten));
            }
        }
    }

    fn erase(&mut self, id: UserId) -> bool {
        self.devices.retain(|(owner, _), _| *owner != id);
        self.identities.retain(|_, (owner, _)| *owner != id);
        let left = &self.identities;
        self.externals.retain(|_, key| left.contains_key(key));
        self.accounts.remove(&id).is_some()
    }
}

fn note_login(account: &mut Account, at: Timestamp) {
    account.logins.push(at);
    account.logins.drain(..account.logins.len().saturating_sub(MAX_LOGINS));
}

#[derive(Debug)]
struct Handle {
    state: Arc<State>,
    project: ProjectId,
}

#[async_trait]
impl AccountStore for Handle {
    async fn find(&self, key: &IdentityKey) -> StoreResult<Option<Found>> {
        self.state.with(self.project, |project| Ok(project.find(key)))
    }

    async fn find_by_external(
        &self,
        instance: &InstanceId,
        external: &ExternalKey,
    ) -> StoreResult<Option<Found>> {
        self.state.with(self.project, |project| {
            let key = project.externals.get(external).filter(|key| key.instance == *instance);
            Ok(key.and_then(|key| project.find(key)))
        })
    }

    async fn find_or_create(&self, new: NewAccount) -> StoreResult<Registration> {
        self.state.with(self.project, |project| match project.find(&new.identity.key) {
            None => project.create(new),
            Some(found) if new.existing == Existing::Refuse => {
                Ok(Registration { found, created: false })
            }
            Some(found) => Ok(project.sign_in(found, new)),
        })
    }

    async fn record_login(
        &self,
        id: UserId,
        device: (DeviceKey, String),
        at: Timestamp,
    ) -> StoreResult<Option<Account>> {
        self.state.with(self.project, |project| {
            let Some(account) = project.accounts.get_mut(&id) else {
                return Ok(None);
            };
            note_login(account, at);
            let account = account.clone();
            project.keep_device(id, Some(device), at);
            Ok(Some(account))
        })
    }

    async fn update(
        &self,
        id: UserId,
        patch: ProfilePatch,
        at: Timestamp,
    ) -> StoreResult<Option<Account>> {
        self.state.with(self.project, |project| {
            let Some(account) = project.accounts.get_mut(&id) else {
                return Ok(None);
            };
            if patch.expected_revision.is_some_and(|expected| expected != account.revision) {
                return Err(StoreError::Conflict);
            }
            if patch.username.is_some() || patch.app_profile.is_some() {
                account.username = patch.username.or_else(|| account.username.take());
                if let Some(app_profile) = patch.app_profile {
                    account.app_profile = app_profile;
                }
                account.updated_at = at;
                account.revision += 1;
            }
            Ok(Some(account.clone()))
        })
    }

    async fn devices(&self, id: UserId) -> StoreResult<Vec<StoredDevice>> {
        self.state.with(self.project, |project| {
            let mut devices: Vec<_> = project
                .devices
                .iter()
                .filter(|((owner, _), _)| *owner == id)
                .map(|(_, device)| device.clone())
                .collect();
            devices.sort_by_key(|device| (device.sign_up, device.key));
            Ok(devices)
        })
    }

    async fn erase(&self, id: UserId) -> StoreResult<bool> {
        self.state.with(self.project, |project| Ok(project.erase(id)))
    }
}

#[async_trait]
impl KeyStore for Handle {
    async fn find_or_create(&self, name: KeyName, candidate: Sealed) -> StoreResult<Sealed> {
        self.state
            .with(self.project, |project| Ok(project.keys.entry(name).or_insert(candidate).clone()))
    }

    async fn find(&self, name: KeyName) -> StoreResult<Option<Sealed>> {
        self.state.with(self.project, |project| Ok(project.keys.get(&name).cloned()))
    }
}
