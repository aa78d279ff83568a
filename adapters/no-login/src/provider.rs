//! The provider of users without a login.

use std::sync::Arc;

use async_trait::async_trait;
use vestibule_core::identity::ExternalIdRule;
use vestibule_core::payload::ProfileUpdate;
use vestibule_core::request::{Erase, Profile, Register, Update};
use vestibule_core::{
    Call, Capabilities, Credential, Entropy, Error, ErrorKind, Field, FieldKind, Identity, Issuer,
    Operation, Provider, Result, Subject,
};

/// Users by external id.
#[derive(Debug)]
pub struct NoLogin {
    entropy: Arc<dyn Entropy>,
}

impl NoLogin {
    /// A provider that draws its subjects from this source.
    #[must_use]
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy }
    }
}

#[async_trait]
impl Provider for NoLogin {
    fn capabilities(&self) -> Capabilities {
        let username = || Field::optional("username", FieldKind::Text);
        Capabilities::none()
            .offer(Operation::Register, Credential::None, [username()])
            .offer(Operation::Profile, Credential::ExternalId, [])
            .offer(
                Operation::Update,
                Credential::ExternalId,
                [Field::optional("appProfile", FieldKind::Object), username()],
            )
            .offer(Operation::Erase, Credential::ExternalId, [])
    }

    /// Every registration is another user: the subject is drawn, and the broker draws the
    /// external id apart from it.
    async fn register(&self, _: &Call<'_>, request: Register) -> Result<Identity> {
        let data: ProfileUpdate = request.payload.parse()?;
        let mut drawn = [0; 32];
        self.entropy.fill(&mut drawn);
        Ok(Identity::new(Issuer::new("noLogin"), Subject::digest(&[&drawn]))
            .external_id(ExternalIdRule::Random)
            .username(data.username))
    }

    async fn profile(&self, call: &Call<'_>, _: Profile) -> Result<Identity> {
        holder(call)
    }

    async fn update(&self, call: &Call<'_>, request: Update) -> Result<Identity> {
        let data: ProfileUpdate = request.payload.parse()?;
        Ok(holder(call)?.username(data.username).app_profile(data.app_profile))
    }

    async fn erase(&self, call: &Call<'_>, _: Erase) -> Result<Identity> {
        holder(call)
    }
}

/// Whoever holds the external id is the user: that is the whole proof.
fn holder(call: &Call<'_>) -> Result<Identity> {
    call.account
        .map(|known| Identity::new(known.issuer.clone(), known.subject.clone()))
        .ok_or_else(|| Error::new(ErrorKind::UnknownUser))
}
