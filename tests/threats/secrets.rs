//! X01, X03, X04, X07, X08: what must not be readable, and where.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};
use vestibule_tests::{Broker, DEMO, OTHER, Project, Setup, envelope, fresh_uuid, random_hex};

use crate::broker;

/// The bytes of every file below a folder, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Every call of the interface, with a canary wherever a secret or an address may stand.
fn sweep(broker: &Broker, canary: &str) {
    let data = json!({
        "email": format!("{canary}@example.com"),
        "password": canary,
        "previousPassword": canary,
        "confirmationCode": canary,
        "username": {"not a text": canary},
        "deviceId": canary,
        "externalId": canary,
        "additionalId": canary,
    });
    for (method, path) in [
        ("POST", "/v1/user"),
        ("PUT", "/v1/user"),
        ("DELETE", "/v1/user"),
        ("PUT", "/v1/user/change-password"),
        ("PUT", "/v1/user/forgot-password"),
        ("POST", "/v1/user/confirm-forgot-password"),
        ("POST", "/v1/user/refresh"),
        ("POST", "/v1/user/logout"),
        ("PUT", "/v1/user/login"),
        ("GET", "/v1/user"),
        ("GET", "/v1/user/check"),
        ("GET", "/v1/user/check/nonstandard"),
    ] {
        for (strategy, provider) in
            [("simplified", "anonymous"), ("simplified", "noLogin"), ("email", canary)]
        {
            let mut call = broker
                .call(method, path)
                .header("authorization", &format!("Bearer {canary}"))
                .header("x-external-id", canary)
                .header("cookie", &format!("session={canary}"));
            if method == "GET" {
                call = call.to(DEMO, strategy, provider);
                for name in ["accessToken", "externalId", "deviceId", "userId", "password"] {
                    call = call.query(name, canary);
                }
            } else {
                let mut body = envelope(DEMO, strategy, provider, &data);
                for name in ["externalId", "deviceId", "refreshToken", "accessToken"] {
                    body[name] = canary.into();
                }
                call = call.json(&body);
            }
            let answer = call.send();
            assert!(answer.status >= 400, "{method} {path} {}", answer.text());
            broker.sound(&answer, &[canary]);
        }
    }
}

#[test]
fn x01_no_canary_comes_out_anywhere() {
    let broker = Setup::new()
        .without_projects()
        .project(Project::new(DEMO, "demo").signature("hmac-sha256", Some("env:SIGNING_KEY")))
        .env("SIGNING_KEY", "canary-of-the-signing-key")
        .start();
    let canary = format!("canary-{}", random_hex(16));
    sweep(&broker, &canary);
    let guest = broker.guest(DEMO);
    broker.login(DEMO, &guest.pair()).expect(200);
    let player = broker.player(DEMO, "Harvey-the-canary");
    broker.profile(DEMO, &player.external_id).expect(200);
    let text = format!(r#"{{"projectId":"{DEMO}","{canary}"#);
    broker.call("POST", "/v1/user").text(&text).send().refused(400, "malformed_request");
    let secrets = [
        canary.as_str(),
        "canary-of-the-signing-key",
        "Harvey-the-canary",
        &guest.device_id,
        &guest.external_id,
        &guest.signature,
        &player.external_id,
        &player.device_id,
    ];
    for place in [broker.log(), broker.metrics()] {
        for secret in secrets {
            assert!(!place.contains(secret), "{secret} is in {place}");
        }
    }
}

#[test]
fn x03_a_copy_of_the_store_holds_nothing_to_be_replayed() {
    let setup = Setup::new()
        .without_projects()
        .project(Project::new(DEMO, "demo").signature("hmac-sha256", Some("env:SIGNING_KEY")))
        .env("SIGNING_KEY", "canary-of-the-signing-key");
    let broker = setup.start();
    let data = json!({"deviceId": fresh_uuid(), "additionalId": "canary-of-the-player"});
    let answer = broker.register(DEMO, &data);
    let external = answer.expect(201).at("/data/externalId");
    let player = broker.player(DEMO, "Harvey-in-the-store");
    drop(broker);
    let device = answer.at("/data/deviceId");
    let files = files(&setup.home().join("data"));
    assert!(
        files.iter().any(|(_, bytes)| holds(bytes, "Harvey-in-the-store")),
        "the search looks in the wrong place"
    );
    for secret in [
        external.as_str(),
        &device,
        &answer.at("/data/signature"),
        &player.external_id,
        &player.device_id,
        "canary-of-the-player",
        "canary-of-the-signing-key",
    ] {
        for (name, bytes) in &files {
            assert!(!holds(bytes, secret), "{secret} is in {name}");
        }
        let bare = secret.replace('-', "");
        let raw: Option<Vec<u8>> = (0..bare.len() / 2)
            .map(|at| u8::from_str_radix(bare.get(at * 2..at * 2 + 2)?, 16).ok())
            .collect();
        for (name, bytes) in &files {
            let found = raw.as_ref().is_some_and(|raw| bytes.windows(raw.len()).any(|w| w == raw));
            assert!(!found, "{secret} is in {name} as bytes");
        }
    }
}

#[test]
fn x03_another_master_key_does_not_open_the_store() {
    let (setup, stranger) = (Setup::new(), Setup::new());
    let broker = setup.start();
    let guest = broker.guest(DEMO);
    drop(broker);
    drop(stranger.start());
    let right = std::fs::read(setup.master_key()).unwrap();
    std::fs::copy(stranger.master_key(), setup.master_key()).unwrap();
    let refused = setup.start_refused();
    assert!(refused.code.is_some_and(|code| code != 0), "{refused:?}");
    assert!(refused.log.contains("master"), "it does not say why: {}", refused.log);
    std::fs::write(setup.master_key(), right).unwrap();
    setup.start().login(DEMO, &guest.pair()).expect(200);
}

#[test]
fn x04_a_first_start_makes_its_own_key() {
    let (one, two) = (Setup::new(), Setup::new());
    let keys = [one, two].map(|setup| {
        assert!(!setup.master_key().exists());
        let broker = setup.start();
        let log = broker.log();
        assert!(log.contains("master.key"), "it does not say so: {log}");
        let mode = std::fs::metadata(setup.master_key()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "others can read the key");
        std::fs::read(setup.master_key()).unwrap()
    });
    assert!(keys[0].len() >= 32);
    assert_ne!(keys[0], keys[1], "a key that every installation has");
}

#[test]
fn x07_a_log_line_cannot_be_forged() {
    let broker = Setup::new().start();
    for name in ["a\r\nb", "a\nlevel=ERROR", "\u{1b}[31mred", "a\u{7}b", "\u{9b}31m"] {
        broker.create(DEMO, &json!({"username": name})).refused_field("data.username");
    }
    let forged = r#"x","level":"FORGED"}"#;
    let _ = broker.player(DEMO, forged);
    let _ = broker.register(DEMO, &json!({"additionalId": forged, "deviceId": forged}));
    let _ = broker.profile(DEMO, forged);
    let answer = broker
        .call("GET", "/v1/%0d%0a%7B%22level%22:%22FORGED%22%7D%1b[31m")
        .header("user-agent", forged)
        .send();
    answer.refused(404, "not_found");
    broker.sound(&answer, &["FORGED"]);
    for line in broker.log().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert!(line.is_object(), "{line}");
        assert!(!line.to_string().contains("\\u001b"), "{line}");
    }
}

#[test]
fn x08_the_operators_pages_name_nobody() {
    let broker = Setup::new()
        .without_projects()
        .project(Project::new(DEMO, "name-of-the-first"))
        .project(Project::new(OTHER, "name-of-the-second"))
        .start();
    let guest = broker.guest(DEMO);
    let player = broker.player(OTHER, "Harvey");
    broker.login(DEMO, &guest.pair()).expect(200);
    let version = env!("CARGO_PKG_VERSION");
    for path in ["/health/live", "/health/ready", "/metrics"] {
        let text = broker.admin_get(path).expect("an answer").expect(200).text();
        for hidden in [
            DEMO,
            OTHER,
            "name-of-the",
            &guest.user_id,
            &guest.external_id,
            &guest.device_id,
            &player.user_id,
            &player.external_id,
            "Harvey",
        ] {
            assert!(!text.contains(hidden), "{hidden} is in {path}: {text}");
        }
        assert!(path == "/metrics" || !text.contains(version), "{path} names the version");
    }
}

#[test]
fn x08_answers_do_not_name_the_software() {
    let broker = broker();
    let answers = [
        broker.register(DEMO, &json!({})),
        broker.call("GET", "/nothing/here").send(),
        broker.call("PATCH", "/v1/user").send(),
    ];
    for answer in answers {
        for header in ["server", "x-powered-by", "via"] {
            assert_eq!(answer.header(header), None);
        }
    }
    for path in ["/metrics", "/health/ready", "/health/live"] {
        broker.call("GET", path).send().refused(404, "not_found");
    }
}

#[test]
fn x07_every_result_that_concerns_a_user_is_written_down() {
    let broker = Setup::new().start();
    let guest = broker.guest(DEMO);
    broker.login(DEMO, &guest.pair()).expect(200);
    broker.login(DEMO, &json!({"externalId": "0", "deviceId": guest.device_id})).expect(401);
    let erase = envelope(DEMO, "simplified", "anonymous", &guest.pair());
    broker.call("DELETE", "/v1/user").json(&erase).send().expect(200);
    let lines = || -> Vec<Value> {
        broker.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    for (operation, status, whose) in [
        ("register", 201, Some(&guest.user_id)),
        ("login", 200, Some(&guest.user_id)),
        ("login", 401, None),
        ("erase", 200, Some(&guest.user_id)),
    ] {
        let written = vestibule_tests::eventually(std::time::Duration::from_secs(5), || {
            lines().iter().any(|line| {
                line["operation"] == operation
                    && line["status"] == status
                    && line["user.id"].as_str() == whose.map(String::as_str)
                    && line["request_id"].is_string()
            })
        });
        assert!(written, "{operation} {status}: {}", broker.log());
    }
}
