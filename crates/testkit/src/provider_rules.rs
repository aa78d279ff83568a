//! The rules of an adapter, one function each; `provider_conformance!` writes out a test for
//! each.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use vestibule_core::ids::RequestId;
use vestibule_core::{Call, Error, ErrorKind, Issuer, KnownIdentity, Operation, Provider, Subject};

use crate::conformance::{Broken, Rule};
use crate::request::{Outcome, Request};

/// What an adapter's test supplies: its provider, and requests that its scripted upstream, or
/// the provider alone, can answer.
///
/// One harness is made for each rule.
pub trait ProviderHarness {
    /// The provider, built anew.
    ///
    /// # Errors
    /// Where it cannot be built; the rule fails then.
    fn provider(&self) -> vestibule_core::Result<Arc<dyn Provider>>;

    /// A request that succeeds and, where the operation says who it is, proves this person.
    /// `None` where an operation cannot be asked alone; one that proves a person is needed.
    fn valid(&self, operation: Operation, person: Person) -> Option<Request>;

    /// A request with a wrong credential. `None` where the operation takes none.
    fn wrong(&self, _operation: Operation) -> Option<Request> {
        None
    }

    /// What the broker has on record of a person and would hand over with the call.
    fn known(&self, _person: Person) -> Option<KnownIdentity> {
        None
    }

    /// Every secret in settings and requests, so that the rule can look for them.
    fn canaries(&self) -> Vec<String> {
        Vec::new()
    }
}

/// One of the two users of a harness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// The first user.
    First,
    /// Somebody else.
    Second,
}

fn blank(operation: Operation) -> Result<Request, Broken> {
    Request::blank(operation)
        .ok_or_else(|| Broken::new(format!("the kit has no blank request for {operation}")))
}

async fn ask(
    harness: &impl ProviderHarness,
    provider: &dyn Provider,
    person: Person,
    request: Request,
) -> vestibule_core::Result<Outcome> {
    let known = harness.known(person);
    let call = Call::new(RequestId::new(Uuid::nil()), Duration::from_secs(5));
    request.ask(provider, &call.account(known.as_ref())).await
}

/// Who the person is, by every operation that can tell.
async fn subjects(
    harness: &impl ProviderHarness,
    provider: &dyn Provider,
    person: Person,
) -> Result<Vec<(Operation, Issuer, Subject)>, Broken> {
    let mut subjects = Vec::new();
    for offer in provider.capabilities().iter() {
        let Some(request) = harness.valid(offer.operation, person) else {
            continue;
        };
        if let Outcome::Identity(identity) = ask(harness, provider, person, request).await? {
            subjects.push((offer.operation, identity.issuer, identity.subject));
        }
    }
    Ok(subjects)
}

/// What is not declared answers `Unsupported`.
pub async fn undeclared_operations_are_unsupported(harness: &impl ProviderHarness) -> Rule {
    let provider = harness.provider()?;
    let offers = provider.capabilities();
    for &operation in Operation::ALL {
        if offers.get(operation).is_some() {
            continue;
        }
        let request = blank(operation)?;
        let answer = ask(harness, provider.as_ref(), Person::First, request).await;
        let kind = answer.as_ref().err().map(Error::kind);
        assert_eq!(kind, Some(ErrorKind::Unsupported), "{operation}: {answer:?}");
    }
    Ok(())
}

/// What is declared answers anything but `Unsupported`, also to a request that is of no use.
pub async fn declared_operations_are_supported(harness: &impl ProviderHarness) -> Rule {
    let provider = harness.provider()?;
    for offer in provider.capabilities().iter() {
        let request = blank(offer.operation)?;
        let answer = ask(harness, provider.as_ref(), Person::First, request).await;
        let kind = answer.as_ref().err().map(Error::kind);
        assert_ne!(kind, Some(ErrorKind::Unsupported), "{}", offer.operation);
    }
    Ok(())
}

/// Each valid request succeeds, and at least one says who the user is.
pub async fn valid_requests_succeed(harness: &impl ProviderHarness) -> Rule {
    for person in [Person::First, Person::Second] {
        let provider = harness.provider()?;
        let proofs = subjects(harness, provider.as_ref(), person).await?;
        assert!(!proofs.is_empty(), "no valid request says who {person:?} is");
    }
    Ok(())
}

/// One person is one issuer and subject: by every operation, each time, and after a restart.
pub async fn one_person_is_one_subject(harness: &impl ProviderHarness) -> Rule {
    for person in [Person::First, Person::Second] {
        let mut seen = BTreeSet::new();
        for _ in 0..2 {
            let provider = harness.provider()?;
            let proofs = subjects(harness, provider.as_ref(), person).await?;
            seen.extend(proofs.into_iter().map(|(_, issuer, subject)| (issuer, subject)));
        }
        assert_eq!(seen.len(), 1, "{person:?} is several: {seen:?}");
    }
    Ok(())
}

/// Two persons never share issuer and subject.
pub async fn two_persons_are_two_subjects(harness: &impl ProviderHarness) -> Rule {
    let provider = harness.provider()?;
    let first = subjects(harness, provider.as_ref(), Person::First).await?;
    let second = subjects(harness, provider.as_ref(), Person::Second).await?;
    for (operation, issuer, subject) in &first {
        let same = second.iter().any(|(_, i, s)| i == issuer && s == subject);
        assert!(!same, "{operation} takes two persons for one");
    }
    Ok(())
}

/// A wrong credential is refused as such, and not worth another try.
pub async fn a_bad_credential_is_refused(harness: &impl ProviderHarness) -> Rule {
    let provider = harness.provider()?;
    for offer in provider.capabilities().iter() {
        let Some(request) = harness.wrong(offer.operation) else {
            continue;
        };
        let answer = ask(harness, provider.as_ref(), Person::First, request).await;
        let Err(error) = answer else {
            return Err(Broken::new(format!("{} took a wrong credential", offer.operation)));
        };
        assert!(
            matches!(error.kind(), ErrorKind::InvalidCredential | ErrorKind::UnknownUser),
            "{}: {error:?}",
            offer.operation
        );
        assert_ne!(error.is_retryable(), Some(true), "{}: {error:?}", offer.operation);
    }
    Ok(())
}

/// No secret shows in the provider's `Debug`, in an error or in an identity.
pub async fn secrets_stay_hidden(harness: &impl ProviderHarness) -> Rule {
    let provider = harness.provider()?;
    let mut shown = format!("{provider:?}\n");
    for offer in provider.capabilities().iter() {
        let operation = offer.operation;
        let valid = harness.valid(operation, Person::First);
        let requests = [valid, harness.wrong(operation), Some(blank(operation)?)];
        for request in requests.into_iter().flatten() {
            let _ = writeln!(shown, "{request:?}");
            match ask(harness, provider.as_ref(), Person::First, request).await {
                // An error's details are part of its text.
                Err(error) => {
                    let _ = writeln!(shown, "{error} {error:?}");
                }
                // Attributes are meant to be shown to the user; tokens are not.
                Ok(Outcome::Identity(identity)) => {
                    let _ = writeln!(shown, "{:?} {:?}", identity.tokens, identity.subject);
                    let _ = writeln!(shown, "{:?}", identity.adapter_data);
                }
                Ok(_) => {}
            }
        }
    }
    for canary in harness.canaries() {
        assert!(!canary.is_empty(), "an empty canary is found everywhere");
        // The text that is searched may hold the secret, so it is not printed.
        assert!(!shown.contains(&canary), "a secret shows that begins with {:.4}…", canary);
    }
    Ok(())
}

/// What is declared stays the same, whatever is asked.
pub async fn capabilities_are_constant(harness: &impl ProviderHarness) -> Rule {
    let provider = harness.provider()?;
    let before = provider.capabilities();
    for offer in before.iter() {
        let request = blank(offer.operation)?;
        // Only what it does to the declaration counts here.
        let _ = ask(harness, provider.as_ref(), Person::First, request).await;
    }
    assert_eq!(provider.capabilities(), before);
    assert_eq!(harness.provider()?.capabilities(), before, "one configuration, one offer");
    Ok(())
}

/// An app can build a form of the fields: each has a name, and no name comes twice.
pub async fn fields_have_names_of_their_own(harness: &impl ProviderHarness) -> Rule {
    for offer in harness.provider()?.capabilities().iter() {
        let mut names = BTreeSet::new();
        for field in &offer.fields {
            assert!(!field.name.is_empty(), "{} has a field without a name", offer.operation);
            assert!(names.insert(&field.name), "{}: {} twice", offer.operation, field.name);
        }
    }
    Ok(())
}
