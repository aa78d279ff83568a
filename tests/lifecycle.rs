//! Start, restart, reload and stop.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a step of a test that fails is a failed test, and tests stand outside the ports"
)]

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use vestibule_tests::{
    Broker, DEMO, Guest, OTHER, Project, Raw, Setup, envelope, eventually, fresh_uuid,
};

/// How long a reload may take; a changed file is noticed by looking at it now and then.
const RELOAD: Duration = Duration::from_secs(15);

fn knows(broker: &Broker, project: &str) -> bool {
    let status = broker.register(project, &json!({})).status;
    assert!([201, 404].contains(&status), "{status}");
    status == 201
}

#[test]
fn a_restart_keeps_the_guests() {
    let broker = Setup::new().start();
    let (guest, player) = (broker.guest(DEMO), broker.player(DEMO, "Harvey"));
    let data = json!({"appProfile": {"level": 99}});
    broker.update(DEMO, &player.external_id, &data).expect(200);
    let broker = broker.restart();
    let answer = broker.login(DEMO, &guest.pair());
    assert_eq!(answer.expect(200).at("/data/userId"), guest.user_id);
    let answer = broker.profile(DEMO, &player.external_id);
    assert_eq!(answer.expect(200).at("/data/userId"), player.user_id);
    assert_eq!(answer.at("/data/appProfile/level"), "99");
    let valid = broker.verify(DEMO, &guest.user_id, guest.time_stamp, &guest.signature);
    assert_eq!(valid.expect(200).at("/data/valid"), "true");
}

#[test]
fn a_hangup_reloads_the_projects() {
    let setup = Setup::new();
    let broker = setup.start();
    assert!(!knows(&broker, OTHER));
    setup.clone().project(Project::new(OTHER, "other")).write_config();
    broker.sighup();
    assert!(eventually(RELOAD, || knows(&broker, OTHER)), "{}", broker.log());
    assert!(knows(&broker, DEMO));
}

#[test]
fn a_changed_file_is_reloaded_by_itself() {
    let setup = Setup::new();
    let broker = setup.start();
    setup.clone().project(Project::new(OTHER, "other")).write_config();
    assert!(eventually(RELOAD, || knows(&broker, OTHER)), "{}", broker.log());
}

#[test]
fn z03_a_bad_file_keeps_the_old_configuration_and_says_why() {
    let setup = Setup::two_projects();
    let broker = setup.start();
    let guest = broker.guest(OTHER);
    for bad in [
        "this is no TOML",
        "[server]\nlisen = \"127.0.0.1:0\"\n",
        "[[project]]\nid = \"nonsense\"\nname = \"x\"\n",
    ] {
        let before = broker.log().lines().count();
        std::fs::write(setup.config_file(), bad).unwrap();
        broker.sighup();
        let said = || {
            let log = broker.log();
            let news: Vec<_> = log.lines().skip(before).map(str::to_owned).collect();
            news.join("\n")
        };
        assert!(
            eventually(RELOAD, || said().contains("vestibule.toml")),
            "nothing was said about {bad}:\n{}",
            broker.log()
        );
        let answer = broker.login(OTHER, &guest.pair());
        broker.sound(answer.expect(200), &[]);
        assert!(knows(&broker, DEMO));
    }
    setup.write_config();
    broker.sighup();
    assert!(eventually(RELOAD, || knows(&broker, DEMO)));
}

#[test]
fn z03_a_bad_file_stops_a_start_and_says_where() {
    let setup = Setup::new().server("lisen = \"127.0.0.1:0\"");
    let refused = setup.start_refused();
    assert!(refused.code.is_some_and(|code| code != 0), "{refused:?}");
    for wanted in ["vestibule.toml", "lisen", "listen"] {
        assert!(refused.log.contains(wanted), "{wanted} is not in {}", refused.log);
    }
}

#[test]
fn p12_a_removed_project_is_dead_after_the_reload() {
    let setup = Setup::new();
    let broker = setup.clone().project(Project::new(OTHER, "other")).start();
    let (guest, player) = (broker.guest(OTHER), broker.player(OTHER, "Harvey"));
    setup.write_config();
    broker.sighup();
    assert!(eventually(Duration::from_secs(1), || !knows(&broker, OTHER)), "{}", broker.log());
    broker.login(OTHER, &guest.pair()).refused(404, "project_not_found");
    broker.profile(OTHER, &player.external_id).refused(404, "project_not_found");
    let verified = broker.verify(OTHER, &guest.user_id, guest.time_stamp, &guest.signature);
    verified.refused(404, "project_not_found");
    assert!(knows(&broker, DEMO));
}

#[test]
fn z01_a_stop_finishes_what_was_accepted_and_says_so_first() {
    let mut broker = Setup::new().start();
    let body = envelope(DEMO, "simplified", "anonymous", &json!({})).to_string();
    let (first, second) = body.split_at(body.len() / 2);
    let mut slow = broker.connect();
    let head = format!(
        "POST /v1/user HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{first}",
        body.len()
    );
    slow.write_all(head.as_bytes()).unwrap();
    // The broker must have begun with the request before it is asked to stop.
    thread::sleep(Duration::from_millis(200));
    broker.sigterm();
    assert!(
        eventually(Duration::from_secs(5), || broker.ready() == Some(503)),
        "the stop was not announced:\n{}",
        broker.log()
    );
    slow.write_all(second.as_bytes()).unwrap();
    let answer = Raw::read(&mut slow);
    assert_eq!(answer.statuses(), [201], "{}", answer.text());
    assert_eq!(broker.wait(Duration::from_secs(30)), Some(0), "{}", broker.log());
}

/// What one caller saw of one call.
enum Seen {
    Answered(Box<Guest>),
    /// The connection was refused or closed before anything came back.
    Nothing,
}

#[test]
fn z01_a_stop_under_load_cuts_no_answer_and_loses_no_guest() {
    let mut broker = Setup::new().start();
    let setup = broker.setup();
    let stopping = AtomicBool::new(false);
    let seen = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let one = register_on_own_connection(&broker);
                    let gone = matches!(one, Seen::Nothing);
                    assert!(!gone || stopping.load(Ordering::SeqCst), "reset while running");
                    seen.lock().unwrap().push(one);
                    if gone {
                        break;
                    }
                }
            });
        }
        thread::sleep(Duration::from_millis(500));
        stopping.store(true, Ordering::SeqCst);
        broker.sigterm();
    });
    assert_eq!(broker.wait(Duration::from_secs(30)), Some(0), "{}", broker.log());
    drop(broker);
    let broker = setup.start();
    let guests: Vec<_> = seen
        .into_inner()
        .unwrap()
        .into_iter()
        .filter_map(|one| match one {
            Seen::Answered(guest) => Some(guest),
            Seen::Nothing => None,
        })
        .collect();
    assert!(guests.len() > 8, "there was no load");
    for guest in guests {
        let answer = broker.login(DEMO, &guest.pair());
        assert_eq!(answer.expect(200).at("/data/userId"), guest.user_id);
    }
}

/// A connection of its own for each call: on a kept one, a close that crosses the next request
/// on its way would look like a reset, and nobody could tell whether that was accepted.
fn register_on_own_connection(broker: &Broker) -> Seen {
    let device = fresh_uuid();
    let body = envelope(DEMO, "simplified", "anonymous", &json!({"deviceId": device})).to_string();
    let request = format!(
        "POST /v1/user HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let Ok(mut stream) = std::net::TcpStream::connect(broker.public()) else {
        return Seen::Nothing;
    };
    stream.set_read_timeout(Some(Duration::from_secs(35))).unwrap();
    if stream.write_all(request.as_bytes()).is_err() {
        return Seen::Nothing;
    }
    let raw = Raw::read(&mut stream);
    if raw.bytes.is_empty() {
        return Seen::Nothing;
    }
    let answers = raw.answers();
    assert_eq!(answers.len(), 1, "an answer was cut: {}", raw.text());
    let (status, body) = &answers[0];
    assert_eq!(*status, 201, "{body}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let text = |name: &str| body["data"][name].as_str().unwrap().to_owned();
    Seen::Answered(Box::new(Guest {
        project: DEMO.to_owned(),
        device_id: text("deviceId"),
        external_id: text("externalId"),
        user_id: text("userId"),
        time_stamp: body["data"]["timeStamp"].as_i64().unwrap(),
        signature: text("signature"),
    }))
}

#[test]
fn spans_are_exported_when_a_collector_is_configured() {
    use std::io::Read;
    let collector = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", collector.local_addr().unwrap());
    let received = std::sync::Arc::new(Mutex::new(String::new()));
    let sink = std::sync::Arc::clone(&received);
    thread::spawn(move || {
        for stream in collector.incoming() {
            let Ok(mut stream) = stream else { return };
            stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            let mut bytes = [0; 65536];
            while let Ok(length @ 1..) = stream.read(&mut bytes) {
                sink.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..length]));
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        }
    });
    let broker = Setup::new().env("OTEL_EXPORTER_OTLP_ENDPOINT", &address).start();
    let guest = broker.guest(DEMO);
    // Spans are sent in batches, and the rest of them at the stop.
    broker.sigterm();
    assert!(eventually(RELOAD, || received.lock().unwrap().contains("\"register\"")));
    let text = received.lock().unwrap().clone();
    assert!(text.contains("POST /v1/traces"), "{text}");
    assert!(text.contains("\"/v1/user\""), "{text}");
    for secret in [&guest.device_id, &guest.external_id, &guest.user_id] {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
}
