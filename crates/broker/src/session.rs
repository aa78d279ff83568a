//! Operations that sign a user in: register, login, refresh, change-password.

use secrecy::SecretString;
use uuid::Uuid;
use vestibule_core::answer::Session;
use vestibule_core::identity::{Existing, ExternalIdRule};
use vestibule_core::request::{ChangePassword, Login, Refresh, Register};
use vestibule_core::store::{
    Account, DeviceKey, IdentityKey, NewAccount, Registration, StoredIdentity,
};
use vestibule_core::{
    Answer, DeviceId, Error, ErrorKind, ExternalId, Identity, Payload, Result, Timestamp, UserId,
};

use crate::accounts;
use crate::perform::Job;

impl Job<'_> {
    /// Makes a user, or signs in the one that the identity has.
    pub(crate) async fn register(self, payload: Payload) -> Result<Answer> {
        let device_id = self.device_id.unwrap_or_else(|| self.mint_device());
        let request = Register::new(device_id, payload);
        let who = self.ask(self.instance.provider.register(&self.call(), request)).await?;
        let refuse = who.existing == Existing::Refuse;
        let (done, external_id) = self.admit(&who, Some(device_id)).await?;
        if refuse && !done.created {
            return Err(Error::new(ErrorKind::AlreadyRegistered));
        }
        Ok(self.session(done.found.account, device_id, external_id, who, Some(done.created)))
    }

    /// Signs in somebody who proved who it is.
    pub(crate) async fn login(self, payload: Payload) -> Result<Answer> {
        let request = Login::new(self.device_id, payload);
        let who = self.ask(self.instance.provider.login(&self.call(), request)).await?;
        self.sign_in(who).await
    }

    /// Exchanges a refresh token of the provider's own.
    pub(crate) async fn refresh(self, token: Option<SecretString>) -> Result<Answer> {
        let device_id = self.device_id.ok_or_else(|| Error::field("deviceId", "is required"))?;
        let token = token.ok_or_else(|| Error::field("refreshToken", "is required"))?;
        let request = Refresh::new(device_id, token);
        let who = self.ask(self.instance.provider.refresh(&self.call(), request)).await?;
        self.sign_in(who).await
    }

    /// Replaces the password; the user goes on with what the provider issued for the new one.
    pub(crate) async fn change_password(
        self,
        token: SecretString,
        payload: Payload,
    ) -> Result<Answer> {
        let request = ChangePassword::new(token, payload);
        let who = self.ask(self.instance.provider.change_password(&self.call(), request)).await?;
        self.sign_in(who).await
    }

    async fn sign_in(self, who: Identity) -> Result<Answer> {
        let device_id = self.device_id.unwrap_or_else(|| self.mint_device());
        let key = self.identity_key(&who);
        if let Some(found) = self.found.as_ref().filter(|found| found.identity.key == key) {
            // The account was found by what the caller showed; if it has been erased since,
            // the login fails instead of making it anew.
            let device = (self.keys.device_key(device_id), device_id.shown());
            let now = self.broker.now();
            let account = self.project.accounts.record_login(found.account.id, device, now).await?;
            let account = account.ok_or_else(|| Error::new(ErrorKind::InvalidCredential))?;
            let external_id = self.external_id_of(&key);
            return Ok(self.session(account, device_id, external_id, who, None));
        }
        let (done, external_id) = self.admit(&who, Some(device_id)).await?;
        Ok(self.session(done.found.account, device_id, external_id, who, None))
    }

    /// Finds the account of an identity, or makes it.
    pub(crate) async fn admit(
        &self,
        who: &Identity,
        device: Option<DeviceId>,
    ) -> Result<(Registration, ExternalId)> {
        let key = self.identity_key(who);
        let external_id = match who.external_id {
            ExternalIdRule::Random => self.mint_external_id(),
            _ => self.keys.external_id(&key),
        };
        let adapter_data = who
            .adapter_data
            .as_ref()
            .map(|data| accounts::seal(self.project.id(), &key, data, &self.broker.vault))
            .transpose()?;
        let at = self.broker.now();
        let device: Option<(DeviceKey, String)> =
            device.map(|id| (self.keys.device_key(id), id.shown()));
        let new = NewAccount {
            id: self.mint_user(at),
            identity: StoredIdentity {
                external: self.keys.external_key(&external_id),
                key,
                attributes: who.attributes.clone(),
                adapter_data,
            },
            device,
            username: who.username.clone(),
            app_profile: who.app_profile.clone(),
            existing: who.existing,
            at,
        };
        Ok((self.project.accounts.find_or_create(new).await?, external_id))
    }

    fn session(
        &self,
        account: Account,
        device_id: DeviceId,
        external_id: ExternalId,
        who: Identity,
        is_new: Option<bool>,
    ) -> Answer {
        let time_stamp = self.broker.now();
        Answer::Session(Box::new(Session {
            device_id,
            time_stamp,
            signature: self.keys.sign(account.id, time_stamp),
            external_id,
            user_id: account.id,
            sign_up: account.sign_up,
            username: account.username,
            tokens: who.tokens,
            is_new,
        }))
    }

    pub(crate) fn identity_key(&self, who: &Identity) -> IdentityKey {
        IdentityKey {
            instance: self.instance.id().clone(),
            issuer: who.issuer.clone(),
            subject: who.subject.clone(),
        }
    }

    /// How the identity is named in an answer: as the caller named it, else as it is derived.
    pub(crate) fn external_id_of(&self, key: &IdentityKey) -> ExternalId {
        match &self.external_id {
            Some(named) if self.found.as_ref().is_some_and(|found| found.identity.key == *key) => {
                named.clone()
            }
            _ => self.keys.external_id(key),
        }
    }

    /// A UUIDv7 (RFC 9562 §5.7): new accounts stand beside each other in the store.
    fn mint_user(&self, at: Timestamp) -> UserId {
        let mut random = [0; 10];
        self.broker.entropy.fill(&mut random);
        let millis = u64::try_from(at.millis()).unwrap_or(0);
        let id: Uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        UserId::new(id)
    }

    fn mint_device(&self) -> DeviceId {
        DeviceId::new(self.broker.random_uuid())
    }

    fn mint_external_id(&self) -> ExternalId {
        let mut bytes = [0; 32];
        self.broker.entropy.fill(&mut bytes);
        ExternalId::from_bytes(&bytes)
    }
}
