//! The rules of the interface: the order of the checks, what every answer carries, and which
//! methods a path takes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a step of a test that fails is a failed test, and tests stand outside the ports"
)]

use std::sync::Arc;

use serde_json::{Value, json};
use vestibule_tests::{Answer, Broker, DEMO, OTHER, Project, Setup, Shared, envelope, fresh_uuid};

static SHARED: Shared = Shared::new();

const ORIGIN: &str = "https://game.example.com";

/// Nobody's project.
const UNKNOWN: &str = "11111111-2222-4333-8444-555555555555";

fn broker() -> Arc<Broker> {
    SHARED.get(|| Setup::two_projects().project(Project::new(WEB, "web").origin(ORIGIN)))
}

/// A project that a website calls.
const WEB: &str = "7a1c55f0-3f0e-4b7c-9a55-0c64d2f1be10";

fn post(broker: &Broker, body: &Value) -> Answer {
    broker.call("POST", "/v1/user").json(body).send()
}

fn with(project: &Value, strategy: &str, provider: &str) -> Value {
    json!({"projectId": project, "strategy": strategy, "provider": provider, "data": {}})
}

// Rule 1: each test breaks two neighbouring checks, and the earlier one must answer.

#[test]
fn the_media_type_is_checked_before_the_body() {
    let answer = broker()
        .call("POST", "/v1/user")
        .header("content-type", "text/plain")
        .bytes("[not json")
        .send();
    answer.refused(415, "unsupported_media_type");
}

#[test]
fn the_size_is_checked_before_the_project() {
    let mut body = with(&json!("nonsense"), "simplified", "anonymous");
    body["padding"] = "x".repeat(70_000).into();
    post(&broker(), &body).refused(413, "body_too_large");
}

#[test]
fn the_form_of_the_body_is_checked_before_the_project() {
    let broker = broker();
    for body in [
        "[]",
        "7",
        "\"text\"",
        "null",
        "",
        "{",
        r#"{"projectId":"nonsense","projectId":"nonsense"}"#,
        r#"{"projectId":"nonsense","note":"\u0000"}"#,
    ] {
        let answer = broker.call("POST", "/v1/user").text(body).send();
        answer.refused(400, "malformed_request");
    }
}

#[test]
fn the_form_of_the_project_is_checked_before_the_provider() {
    let broker = broker();
    post(&broker, &with(&json!("nonsense"), "", "")).refused_field("projectId");
    post(&broker, &json!({})).refused_field("projectId");
    broker.call("GET", "/v1/user").to("nonsense", "", "").send().refused_field("projectId");
}

#[test]
fn strategy_and_provider_are_checked_before_the_project_is_looked_up() {
    let broker = broker();
    post(&broker, &with(&json!(UNKNOWN), "", "anonymous")).refused_field("strategy");
    post(&broker, &with(&json!(UNKNOWN), "simplified", "")).refused_field("provider");
    post(&broker, &json!({"projectId": UNKNOWN})).refused_field("strategy");
}

#[test]
fn the_project_is_looked_up_before_the_origin() {
    let body = with(&json!(UNKNOWN), "simplified", "anonymous");
    let answer = broker()
        .call("POST", "/v1/user")
        .header("origin", "https://evil.example.com")
        .json(&body)
        .send();
    answer.refused(404, "project_not_found");
}

#[test]
fn the_origin_is_checked_before_the_provider_is_looked_up() {
    let body = with(&json!(WEB), "email", "nobody");
    let answer = broker()
        .call("POST", "/v1/user")
        .header("origin", "https://evil.example.com")
        .json(&body)
        .send();
    answer.refused(403, "origin_not_allowed");
}

#[test]
fn the_provider_is_looked_up_before_the_operation() {
    let broker = broker();
    for (method, path) in [
        ("PUT", "/v1/user/change-password"),
        ("POST", "/v1/user/logout"),
        ("POST", "/v1/user/refresh"),
    ] {
        let body = with(&json!(DEMO), "email", "nobody");
        let answer = broker.call(method, path).json(&body).send();
        answer.refused(404, "provider_not_configured");
    }
}

#[test]
fn the_operation_is_checked_before_the_rate() {
    let broker = Setup::new()
        .limit("register", "1/min")
        .limit("login", "1/min")
        .limit("password", "1/min")
        .limit("read", "1/min")
        .start();
    let body = with(&json!(DEMO), "simplified", "anonymous");
    for _ in 0..4 {
        for path in ["change-password", "forgot-password"] {
            let answer = broker.call("PUT", &format!("/v1/user/{path}")).json(&body).send();
            answer.refused(501, "operation_not_supported");
        }
        let answer = broker.call("POST", "/v1/user/logout").json(&body).send();
        answer.refused(501, "operation_not_supported");
    }
}

#[test]
fn the_operation_is_checked_before_the_credential() {
    let broker = broker();
    let answer = broker
        .call("GET", "/v1/user/check")
        .to(DEMO, "simplified", "anonymous")
        .query("deviceId", &fresh_uuid())
        .send();
    answer.refused(501, "operation_not_supported");
}

#[test]
fn the_rate_is_checked_before_the_data() {
    let broker = Setup::new().limit("register", "1/min").start();
    let bad = json!({"deviceId": "no device"});
    broker.register(DEMO, &bad).refused_field("data.deviceId");
    let answer = broker.register(DEMO, &bad);
    answer.refused(429, "rate_limited");
    let wait: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[test]
fn the_data_is_checked_before_the_credential_in_it() {
    let data = json!({"externalId": "nobody's", "deviceId": "no device"});
    broker().login(DEMO, &data).refused_field("data.deviceId");
}

#[test]
fn a_missing_id_is_named() {
    let broker = broker();
    let pair = json!({"deviceId": fresh_uuid()});
    broker.login(DEMO, &pair).refused_field("data.externalId");
    let pair = json!({"externalId": "nobody's"});
    broker.login(DEMO, &pair).refused_field("data.deviceId");
    broker
        .call("GET", "/v1/user")
        .to(DEMO, "simplified", "noLogin")
        .send()
        .refused_field("externalId");
}

// Rule 2.

#[test]
fn a_project_may_be_repeated_but_not_changed() {
    let broker = broker();
    let body = envelope(DEMO, "simplified", "anonymous", &json!({}));
    let call = |project: &str| {
        broker.call("POST", "/v1/user").query("projectId", project).json(&body).send()
    };
    call(DEMO).expect(201);
    call(OTHER).refused_field("projectId");
}

// Rules 5 and 6.

#[test]
fn a_known_device_is_the_same_guest() {
    let broker = broker();
    let data = json!({"deviceId": fresh_uuid(), "additionalId": "one"});
    let first = broker.register(DEMO, &data);
    let again = broker.register(DEMO, &data);
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!((first.at("/data/isNew"), again.at("/data/isNew")), ("true".into(), "false".into()));
    assert_eq!(first.at("/message"), "User is Correctly Created");
    assert_eq!(again.at("/message"), "OK");
    for id in ["/data/userId", "/data/externalId", "/data/deviceId", "/data/signUp"] {
        assert_eq!(first.at(id), again.at(id));
    }
}

#[test]
fn a_pair_that_does_not_match_is_refused() {
    let broker = broker();
    let (one, two) = (broker.guest(DEMO), broker.guest(DEMO));
    broker.login(DEMO, &one.pair()).expect(200);
    let mixed = json!({"externalId": one.external_id, "deviceId": two.device_id});
    let unknown = json!({"externalId": "nobody's", "deviceId": one.device_id});
    let mixed = broker.login(DEMO, &mixed);
    mixed.refused(401, "invalid_credential");
    assert_eq!(mixed.comparable(), broker.login(DEMO, &unknown).comparable());
}

#[test]
fn an_unknown_external_id_is_an_unknown_user() {
    let broker = broker();
    broker.profile(DEMO, "nobody's").refused(404, "user_not_found");
    let data = json!({"username": "x"});
    broker.update(DEMO, "nobody's", &data).refused(404, "user_not_found");
}

#[test]
fn an_external_id_is_taken_from_the_header_too() {
    let broker = broker();
    let player = broker.player(DEMO, "Harvey");
    let answer = broker
        .call("GET", "/v1/user")
        .to(DEMO, "simplified", "noLogin")
        .header("X-External-Id", &player.external_id)
        .send();
    assert_eq!(answer.expect(200).at("/externalId"), player.external_id);
    let body = envelope(DEMO, "simplified", "noLogin", &json!({"username": "Rabbit"}));
    let answer = broker
        .call("PUT", "/v1/user")
        .header("X-External-Id", &player.external_id)
        .json(&body)
        .send();
    assert_eq!(answer.expect(200).at("/data/username"), "Rabbit");
}

#[test]
fn a_deleted_user_is_gone() {
    let broker = broker();
    let (guest, player) = (broker.guest(DEMO), broker.player(DEMO, "Harvey"));
    let erase = |provider: &str, external_id: Option<&str>, data: &Value| {
        let mut body = envelope(DEMO, "simplified", provider, data);
        if let Some(id) = external_id {
            body["externalId"] = id.into();
        }
        broker.call("DELETE", "/v1/user").json(&body).send()
    };
    let stranger = json!({"externalId": guest.external_id, "deviceId": fresh_uuid()});
    erase("anonymous", None, &stranger).refused(401, "invalid_credential");
    let answer = erase("anonymous", None, &guest.pair());
    assert_eq!(answer.expect(200).at("/message"), "user deleted");
    broker.login(DEMO, &guest.pair()).refused(401, "invalid_credential");
    erase("noLogin", Some(&player.external_id), &json!({})).expect(200);
    // Not every client can send a body with DELETE.
    let other = broker.player(DEMO, "Harvey");
    let answer = broker
        .call("DELETE", "/v1/user")
        .to(DEMO, "simplified", "noLogin")
        .header("X-External-Id", &other.external_id)
        .send();
    assert_eq!(answer.expect(200).at("/message"), "user deleted");
    broker.profile(DEMO, &other.external_id).refused(404, "user_not_found");
    broker.profile(DEMO, &player.external_id).refused(404, "user_not_found");
}

// Rule 8.

#[test]
fn unknown_fields_beside_data_are_ignored() {
    let mut body = envelope(DEMO, "simplified", "anonymous", &json!({}));
    body["further"] = json!({"deeply": ["nested"]});
    post(&broker(), &body).expect(201);
}

// Rule 9.

#[test]
fn every_answer_carries_the_three_headers() {
    let broker = broker();
    let json = with(&json!(DEMO), "simplified", "anonymous");
    let answers = [
        post(&broker, &json),
        post(&broker, &with(&json!("nonsense"), "", "")),
        post(&broker, &with(&json!(UNKNOWN), "simplified", "anonymous")),
        broker.call("POST", "/v1/user/logout").json(&json).send(),
        broker.call("PATCH", "/v1/user").json(&json).send(),
        broker.call("GET", "/nothing/here").send(),
        broker.call("POST", "/v1/user").bytes("x").send(),
        broker.profile(DEMO, "nobody's"),
    ];
    let expected = [201, 400, 404, 501, 405, 404, 415, 404];
    let mut ids = Vec::new();
    for (answer, status) in answers.iter().zip(expected) {
        broker.sound(answer.expect(status), &[]);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let time: u64 = answer.header("server-time").unwrap().parse().unwrap();
        assert!(now.abs_diff(time) <= 5, "{now} {time}");
        ids.push(answer.header("x-request-id").unwrap().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), expected.len(), "request ids repeat");
}

#[test]
fn a_request_id_of_the_client_is_not_taken_over() {
    let answer =
        broker().call("GET", "/nothing/here").header("x-request-id", "chosen-by-the-client").send();
    assert_ne!(answer.header("x-request-id"), Some("chosen-by-the-client"));
}

// Methods.

#[test]
fn aliases_reach_the_same_operation() {
    let broker = broker();
    let guest = broker.guest(DEMO);
    let login = envelope(DEMO, "simplified", "anonymous", &guest.pair());
    for method in ["PUT", "POST"] {
        let answer = broker.call(method, "/v1/user/login").json(&login).send();
        assert_eq!(answer.expect(200).at("/data/userId"), guest.user_id);
        for path in ["/v1/user/forgot-password", "/v1/user/confirm-forgot-password"] {
            let answer = broker.call(method, path).json(&login).send();
            answer.refused(501, "operation_not_supported");
        }
    }
}

/// What each path takes.
const METHODS: &[(&str, &[&str])] = &[
    ("/v1/user", &["GET", "POST", "PUT", "DELETE"]),
    ("/v1/user/login", &["PUT", "POST"]),
    ("/v1/user/change-password", &["PUT"]),
    ("/v1/user/forgot-password", &["PUT", "POST"]),
    ("/v1/user/confirm-forgot-password", &["PUT", "POST"]),
    ("/v1/user/refresh", &["POST"]),
    ("/v1/user/logout", &["POST"]),
    ("/v1/user/check", &["GET"]),
    ("/v1/user/check/nonstandard", &["GET"]),
    ("/v1/signature/verify", &["POST"]),
];

#[test]
fn another_method_is_refused_and_the_allowed_ones_are_named() {
    let broker = broker();
    for (path, allowed) in METHODS {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            if allowed.contains(&method) {
                continue;
            }
            let answer = broker.call(method, path).text("{}").send();
            answer.refused(405, "method_not_allowed");
            let allow = answer.header("allow").unwrap_or_default().to_owned();
            let named: Vec<&str> = allow.split(',').map(str::trim).collect();
            for wanted in allowed.iter() {
                assert!(named.contains(wanted), "{path} {allow}");
            }
            assert!(!named.contains(&method), "{path} {allow}");
        }
    }
}

// The further paths.

#[test]
fn the_providers_of_a_project_are_listed_without_a_secret() {
    let broker = Setup::new()
        .without_projects()
        .project(Project::new(DEMO, "a-name-for-people").signature("hmac-sha256", Some("env:KEY")))
        .env("KEY", "canary-of-the-signing-key")
        .start();
    let answer = broker.call("GET", &format!("/v1/projects/{DEMO}/providers")).send();
    let text = answer.expect(200).text();
    for wanted in ["anonymous", "noLogin", "simplified", "register", "login", "deviceId"] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    for secret in ["canary", "a-name-for-people", "KEY"] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let path = format!("/v1/projects/{UNKNOWN}/providers");
    broker.call("GET", &path).send().refused(404, "project_not_found");
}

#[test]
fn the_interface_is_described_by_the_broker_itself() {
    let broker = broker();
    let answer = broker.call("GET", "/openapi.json").send();
    let document = answer.expect(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in ["/v1/user", "/v1/user/login", "/v1/signature/verify"] {
        assert!(document["paths"].get(path).is_some(), "{path} is not described");
    }
    let page = broker.call("GET", "/docs").send().expect(200).text();
    for outside in ["src=\"http", "src='http", "src=\"//", "href=\"http", "@import"] {
        assert!(!page.contains(outside), "the page asks another host: {outside}");
    }
}
