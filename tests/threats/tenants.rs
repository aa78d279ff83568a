//! P01–P04, P08, P10: projects do not see each other.

use serde_json::{Value, json};
use vestibule_tests::{
    Answer, Broker, DEMO, Guest, OTHER, Setup, at_once, envelope, fresh_uuid, random_hex,
};

use crate::{DISABLED, UNKNOWN, broker, post};

/// Method, path and provider of every call that could take somebody's credential. Registrations
/// are left out: they take none, and have a test of their own.
fn routes() -> Vec<(&'static str, &'static str, &'static str)> {
    let calls = [
        ("GET", "/v1/user"),
        ("PUT", "/v1/user"),
        ("DELETE", "/v1/user"),
        ("PUT", "/v1/user/change-password"),
        ("PUT", "/v1/user/forgot-password"),
        ("POST", "/v1/user/confirm-forgot-password"),
        ("POST", "/v1/user/refresh"),
        ("POST", "/v1/user/logout"),
        ("PUT", "/v1/user/login"),
        ("GET", "/v1/user/check"),
        ("GET", "/v1/user/check/nonstandard"),
    ];
    calls
        .into_iter()
        .flat_map(|(method, path)| {
            ["anonymous", "noLogin"].map(|provider| (method, path, provider))
        })
        .collect()
}

/// Where a call may carry a credential.
#[derive(Clone, Copy, Debug)]
enum Place {
    Bearer,
    Header,
    /// The query of a GET, the top level of a body.
    Beside,
    Data,
}

const PLACES: [Place; 4] = [Place::Bearer, Place::Header, Place::Beside, Place::Data];

/// Makes a call with a credential in one place. `id` stands for an external id or a token.
fn call(
    broker: &Broker,
    project: &str,
    (method, path, provider): (&str, &str, &str),
    place: Place,
    (id, device): (&str, &str),
) -> Answer {
    let mut call = broker.call(method, path);
    let mut body = envelope(project, "simplified", provider, &json!({}));
    let mut query = Vec::new();
    match place {
        Place::Bearer => call = call.header("authorization", &format!("Bearer {id}")),
        Place::Header => call = call.header("x-external-id", id),
        Place::Beside => {
            for (name, value) in [("externalId", id), ("deviceId", device)] {
                query.push((name, value));
                body[name] = value.into();
            }
            query.push(("accessToken", id));
            body["refreshToken"] = id.into();
        }
        Place::Data => body["data"] = json!({"externalId": id, "deviceId": device}),
    }
    if method == "GET" {
        call = call.to(project, "simplified", provider);
        for (name, value) in query {
            call = call.query(name, value);
        }
        call.send()
    } else {
        call.json(&body).send()
    }
}

#[test]
fn p01_a_foreign_credential_is_as_good_as_garbage() {
    let broker = broker();
    let garbage = (random_hex(64), fresh_uuid());
    for (home, foreign) in [(DEMO, OTHER), (OTHER, DEMO)] {
        let guests = [broker.guest(home), broker.player(home, "Harvey")];
        for guest in &guests {
            let theirs = [&guest.external_id, &guest.signature, &guest.user_id, &guest.device_id];
            for id in theirs {
                for route in routes() {
                    for place in PLACES {
                        let real = (id.as_str(), guest.device_id.as_str());
                        let junk = (garbage.0.as_str(), garbage.1.as_str());
                        let got = call(&broker, foreign, route, place, real);
                        let want = call(&broker, foreign, route, place, junk);
                        assert!(got.status >= 400, "{route:?} {place:?} {}", got.text());
                        assert_eq!(got.comparable(), want.comparable(), "{route:?} {place:?}");
                    }
                }
            }
        }
        // None of it did anything at home.
        broker.login(home, &guests[0].pair()).expect(200);
        broker.sound(&broker.profile(home, &guests[1].external_id), &[]);
        broker.profile(home, &guests[1].external_id).expect(200);
    }
}

#[test]
fn p01_a_foreign_signature_does_not_verify() {
    let broker = broker();
    let guest = broker.guest(DEMO);
    let verify = |project: &str| {
        let answer = broker.verify(project, &guest.user_id, guest.time_stamp, &guest.signature);
        answer.expect(200).at("/data/valid")
    };
    assert_eq!((verify(DEMO), verify(OTHER)), ("true".into(), "false".into()));
}

#[test]
fn p01_a_device_is_another_guest_in_another_project() {
    let broker = broker();
    let data = json!({"deviceId": fresh_uuid(), "additionalId": "one"});
    let here = broker.register(DEMO, &data);
    let there = broker.register(OTHER, &data);
    here.expect(201);
    there.expect(201);
    for id in ["/data/userId", "/data/externalId", "/data/signature"] {
        assert_ne!(here.at(id), there.at(id), "{id}");
    }
}

#[test]
fn p02_a_project_named_twice_is_refused() {
    let broker = broker();
    for (method, path) in [("POST", "/v1/user"), ("PUT", "/v1/user"), ("PUT", "/v1/user/login")] {
        for provider in ["anonymous", "noLogin"] {
            let body = envelope(OTHER, "simplified", provider, &json!({}));
            let answer = broker.call(method, path).query("projectId", DEMO).json(&body).send();
            broker.sound(answer.refused_field("projectId"), &[]);
        }
    }
    let answer = broker
        .call("GET", "/v1/user")
        .to(DEMO, "simplified", "noLogin")
        .query("projectId", OTHER)
        .send();
    answer.refused(400, "malformed_request");
}

#[test]
fn p03_a_project_has_one_spelling() {
    let broker = broker();
    for bad in [
        DEMO.to_ascii_uppercase(),
        format!("{{{DEMO}}}"),
        format!("urn:uuid:{DEMO}"),
        DEMO.replace('-', ""),
        format!(" {DEMO}"),
        format!("{DEMO} "),
        format!("{DEMO}\n"),
        "*".to_owned(),
        "%".to_owned(),
        String::new(),
        "x".repeat(1000),
    ] {
        let body = envelope(&bad, "simplified", "anonymous", &json!({}));
        broker.sound(post(&broker, &body).refused_field("projectId"), &[]);
        let answer = broker.call("GET", "/v1/user").to(&bad, "simplified", "noLogin").send();
        answer.refused_field("projectId");
        broker.verify(&bad, &fresh_uuid(), 1, "00").refused_field("projectId");
    }
    let body = envelope(&format!("{DEMO}\0"), "simplified", "anonymous", &json!({}));
    post(&broker, &body).refused(400, "malformed_request");
    let mut body = envelope(DEMO, "simplified", "anonymous", &json!({}));
    for bad in [json!([DEMO]), json!({"id": DEMO}), Value::Null] {
        body["projectId"] = bad;
        post(&broker, &body).refused_field("projectId");
    }
}

#[test]
fn p04_a_disabled_project_looks_unknown() {
    let broker = broker();
    for route in routes() {
        for place in PLACES {
            let garbage = ("nobody's", "789f64dc-750d-4260-afef-7937062048e3");
            let disabled = call(&broker, DISABLED, route, place, garbage);
            let unknown = call(&broker, UNKNOWN, route, place, garbage);
            unknown.refused(404, "project_not_found");
            assert_eq!(disabled.comparable(), unknown.comparable(), "{route:?}");
        }
    }
    let pages = [DISABLED, UNKNOWN].map(|project| {
        broker.call("GET", &format!("/v1/projects/{project}/providers")).send().comparable()
    });
    assert_eq!(pages[0], pages[1]);
    let [disabled, unknown] =
        [DISABLED, UNKNOWN].map(|project| broker.verify(project, &fresh_uuid(), 1, "00"));
    unknown.refused(404, "project_not_found");
    assert_eq!(disabled.comparable(), unknown.comparable());
}

/// Everything that one project's players send and get, in a loop; all texts that came back.
fn hammer(broker: &Broker, project: &str, canary: &str) -> Vec<String> {
    let name = format!("{canary}-{}", random_hex(8));
    let player: Guest = broker.player(project, &name);
    let mut texts = Vec::new();
    for round in 0..15 {
        let data = json!({"appProfile": {"canary": format!("{name}-{round}")}});
        texts.push(broker.update(project, &player.external_id, &data).text());
        texts.push(broker.profile(project, &player.external_id).text());
        let wrong = json!({"username": {"canary": name}});
        texts.push(broker.update(project, &player.external_id, &wrong).text());
        texts.push(broker.profile(project, &name).text());
        texts.push(broker.register(project, &json!({"deviceId": name})).text());
        let guest = broker.guest(project);
        texts.push(broker.login(project, &guest.pair()).text());
    }
    assert!(texts.iter().any(|text| text.contains(canary)), "nothing came back");
    texts
}

#[test]
fn p08_two_busy_projects_see_nothing_of_each_other() {
    let broker = Setup::two_projects().start();
    let canaries = ["canary-of-the-first", "canary-of-the-second"];
    let texts = at_once(8, |thread| {
        let project = if thread % 2 == 0 { DEMO } else { OTHER };
        hammer(&broker, project, canaries[thread % 2])
    });
    for (thread, texts) in texts.iter().enumerate() {
        let other = canaries[1 - thread % 2];
        for text in texts {
            assert!(!text.contains(other), "{other} in {text}");
        }
    }
    for place in [broker.log(), broker.metrics()] {
        assert!(!canaries.iter().any(|canary| place.contains(canary)), "{place}");
    }
}

#[test]
fn p10_no_answer_may_be_kept_by_a_cache() {
    let broker = broker();
    let guest = broker.guest(DEMO);
    let player = broker.player(DEMO, "Harvey");
    let mut answers = vec![
        broker.register(DEMO, &json!({})),
        broker.login(DEMO, &guest.pair()),
        broker.profile(DEMO, &player.external_id),
        broker.verify(DEMO, &guest.user_id, guest.time_stamp, &guest.signature),
        broker.call("GET", &format!("/v1/projects/{DEMO}/providers")).send(),
    ];
    for route in routes() {
        answers.push(call(&broker, DEMO, route, Place::Beside, ("nobody's", &fresh_uuid())));
    }
    for answer in answers {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", answer.text());
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(answer.header("etag"), None);
    }
}
