//! The adapter under the kit's rules, and its own.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;

use vestibule_adapter_no_login::NoLogin;
use vestibule_core::identity::ExternalIdRule;
use vestibule_core::request::{Erase, Profile, Register, Update};
use vestibule_core::{
    Call, DeviceId, Issuer, KnownIdentity, Operation, Payload, Provider, RequestId, Result,
    Subject, UserId,
};
use vestibule_testkit::{Person, ProviderHarness, Request, SeededEntropy, block_on};

struct Harness;

fn provider() -> NoLogin {
    NoLogin::new(Arc::new(SeededEntropy::new(1)))
}

impl ProviderHarness for Harness {
    fn provider(&self) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(provider()))
    }

    /// A registration is left out: each makes another user, so it proves no person again.
    fn valid(&self, operation: Operation, _: Person) -> Option<Request> {
        match operation {
            Operation::Profile => Some(Profile::new(None).into()),
            Operation::Update => Some(Update::new(None, Payload::empty()).into()),
            Operation::Erase => Some(Erase::new(None, Payload::empty()).into()),
            _ => None,
        }
    }

    fn known(&self, person: Person) -> Option<KnownIdentity> {
        let subject = match person {
            Person::First => "1",
            Person::Second => "2",
        };
        let subject = Subject::parse(subject).unwrap();
        Some(KnownIdentity::new(UserId::new(Default::default()), Issuer::new("noLogin"), subject))
    }
}

vestibule_testkit::provider_conformance!(no_login, Harness);

#[test]
fn g01_every_registration_is_another_user_with_a_random_id() {
    let provider = provider();
    let device = DeviceId::new(Default::default());
    let call = Call::new(RequestId::new(Default::default()), std::time::Duration::from_secs(1));
    let subjects: BTreeSet<_> = block_on(async {
        let mut subjects = BTreeSet::new();
        for _ in 0..1000 {
            let request = Register::new(device, Payload::empty());
            let who = provider.register(&call, request).await.unwrap();
            assert_eq!(who.external_id, ExternalIdRule::Random);
            subjects.insert(who.subject);
        }
        subjects
    });
    assert_eq!(subjects.len(), 1000);
}
