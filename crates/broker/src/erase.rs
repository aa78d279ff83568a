//! Deletes a user who proved who it is.

use secrecy::SecretString;
use vestibule_core::request::Erase;
use vestibule_core::{Answer, Error, ErrorKind, Payload, Result};

use crate::perform::Job;

impl Job<'_> {
    /// Erases the account with its identities, devices and profile.
    pub(crate) async fn erase(
        self,
        token: Option<SecretString>,
        payload: Payload,
    ) -> Result<Answer> {
        let request = Erase::new(token, payload);
        let who = self.ask(self.instance.provider.erase(&self.call(), request)).await?;
        let key = self.identity_key(&who);
        let found = match self.found.as_ref().filter(|found| found.identity.key == key) {
            Some(found) => Some(found.account.id),
            None => self.project.accounts.find(&key).await?.map(|found| found.account.id),
        };
        match found {
            Some(id) if self.project.accounts.erase(id).await? => Ok(Answer::Erased(id)),
            _ => Err(Error::new(ErrorKind::UnknownUser)),
        }
    }
}
