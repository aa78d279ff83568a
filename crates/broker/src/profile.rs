//! Operations that read or change what is known about a user.

use vestibule_core::answer::{DeviceView, ProfileView};
use vestibule_core::store::{Account, Found, ProfilePatch, StoredDevice};
use vestibule_core::{Answer, Error, ErrorKind, Identity, Result};

use crate::perform::Job;

impl Job<'_> {
    /// What is known about somebody, with the devices where the operation shows them.
    pub(crate) async fn profile(mut self, who: Identity, with_devices: bool) -> Result<Answer> {
        let account = self.account_of(&who).await?;
        let devices = match with_devices {
            true => self.devices(&account).await?,
            false => Vec::new(),
        };
        Ok(Answer::Profile(Box::new(self.view(account, who, devices))))
    }

    /// Keeps what the adapter says is to be changed, and answers how the record stands then.
    pub(crate) async fn update(mut self, mut who: Identity) -> Result<Answer> {
        let account = self.account_of(&who).await?;
        let patch = ProfilePatch {
            username: who.username.take(),
            app_profile: who.app_profile.take(),
            expected_revision: None,
        };
        let account = match (&patch.username, &patch.app_profile) {
            (None, None) => account,
            _ => self
                .project
                .accounts
                .update(account.id, patch, self.broker.now())
                .await?
                .ok_or_else(|| Error::new(ErrorKind::UnknownUser))?,
        };
        Ok(Answer::Updated(Box::new(self.view(account, who, Vec::new()))))
    }

    /// The account of somebody whom the adapter vouched for. One who never called before gets
    /// an account now; one who was found by external id is not looked up twice.
    async fn account_of(&mut self, who: &Identity) -> Result<Account> {
        let key = self.identity_key(who);
        if let Some(Found { account, identity }) = &self.found
            && identity.key == key
        {
            return Ok(account.clone());
        }
        if let Some(found) = self.project.accounts.find(&key).await? {
            return Ok(found.account);
        }
        let (registration, _) = self.admit(who, None).await?;
        Ok(registration.found.account)
    }

    fn view(&self, account: Account, who: Identity, devices: Vec<DeviceView>) -> ProfileView {
        let external_id = self.external_id_of(&self.identity_key(&who));
        ProfileView {
            user_id: account.id,
            external_id,
            username: account.username,
            app_profile: account.app_profile,
            logins: account.logins,
            updated_at: account.updated_at,
            attributes: who.attributes,
            devices,
        }
    }

    async fn devices(&self, account: &Account) -> Result<Vec<DeviceView>> {
        let own = self.device_id.map(|id| (self.keys.device_key(id), id));
        let now = self.broker.now();
        let stored = self.project.accounts.devices(account.id).await?;
        Ok(stored
            .into_iter()
            .map(|device| match own {
                Some((key, device_id)) if key == device.key => DeviceView::Own {
                    device_id,
                    sign_up: device.sign_up,
                    last_login: device.last_login,
                    time_stamp: now,
                    signature: self.keys.sign(account.id, now),
                },
                _ => other(device),
            })
            .collect())
    }
}

fn other(device: StoredDevice) -> DeviceView {
    DeviceView::Other {
        shown: device.shown,
        sign_up: device.sign_up,
        last_login: device.last_login,
    }
}
