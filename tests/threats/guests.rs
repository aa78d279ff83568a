//! G01, G02, G05–G07, G10: what a guest's ids are worth, and what a guest may write.

use std::collections::{BTreeSet, HashSet};

use serde_json::json;
use vestibule_tests::{DEMO, OTHER, Project, Setup, at_once, envelope, fresh_uuid};

use crate::broker;

#[test]
fn g01_external_ids_are_not_to_be_guessed() {
    let broker = broker();
    let device = fresh_uuid();
    let ids: Vec<String> = at_once(8, |thread| {
        (0..60)
            .map(|round| match round % 2 {
                0 => broker.player(DEMO, "Harvey").external_id,
                _ => {
                    let player = format!("{thread}-{round}");
                    let data = json!({"deviceId": device, "additionalId": player});
                    broker.register(DEMO, &data).expect(201).at("/data/externalId")
                }
            })
            .collect::<Vec<_>>()
    })
    .concat();
    let lower_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    assert!(ids.iter().all(|id| id.len() == 64 && id.bytes().all(lower_hex)));
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "an id repeats");
    // Of 480 random digits each of the sixteen is missing at one place with a chance of 4e-14.
    for place in 0..64 {
        let seen: BTreeSet<u8> = ids.iter().map(|id| id.as_bytes()[place]).collect();
        assert_eq!(seen.len(), 16, "digit {place} is not random");
    }
}

#[test]
fn g01_an_external_id_does_not_follow_from_the_device_id() {
    // Two brokers with keys of their own, so that only the request is the same.
    let (one, two) = (Setup::new().start(), Setup::new().start());
    let data = json!({"deviceId": fresh_uuid()});
    let one = one.register(DEMO, &data);
    let two = two.register(DEMO, &data);
    assert_ne!(one.expect(201).at("/data/externalId"), two.expect(201).at("/data/externalId"));
}

#[test]
fn g02_a_project_can_keep_a_device_for_good() {
    let broker = Setup::new()
        .project(Project::empty(OTHER, "other").provider(
            "simplified",
            "anonymous",
            "reclaim = \"never\"",
        ))
        .start();
    let data = json!({"deviceId": fresh_uuid()});
    let first = broker.register(OTHER, &data);
    let again = broker.register(OTHER, &data);
    first.expect(201);
    again.refused(409, "device_registered");
    for id in ["/data/externalId", "/data/signature", "/data/userId"] {
        assert!(!again.text().contains(&first.at(id)), "{id} came back");
    }
    let pair = json!({"externalId": first.at("/data/externalId"), "deviceId": data["deviceId"]});
    broker.login(OTHER, &pair).expect(200);
}

#[test]
fn g02_fifty_registers_of_one_device_make_one_guest() {
    let broker = broker();
    let data = json!({"deviceId": fresh_uuid()});
    let answers = at_once(50, |_| broker.register(DEMO, &data));
    let users: BTreeSet<_> = answers.iter().map(|answer| answer.at("/data/userId")).collect();
    assert_eq!(users.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 49);
}

#[test]
fn g05_an_external_id_stays_out_of_log_and_metrics() {
    let broker = broker();
    let player = broker.player(DEMO, "Harvey");
    broker.profile(DEMO, &player.external_id).expect(200);
    let answer = broker
        .call("GET", "/v1/user")
        .to(DEMO, "simplified", "noLogin")
        .header("X-External-Id", &player.external_id)
        .send();
    answer.expect(200);
    let wrong = format!("{}x", player.external_id);
    broker.sound(&broker.profile(DEMO, &wrong), &[&player.external_id]);
    assert!(!broker.metrics().contains(&player.external_id));
}

#[test]
fn g06_a_profile_shows_nothing_of_devices() {
    let broker = broker();
    let player = broker.player(DEMO, "Harvey");
    let answer = broker.profile(DEMO, &player.external_id);
    let text = answer.expect(200).text();
    for hidden in [player.device_id.as_str(), &player.signature, "deviceId", "signature", "devices"]
    {
        assert!(!text.contains(hidden), "{hidden} is in {text}");
    }
}

#[test]
fn g07_a_guest_cannot_write_what_servers_vouch_for() {
    let broker = broker();
    let player = broker.player(DEMO, "Harvey");
    broker.update(DEMO, &player.external_id, &json!({"appProfile": {"level": 1}})).expect(200);
    for key in ["server:score", "server:", "server:claims"] {
        let data = json!({"appProfile": {"level": 2, key: 99}, "username": "Rabbit"});
        let answer = broker.update(DEMO, &player.external_id, &data);
        broker.sound(answer.refused(403, "forbidden"), &[]);
    }
    let answer = broker.profile(DEMO, &player.external_id);
    assert_eq!(answer.expect(200).at("/data/appProfile"), r#"{"level":1}"#);
    assert_eq!(answer.at("/data/username"), "Harvey");
}

#[test]
fn g07_a_profile_is_bounded() {
    let broker = broker();
    let player = broker.player(DEMO, "Harvey");
    for (size, fits) in [(32 * 1024, true), (32 * 1024 + 1, false)] {
        let empty = json!({"a": ""}).to_string().len();
        let data = json!({"appProfile": {"a": "x".repeat(size - empty)}});
        let answer = broker.update(DEMO, &player.external_id, &data);
        if fits {
            answer.expect(200);
        } else {
            answer.refused_field("data.appProfile");
        }
    }
    for profile in [json!([]), json!("text"), json!(7)] {
        let answer = broker.update(DEMO, &player.external_id, &json!({"appProfile": profile}));
        answer.refused_field("data.appProfile");
    }
    let answer = broker.update(DEMO, &player.external_id, &json!({"username": "x".repeat(129)}));
    answer.refused_field("data.username");
}

#[test]
fn g10_a_signature_covers_user_and_time() {
    let broker = broker();
    let (guest, other) = (broker.guest(DEMO), broker.guest(DEMO));
    let verify = |user: &str, at: i64, signature: &str| {
        broker.verify(DEMO, user, at, signature).expect(200).at("/data/valid")
    };
    let flipped = match guest.signature.strip_prefix('0') {
        Some(rest) => format!("1{rest}"),
        None => format!("0{}", &guest.signature[1..]),
    };
    assert_eq!(verify(&guest.user_id, guest.time_stamp, &guest.signature), "true");
    assert_eq!(verify(&other.user_id, guest.time_stamp, &guest.signature), "false");
    assert_eq!(verify(&guest.user_id, guest.time_stamp + 1, &guest.signature), "false");
    for wrong in [
        flipped.as_str(),
        &guest.signature[..62],
        &guest.signature[..40],
        &guest.signature.to_ascii_lowercase(),
        "00",
    ] {
        // A signature of digits alone has no lower case to be told apart by.
        if wrong != guest.signature {
            assert_eq!(verify(&guest.user_id, guest.time_stamp, wrong), "false", "{wrong}");
        }
    }
}

#[test]
fn g10_signatures_are_the_published_macs() {
    const USER: &str = "99b5e0ae-60b8-4667-8741-f4e1486d2b3a";
    const AT: i64 = 1_614_788_100;
    const SHA1: &str = "FF17E7F9767A5E6BDB8779FBB08B72BC31E3E0B3";
    const SHA256: &str = "3743F8CBD8A40B0EE2C7DC62263990727FBF2D4718221E1B5E5053F46EC6996F";
    let broker = Setup::new()
        .without_projects()
        .project(Project::new(DEMO, "demo").signature("hmac-sha256", Some("env:SIGNING_KEY")))
        .project(Project::new(OTHER, "other").signature("hmac-sha1", Some("env:SIGNING_KEY")))
        .env("SIGNING_KEY", "s3cret")
        .start();
    for (project, length, right, wrong) in [(DEMO, 64, SHA256, SHA1), (OTHER, 40, SHA1, SHA256)] {
        assert_eq!(broker.verify(project, USER, AT, right).expect(200).at("/data/valid"), "true");
        assert_eq!(broker.verify(project, USER, AT, wrong).expect(200).at("/data/valid"), "false");
        let guest = broker.guest(project);
        assert_eq!(guest.signature.len(), length);
        let own = broker.verify(project, &guest.user_id, guest.time_stamp, &guest.signature);
        assert_eq!(own.expect(200).at("/data/valid"), "true");
    }
}

#[test]
fn g02_two_different_ids_in_one_request_are_refused() {
    let broker = broker();
    let (guest, other) = (broker.guest(DEMO), broker.guest(DEMO));
    for (field, value) in [("deviceId", &other.device_id), ("externalId", &other.external_id)] {
        let mut body = envelope(DEMO, "simplified", "anonymous", &guest.pair());
        body[field] = value.as_str().into();
        broker.call("PUT", "/v1/user/login").json(&body).send().refused_field(field);
    }
    broker.login(DEMO, &guest.pair()).expect(200);
}

#[test]
fn g02_the_device_id_of_a_platform_that_hides_it_is_refused() {
    let data = json!({"deviceId": "00000000-0000-0000-0000-000000000000"});
    broker().register(DEMO, &data).refused_field("data.deviceId");
}
