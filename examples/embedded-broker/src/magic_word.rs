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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vestibule_core::ports::NoEgress;
    use vestibule_core::{Payload, Timestamp};
    use vestibule_testkit::{
        FixedClock, MapSecrets, NoAccounts, Person, ProviderHarness, Request, SeededEntropy,
    };

    use super::*;

    struct Harness;

    fn login(name: &str, word: &str) -> Request {
        let json = format!(r#"{{"name":"{name}","word":"{word}"}}"#);
        Login::new(None, Payload::from_json(&json).expect("an object")).into()
    }

    impl ProviderHarness for Harness {
        fn provider(&self) -> Result<Arc<dyn Provider>> {
            let deps = Deps::new(
                Arc::new(NoEgress),
                Arc::new(FixedClock::new(Timestamp::from_secs(0))),
                Arc::new(SeededEntropy::new(1)),
                Arc::new(MapSecrets::new().with("env:MAGIC_WORD", "sesame-canary")),
                Arc::new(NoAccounts),
            );
            let word = SecretRef::parse("env:MAGIC_WORD").expect("a reference");
            Ok(Arc::new(MagicWordConfig { word }.build(deps)?))
        }

        fn valid(&self, operation: Operation, person: Person) -> Option<Request> {
            let name = match person {
                Person::First => "Ali",
                Person::Second => "Morgiana",
            };
            (operation == Operation::Login).then(|| login(name, "sesame-canary"))
        }

        fn wrong(&self, operation: Operation) -> Option<Request> {
            (operation == Operation::Login).then(|| login("Ali", "barley-canary"))
        }

        fn canaries(&self) -> Vec<String> {
            vec!["sesame-canary".to_owned(), "barley-canary".to_owned()]
        }
    }

    vestibule_testkit::provider_conformance!(magic_word, Harness);
}
