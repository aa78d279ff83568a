//! D01, D04, D05: kills, damaged files and a second process.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::json;
use vestibule_tests::{Broker, DEMO, Setup, envelope, fresh_uuid};

/// An acknowledged write: external id, device id, and the level last written, if any.
type Acknowledged = Vec<(String, Option<u64>)>;

/// Writes until the broker is gone; what was acknowledged.
fn write_until_gone(broker: &Broker) -> Acknowledged {
    let mut done = Acknowledged::new();
    loop {
        let register = envelope(DEMO, "simplified", "noLogin", &json!({"username": "Harvey"}));
        let Ok(answer) = broker.call("POST", "/v1/user").json(&register).try_send() else {
            return done;
        };
        let id = answer.expect(200).at("/data/externalId");
        done.push((id.clone(), None));
        let level = done.len() as u64;
        let data = json!({"appProfile": {"level": level}});
        let mut update = envelope(DEMO, "simplified", "noLogin", &data);
        update["externalId"] = id.into();
        match broker.call("PUT", "/v1/user").json(&update).try_send() {
            Ok(answer) if answer.status == 200 => {
                if let Some((_, written)) = done.last_mut() {
                    *written = Some(level);
                }
            }
            Ok(answer) => panic!("{}", answer.text()),
            Err(_) => return done,
        }
    }
}

#[test]
fn d01_what_was_acknowledged_survives_a_kill() {
    let mut broker = Setup::new().start();
    let mut kept = Acknowledged::new();
    for round in 0..10 {
        let written = Mutex::new(Acknowledged::new());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let done = write_until_gone(&broker);
                    written.lock().unwrap().extend(done);
                });
            }
            thread::sleep(Duration::from_millis(60 + 17 * round));
            broker.sigkill();
        });
        broker = broker.restart();
        let written = written.into_inner().unwrap();
        for (id, level) in &written {
            let answer = broker.profile(DEMO, id);
            assert_eq!(answer.status, 200, "an acknowledged user is lost");
            let found = answer.json()["data"]["appProfile"]["level"].as_u64();
            // A write without an answer may be there or not, but never in part.
            assert!(level.is_none() || found == *level, "{level:?} became {found:?}");
        }
        kept.extend(written);
    }
    assert!(kept.len() > 40, "only {} writes were acknowledged", kept.len());
    for (id, _) in &kept {
        broker.profile(DEMO, id).expect(200);
    }
}

/// A stopped broker with some users, and the external id of one of them.
fn filled() -> (Setup, String) {
    let mut broker = Setup::new().start();
    let setup = broker.setup();
    let player = broker.player(DEMO, "Harvey");
    for _ in 0..50 {
        let _ = broker.guest(DEMO);
    }
    broker.sigterm();
    assert_eq!(broker.wait(Duration::from_secs(30)), Some(0));
    (setup, player.external_id)
}

fn refuses(setup: &Setup, what: &str) {
    let before = std::fs::read(setup.database()).unwrap();
    let refused = setup.start_refused();
    assert!(refused.code.is_some_and(|code| code != 0), "{what}: {refused:?}");
    assert!(refused.log.contains("vestibule.db"), "{what}: {}", refused.log);
    assert!(!refused.log.contains("panicked"), "{what}: {}", refused.log);
    assert_eq!(std::fs::read(setup.database()).unwrap(), before, "{what}: the evidence is gone");
}

#[test]
fn d04_a_damaged_database_stops_the_start() {
    let (setup, user) = filled();
    let good = std::fs::read(setup.database()).unwrap();
    let write = |bytes: &[u8]| std::fs::write(setup.database(), bytes).unwrap();

    let mut header = good.clone();
    header[..16].copy_from_slice(b"not a database!!");
    write(&header);
    refuses(&setup, "another header");

    write(&good[..good.len() / 2]);
    refuses(&setup, "cut in half");

    let mut pages = good.clone();
    for byte in pages.iter_mut().skip(4096) {
        *byte ^= 0x5a;
    }
    write(&pages);
    refuses(&setup, "overwritten pages");

    write(&good);
    setup.start().profile(DEMO, &user).expect(200);
}

#[test]
fn d04_a_lost_or_damaged_master_key_stops_the_start() {
    let (setup, user) = filled();
    let good = std::fs::read(setup.master_key()).unwrap();
    let cases = [Some(&good[..good.len() / 2]), Some(&b""[..]), None];
    for damaged in cases {
        match damaged {
            Some(bytes) => std::fs::write(setup.master_key(), bytes).unwrap(),
            None => std::fs::remove_file(setup.master_key()).unwrap(),
        }
        let refused = setup.start_refused();
        assert!(refused.code.is_some_and(|code| code != 0), "{refused:?}");
        assert!(refused.log.contains("master"), "{}", refused.log);
        assert!(!refused.log.contains("panicked"), "{}", refused.log);
    }
    std::fs::write(setup.master_key(), good).unwrap();
    setup.start().profile(DEMO, &user).expect(200);
}

#[test]
fn d05_a_second_process_on_one_database_is_refused() {
    let broker = Setup::new().start();
    let refused = broker.setup().start_refused();
    assert!(refused.code.is_some_and(|code| code != 0), "{refused:?}");
    assert!(refused.log.contains("vestibule.db"), "{}", refused.log);
    let answer = broker.register(DEMO, &json!({"deviceId": fresh_uuid()}));
    broker.sound(answer.expect(201), &[]);
}

#[test]
fn d05_the_lock_ends_with_its_process() {
    let broker = Setup::new().start();
    let guest = broker.guest(DEMO);
    broker.sigkill();
    let broker = broker.restart();
    broker.login(DEMO, &guest.pair()).expect(200);
}

#[test]
fn d05_a_lock_from_outside_is_a_bounded_503_and_reads_go_on() {
    let setup = Setup::new();
    let broker = setup.start();
    let player = broker.player(DEMO, "Harvey");
    let outside = rusqlite::Connection::open(setup.database()).unwrap();
    outside.execute_batch("BEGIN IMMEDIATE").unwrap();
    let register = envelope(DEMO, "simplified", "anonymous", &json!({}));
    let answer = broker.call("POST", "/v1/user").json(&register).try_send().unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert_eq!(answer.at("/error/code"), "temporarily_unavailable");
    assert!(answer.header("retry-after").is_some());
    broker.profile(DEMO, &player.external_id).expect(200);
    outside.execute_batch("ROLLBACK").unwrap();
    broker.register(DEMO, &json!({})).expect(201);
}
