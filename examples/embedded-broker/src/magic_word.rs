//! An adapter: whoever knows the magic word may sign in under any name.

use async_trait::async_trait;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use vestibule_core::request::Login;
use vestibule_core::{
    Call, Capabilities, Credential, Deps, Error, ErrorKind, Field, FieldKind, Identity, Issuer,
    Operation, Provider, ProviderConfig, Result, SecretRef, Subject,
};

/// Settings of the kind `magic-word`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MagicWordConfig {
    /// The word, as a reference to a secret.
    word: SecretRef,
}

impl ProviderConfig for MagicWordConfig {
    const KIND: &'static str = "magic-word";
    type Provider = MagicWord;

    fn build(self, deps: Deps) -> Result<MagicWord> {
        Ok(MagicWord { word: deps.secrets.resolve(&self.word)? })
    }
}

/// The provider that the settings build.
#[derive(Debug)]
pub(crate) struct MagicWord {
    word: SecretString,
}

/// What `data` takes.
#[derive(Deserialize)]
struct Entry {
    name: String,
    word: SecretString,
}

#[async_trait]
impl Provider for MagicWord {
    fn capabilities(&self) -> Capabilities {
        Capabilities::none().offer(
            Operation::Login,
            Credential::None,
            [
                Field::required("name", FieldKind::Text),
                Field::required("word", FieldKind::Password),
            ],
        )
    }

    async fn login(&self, _: &Call<'_>, request: Login) -> Result<Identity> {
        let entry: Entry = request.payload.parse()?;
        // Digests of the two are compared, so that the time tells nothing about the word.
        let digest = |word: &SecretString| Subject::digest(&[word.expose_secret().as_bytes()]);
        if digest(&entry.word) != digest(&self.word) {
            return Err(Error::new(ErrorKind::InvalidCredential));
        }
        let subject = Subject::parse(&entry.name)
            .ok_or_else(|| Error::field("data.name", "must be 1 to 255 bytes"))?;
        Ok(Identity::new(Issuer::new("magic-word"), subject).attribute("nickname", entry.name))
    }
}
