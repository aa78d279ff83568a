//! G03, G04, G08, B04, B07: guessing and flooding.

use serde_json::json;
use vestibule_tests::{Answer, Broker, DEMO, Setup, at_once, fresh_uuid, random_hex};

/// How often a bucket of `limit` may give one more than that while a test runs.
const REFILL: usize = 2;

#[track_caller]
fn limited(answer: &Answer) {
    answer.refused(429, "rate_limited");
    let wait: u32 = answer.header("retry-after").expect("a time to wait").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

/// Asks for a user that does not exist, as if a proxy had forwarded the call.
fn guess(broker: &Broker, forwarded: Option<&str>) -> Answer {
    let mut call = broker
        .call("GET", "/v1/user")
        .to(DEMO, "simplified", "noLogin")
        .query("externalId", &random_hex(64));
    if let Some(address) = forwarded {
        call = call.header("X-Forwarded-For", address);
    }
    call.send()
}

/// How many of these calls were let through.
fn let_through<'a>(broker: &Broker, forwarded: impl IntoIterator<Item = &'a str>) -> usize {
    forwarded.into_iter().filter(|address| guess(broker, Some(*address)).status == 404).count()
}

#[test]
fn g03_a_neighbour_of_an_additional_id_reaches_nobody() {
    let broker = Setup::new().limit("register", "40/min").start();
    let victim =
        broker.register(DEMO, &json!({"deviceId": fresh_uuid(), "additionalId": "12345677865"}));
    let victim = victim.expect(201).at("/data/userId");
    let mut let_in = 0;
    let device = fresh_uuid();
    for id in 12_345_677_840_u64..12_345_677_900 {
        let data = json!({"deviceId": device, "additionalId": id.to_string()});
        let answer = broker.register(DEMO, &data);
        if answer.status == 429 {
            limited(&answer);
            continue;
        }
        let_in += 1;
        assert_ne!(answer.expect(201).at("/data/userId"), victim);
        assert_eq!(answer.at("/data/isNew"), "true");
    }
    assert!((39..=39 + REFILL).contains(&let_in), "{let_in}");
}

#[test]
fn g04_guessed_ids_get_one_answer_and_then_none() {
    let broker = Setup::new().limit("read", "30/min").start();
    let answers: Vec<Answer> = (0..60).map(|_| guess(&broker, None)).collect();
    let first = answers[0].refused(404, "user_not_found").comparable();
    let mut misses = 0;
    for answer in &answers {
        match answer.status {
            404 => {
                misses += 1;
                assert_eq!(answer.comparable(), first);
            }
            _ => limited(answer),
        }
    }
    assert!((30..=30 + REFILL).contains(&misses), "{misses}");
    broker.sound(&answers[59], &[]);
}

#[test]
fn g08_a_flood_of_guests_is_stopped() {
    let broker = Setup::new().limit("register", "20/min").start();
    let answers =
        at_once(8, |_| (0..20).map(|_| broker.register(DEMO, &json!({}))).collect::<Vec<_>>())
            .concat();
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert!((20..=20 + REFILL).contains(&made), "{made}");
    answers.iter().filter(|answer| answer.status != 201).for_each(limited);
    // What was not asked for so often still works.
    guess(&broker, None).refused(404, "user_not_found");
}

#[test]
fn b04_parallel_guesses_are_counted_one_by_one() {
    let broker = Setup::new().limit("login", "20/min").start();
    let guest = broker.guest(DEMO);
    let answers = at_once(100, |_| {
        let wrong = json!({"externalId": guest.external_id, "deviceId": fresh_uuid()});
        broker.login(DEMO, &wrong)
    });
    let evaluated = answers.iter().filter(|answer| answer.status == 401).count();
    assert!((20..=20 + REFILL).contains(&evaluated), "{evaluated}");
    answers.iter().filter(|answer| answer.status != 401).for_each(limited);
}

#[test]
fn b07_a_header_of_a_stranger_opens_no_new_bucket() {
    let broker = Setup::new().limit("read", "10/min").start();
    let addresses: Vec<String> = (0..40).map(|n| format!("203.0.113.{n}")).collect();
    let passed = let_through(&broker, addresses.iter().map(String::as_str));
    assert!((10..=10 + REFILL).contains(&passed), "{passed}");
    for other in ["a", "", "127.0.0.1", "::1", "203.0.113.1, 203.0.113.2"] {
        limited(&guess(&broker, Some(other)));
    }
    for header in ["Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"] {
        let answer = broker
            .call("GET", "/v1/user")
            .to(DEMO, "simplified", "noLogin")
            .query("externalId", "x")
            .header(header, "203.0.113.99")
            .send();
        limited(&answer);
    }
}

fn behind_a_proxy() -> Broker {
    Setup::new().server("trusted_proxies = [\"127.0.0.1/32\"]").limit("read", "5/min").start()
}

#[test]
fn b07_a_trusted_proxy_names_the_client() {
    let broker = behind_a_proxy();
    for client in ["203.0.113.1", "203.0.113.2"] {
        let passed = let_through(&broker, [client; 10]);
        assert!((5..=5 + REFILL).contains(&passed), "{client} {passed}");
    }
    // What a client writes before the proxy's own entry is not believed.
    limited(&guess(&broker, Some("198.51.100.7, 203.0.113.1")));
}

#[test]
fn b07_the_spellings_of_one_address_share_a_bucket() {
    let broker = behind_a_proxy();
    let v4 = ["203.0.113.9", "::ffff:203.0.113.9", "::FFFF:203.0.113.9", "::ffff:cb00:7109"];
    let passed = let_through(&broker, v4.iter().cycle().take(20).copied());
    assert!((5..=5 + REFILL).contains(&passed), "{passed}");
    let v6: Vec<String> = (0..20).map(|n| format!("2001:db8:0:1:{n:x}::{n:x}")).collect();
    let passed = let_through(&broker, v6.iter().map(String::as_str));
    assert!((5..=5 + REFILL).contains(&passed), "one /64 had {passed}");
    guess(&broker, Some("2001:DB8:0:2::1")).refused(404, "user_not_found");
}

#[test]
fn b07_an_unreadable_address_counts_as_the_proxy_itself() {
    let broker = behind_a_proxy();
    let garbage = ["a", "", "999.1.1.1", "unknown", "_hidden", "203.0.113.1.", "[::1", "%00"];
    let passed = let_through(&broker, garbage.iter().cycle().take(24).copied());
    assert!((5..=5 + REFILL).contains(&passed), "{passed}");
}

#[test]
fn o02_half_a_head_is_closed() {
    use std::io::Write;
    let broker = Setup::new().start();
    let mut head = broker.connect();
    head.write_all(b"GET /v1/user HTTP/1.1\r\nhost: x\r\n").unwrap();
    head.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    // Meanwhile nobody else waits.
    broker.register(DEMO, &json!({})).expect(201);
    let raw = vestibule_tests::Raw::read(&mut head);
    assert!(raw.closed && raw.bytes.is_empty(), "{}", raw.text());
}

#[test]
fn p09_a_flooded_project_costs_another_nothing() {
    use vestibule_tests::OTHER;
    let broker = Setup::two_projects().limit("register", "30/min").start();
    let player = broker.player(OTHER, "Harvey");
    // Ten times what the project may ask, from the very address of the bystander.
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            let statuses = (0..300).map(|_| broker.register(DEMO, &json!({})).status);
            statuses.filter(|status| *status == 429).count()
        });
        for _ in 0..100 {
            broker.profile(OTHER, &player.external_id).expect(200);
        }
        // A bucket of thirty, and what comes back in the seconds that the flood may take.
        assert!(flooding.join().unwrap() >= 300 - 2 * 30);
    });
    broker.register(OTHER, &json!({})).expect(201);
}
