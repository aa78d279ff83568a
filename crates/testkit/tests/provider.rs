//! The rules of an adapter, tried on a small one.

use std::sync::Arc;

use async_trait::async_trait;
use vestibule_core::request::Login;
use vestibule_core::{
    Call, Capabilities, Credential, Error, ErrorKind, Field, FieldKind, Identity, Issuer,
    Operation, Payload, Provider, Result, Subject,
};
use vestibule_testkit::{Person, ProviderHarness, Request};

#[derive(Debug)]
struct MagicWord;

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

    async fn login(&self, _call: &Call<'_>, request: Login) -> Result<Identity> {
        let data: std::collections::BTreeMap<String, String> = request.payload.parse()?;
        if data.get("word").map(String::as_str) != Some("sesame-canary") {
            return Err(Error::new(ErrorKind::InvalidCredential));
        }
        let name = data.get("name").map(String::as_str).unwrap_or_default();
        let subject =
            Subject::parse(name).ok_or_else(|| Error::field("data.name", "is required"))?;
        Ok(Identity::new(Issuer::new("magic-word"), subject))
    }
}

struct Harness;

fn login(name: &str, word: &str) -> Option<Request> {
    let payload = Payload::from_json(&format!(r#"{{"name":"{name}","word":"{word}"}}"#))?;
    Some(Login::new(None, payload).into())
}

impl ProviderHarness for Harness {
    fn provider(&self) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(MagicWord))
    }

    fn valid(&self, operation: Operation, person: Person) -> Option<Request> {
        let name = match person {
            Person::First => "Ali",
            Person::Second => "Morgiana",
        };
        (operation == Operation::Login).then(|| login(name, "sesame-canary")).flatten()
    }

    fn wrong(&self, operation: Operation) -> Option<Request> {
        (operation == Operation::Login).then(|| login("Ali", "barley-canary")).flatten()
    }

    fn canaries(&self) -> Vec<String> {
        vec!["sesame-canary".to_owned(), "barley-canary".to_owned()]
    }
}

vestibule_testkit::provider_conformance!(magic_word, Harness);
