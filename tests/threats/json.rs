//! I02–I07: one JSON text, one meaning.

use serde_json::json;
use vestibule_tests::{Broker, DEMO, fresh_uuid};

use crate::{broker, post_text};

/// The body of a registration, with `data` to the letter.
fn body(provider: &str, data: &str) -> String {
    format!(
        r#"{{"projectId":"{DEMO}","strategy":"simplified","provider":"{provider}","data":{data}}}"#
    )
}

/// Replaces a player's profile by a text to the letter; what came back, and what a later
/// reading brings.
fn stored(broker: &Broker, profile: &str) -> (String, String) {
    let player = broker.player(DEMO, "Harvey");
    let body = body("noLogin", &format!(r#"{{"appProfile":{profile}}}"#));
    let answer = broker
        .call("PUT", "/v1/user")
        .header("X-External-Id", &player.external_id)
        .text(&body)
        .send();
    let read = broker.profile(DEMO, &player.external_id);
    broker.sound(&answer, &[]);
    (answer.expect(200).text(), read.expect(200).text())
}

#[test]
fn i02_sixteen_levels_are_taken_and_seventeen_refused() {
    let broker = broker();
    let player = broker.player(DEMO, "Harvey");
    // The envelope, `data` and `appProfile` are three levels.
    for (levels, status) in [(16, 200), (17, 400)] {
        let nested = format!("{}{}", "[".repeat(levels - 3), "]".repeat(levels - 3));
        let body = body("noLogin", &format!(r#"{{"appProfile":{{"a":{nested}}}}}"#));
        let answer = broker
            .call("PUT", "/v1/user")
            .header("X-External-Id", &player.external_id)
            .text(&body)
            .send();
        broker.sound(answer.expect(status), &[]);
    }
}

#[test]
fn i02_deep_nesting_is_refused_wherever_it_stands() {
    let broker = broker();
    for depth in [20, 128, 30_000] {
        let arrays = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for text in [
            arrays.clone(),
            body("anonymous", &format!(r#"{{"deviceId":{arrays}}}"#)),
            format!(r#"{{"unknown":{arrays}}}"#),
            // Never closed.
            "[".repeat(depth),
        ] {
            let answer = post_text(&broker, &text);
            broker.sound(answer.refused(400, "malformed_request"), &[]);
        }
    }
    let objects = format!("{}1{}", r#"{"a":"#.repeat(5_000), "}".repeat(5_000));
    post_text(&broker, &objects).refused(400, "malformed_request");
}

#[test]
fn i03_numbers_come_back_as_they_were_sent() {
    let broker = broker();
    let profile = r#"{"a":9007199254740993,"b":-0,"c":1.0,"d":1e2,"e":0.1000,"f":1E-7}"#;
    let (answer, read) = stored(&broker, profile);
    assert!(answer.contains(profile), "{answer}");
    assert!(read.contains(profile), "{read}");
}

#[test]
fn i03_numbers_that_no_reader_holds_are_refused() {
    let broker = broker();
    let digits = "9".repeat(10_000);
    for number in ["1e400", "-1e400", "01", "1.", ".5", "+1", "0x10", "NaN", "Infinity", &digits] {
        let text = body("noLogin", &format!(r#"{{"username":"x","further":{number}}}"#));
        let answer = post_text(&broker, &text);
        broker.sound(answer.refused(400, "malformed_request"), &[]);
    }
}

#[test]
fn i03_a_time_stamp_is_a_whole_number() {
    let broker = broker();
    for number in ["1.5", "\"1614788100\"", "9223372036854775808", "[]", "null"] {
        let text = format!(
            r#"{{"projectId":"{DEMO}","userId":"{}","timeStamp":{number},"signature":"00"}}"#,
            fresh_uuid()
        );
        let answer = broker.call("POST", "/v1/signature/verify").text(&text).send();
        broker.sound(answer.refused_field("timeStamp"), &[]);
    }
}

#[test]
fn i04_a_key_stands_once() {
    let broker = broker();
    let routing = format!(r#""projectId":"{DEMO}","strategy":"simplified","provider":"anonymous""#);
    for text in [
        format!(r#"{{{routing},"projectId":"{DEMO}"}}"#),
        format!(r#"{{{routing},"project\u0049d":"{DEMO}"}}"#),
        format!(r#"{{{routing},"data":{{}},"data":{{}}}}"#),
        format!(r#"{{{routing},"x":1,"x":1}}"#),
        body("anonymous", r#"{"additionalId":"a","additionalId":"b"}"#),
        body("anonymous", r#"{"additionalId":"a","additiona\u006cId":"b"}"#),
        body("noLogin", r#"{"appProfile":{"a":[{"b":1,"b":2}]}}"#),
    ] {
        let answer = post_text(&broker, &text);
        broker.sound(answer.refused(400, "malformed_request"), &[]);
    }
    for again in ["projectId", "externalId"] {
        let answer = broker
            .call("GET", "/v1/user")
            .to(DEMO, "simplified", "noLogin")
            .query("externalId", "x")
            .query(again, DEMO)
            .send();
        answer.refused(400, "malformed_request");
    }
}

#[test]
fn i05_the_body_is_json_in_utf_8() {
    let broker = broker();
    let good = body("noLogin", r#"{"username":"Harvey"}"#);
    let mut invalid = good.clone().into_bytes();
    let at = good.find("Harvey").unwrap();
    invalid[at] = 0xff;
    let overlong = good.replace("Harvey", "H").into_bytes();
    let overlong = [&overlong[..at], &[0xc0, 0xaf][..], &overlong[at..]].concat();
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bom = [&[0xef, 0xbb, 0xbf][..], good.as_bytes()].concat();
    let lone = good.replace("Harvey", r"\ud800").into_bytes();
    for bytes in [invalid, overlong, utf16, bom, lone] {
        let answer = broker
            .call("POST", "/v1/user")
            .header("content-type", "application/json")
            .bytes(bytes)
            .send();
        broker.sound(answer.refused(400, "malformed_request"), &[]);
    }
}

#[test]
fn i05_another_charset_is_no_json() {
    let broker = broker();
    let good = body("noLogin", r#"{"username":"Harvey"}"#);
    for (content_type, status) in [
        ("application/json; charset=utf-8", 200),
        ("application/json;charset=\"UTF-8\"", 200),
        ("Application/JSON", 200),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=iso-8859-1", 415),
        ("application/jsonp", 415),
        ("text/json", 415),
    ] {
        let answer = broker
            .call("POST", "/v1/user")
            .header("content-type", content_type)
            .bytes(good.clone())
            .send();
        assert_eq!(answer.status, status, "{content_type}");
        broker.sound(&answer, &[]);
    }
}

#[test]
fn i06_nul_is_refused_in_every_text() {
    let broker = broker();
    for data in [
        r#"{"username":"a\u0000b"}"#,
        r#"{"appProfile":{"a":"\u0000"}}"#,
        r#"{"appProfile":{"\u0000":1}}"#,
        r#"{"further":[["\u0000"]]}"#,
    ] {
        let answer = post_text(&broker, &body("noLogin", data));
        broker.sound(answer.refused(400, "malformed_request"), &[]);
    }
    let mut whole = body("noLogin", "{}");
    whole.insert_str(1, r#""x":"\u0000","#);
    post_text(&broker, &whole).refused(400, "malformed_request");
    broker.profile(DEMO, "a\0b").refused(400, "malformed_request");
}

#[test]
fn i07_keys_with_a_meaning_elsewhere_have_none_here() {
    let broker = broker();
    let profile = r#"{"__proto__":{"admin":true},"constructor":{"prototype":1},"":2,"$ref":"/"}"#;
    let (answer, read) = stored(&broker, profile);
    assert!(answer.contains(profile), "{answer}");
    assert!(read.contains(profile), "{read}");
}

#[test]
fn i08_names_that_look_alike_are_different_users() {
    let broker = broker();
    let device = fresh_uuid();
    // Latin, Cyrillic, Kelvin sign, fullwidth, right-to-left mark, zero width, composed and not.
    let names = [
        "K",
        "k",
        "\u{212a}",
        "\u{ff2b}",
        "\u{200f}K",
        "K\u{200b}",
        "\u{41a}",
        "\u{e9}",
        "e\u{301}",
    ];
    let mut users = std::collections::BTreeSet::new();
    for name in names {
        let data = json!({"deviceId": device, "additionalId": name});
        let answer = broker.register(DEMO, &data);
        assert!(users.insert(answer.expect(201).at("/data/userId")), "{name} collides");
        let player = broker.create(DEMO, &json!({"username": name}));
        assert_eq!(player.expect(200).at("/data/username"), name);
    }
    let player = broker.player(DEMO, "Harvey");
    let full: String = player
        .external_id
        .chars()
        .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
        .collect();
    broker.profile(DEMO, &full).refused(404, "user_not_found");
    let upper = player.external_id.to_ascii_uppercase();
    broker.profile(DEMO, &upper).refused(404, "user_not_found");
}
