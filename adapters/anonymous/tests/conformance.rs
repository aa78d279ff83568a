//! The adapter under the kit's rules, and its own.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use vestibule_adapter_anonymous::{Anonymous, Reclaim};
use vestibule_core::identity::Existing;
use vestibule_core::request::{Erase, Login, Register};
use vestibule_core::{
    Call, DeviceId, Identity, KnownIdentity, Operation, Payload, Provider, RequestId, Result,
    UserId,
};
use vestibule_testkit::{Person, ProviderHarness, Request};

const FIRST: &str = "789f64dc-750d-4260-afef-7937062048e3";
const SECOND: &str = "16713b2d-3848-42c7-aeb0-f9714beac892";

fn device(person: Person) -> DeviceId {
    let text = match person {
        Person::First => FIRST,
        Person::Second => SECOND,
    };
    DeviceId::parse(text).unwrap()
}

fn pair(device: DeviceId) -> Payload {
    let json = format!(r#"{{"externalId":"external-canary","deviceId":"{}"}}"#, device.uuid());
    Payload::from_json(&json).unwrap()
}

/// Guests need no upstream, so the answer is there at the first look.
fn registered(device: DeviceId, data: &str, reclaim: Reclaim) -> Result<Identity> {
    let provider = Anonymous::new(reclaim);
    let call = Call::new(RequestId::new(Default::default()), Duration::from_secs(1));
    let request = Register::new(device, Payload::from_json(data).unwrap());
    let mut answer = provider.register(&call, request);
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("a guest's registration waits for something"),
    }
}

struct Harness;

impl ProviderHarness for Harness {
    fn provider(&self) -> Result<Arc<dyn Provider>> {
        Ok(Arc::new(Anonymous::new(Reclaim::Device)))
    }

    fn valid(&self, operation: Operation, person: Person) -> Option<Request> {
        let device = device(person);
        match operation {
            Operation::Register => Some(Register::new(device, Payload::empty()).into()),
            Operation::Login => Some(Login::new(Some(device), pair(device)).into()),
            Operation::Erase => Some(Erase::new(None, pair(device)).into()),
            _ => None,
        }
    }

    fn wrong(&self, operation: Operation) -> Option<Request> {
        let other = device(Person::Second);
        match operation {
            Operation::Login => Some(Login::new(Some(other), pair(other)).into()),
            Operation::Erase => Some(Erase::new(None, pair(other)).into()),
            _ => None,
        }
    }

    fn known(&self, person: Person) -> Option<KnownIdentity> {
        let who = registered(device(person), "{}", Reclaim::Device).unwrap();
        Some(KnownIdentity::new(UserId::new(Default::default()), who.issuer, who.subject))
    }

    fn canaries(&self) -> Vec<String> {
        vec![FIRST.to_owned(), SECOND.to_owned(), "external-canary".to_owned()]
    }
}

vestibule_testkit::provider_conformance!(anonymous, Harness);

#[test]
fn players_of_one_device_differ() {
    let device = device(Person::First);
    let subject = |data: &str| registered(device, data, Reclaim::Device).unwrap().subject;
    let alone = subject("{}");
    let one = subject(r#"{"additionalId":"1"}"#);
    let two = subject(r#"{"additionalId":"2"}"#);
    assert!(alone != one && one != two && alone != two);
    assert_eq!(one, subject(r#"{"additionalId":"1"}"#));
}

#[test]
fn x03_neither_id_can_be_read_from_the_subject() {
    let data = r#"{"additionalId":"12345677865"}"#;
    let who = registered(device(Person::First), data, Reclaim::Device).unwrap();
    let subject = who.subject.as_str();
    assert!(!subject.contains("12345677865") && !subject.contains("789f64dc"), "{subject}");
}

#[test]
fn g02_a_known_device_is_refused_where_the_settings_say_so() {
    let existing = |reclaim| registered(device(Person::First), "{}", reclaim).unwrap().existing;
    assert_eq!(existing(Reclaim::Device), Existing::SignIn);
    assert_eq!(existing(Reclaim::Never), Existing::Refuse);
}

#[test]
fn an_additional_id_is_bounded() {
    for data in [
        r#"{"additionalId":""}"#.to_owned(),
        format!(r#"{{"additionalId":"{}"}}"#, "x".repeat(256)),
    ] {
        let error = registered(device(Person::First), &data, Reclaim::Device).unwrap_err();
        assert_eq!(error.details().get("field").unwrap(), "data.additionalId");
    }
}
