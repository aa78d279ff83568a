//! I13, I14, I18, B08: what stands in front of the JSON.

use serde_json::json;
use vestibule_tests::{DEMO, Raw, envelope};

use crate::broker;

/// Headers that two readers may take for the frames of different bodies. `LEN` stands for the
/// true length of the body, `HEX` for the same in hexadecimal.
const AMBIGUOUS: &[(&str, &str)] = &[
    ("length and chunks", "content-length: LEN\r\ntransfer-encoding: chunked"),
    ("chunks and length", "transfer-encoding: chunked\r\ncontent-length: 4"),
    ("two lengths", "content-length: LEN\r\ncontent-length: 0"),
    ("a list of lengths", "content-length: LEN, 0"),
    ("a signed length", "content-length: +LEN"),
    ("a hexadecimal length", "content-length: 0xHEX"),
    ("two encodings", "transfer-encoding: chunked\r\ntransfer-encoding: identity"),
    ("an unknown encoding", "transfer-encoding: xchunked"),
    ("chunks not last", "transfer-encoding: chunked, identity"),
    ("a space before the colon", "transfer-encoding : chunked"),
    ("a folded header", "x-folded: a\r\n b\r\ncontent-length: LEN"),
    ("a NUL in a header", "x-nul: a\0b\r\ncontent-length: LEN"),
    ("a lone CR in a header", "x-cr: a\rb\r\ncontent-length: LEN"),
];

/// A refusal that leaves nothing to be read as a second request.
#[track_caller]
fn refused_and_closed(what: &str, raw: &Raw) {
    assert_eq!(raw.statuses(), [400], "{what}: {}", raw.text());
    assert!(raw.closed, "{what}: left open");
    for (_, body) in raw.answers() {
        let body: serde_json::Value = serde_json::from_str(&body).expect("our envelope");
        assert_eq!(body["error"]["code"], "malformed_request", "{what}");
    }
}

#[test]
fn i13_requests_with_two_readings_are_refused() {
    let broker = broker();
    let plain = envelope(DEMO, "simplified", "anonymous", &json!({})).to_string();
    let chunked = format!("{:x}\r\n{plain}\r\n0\r\n\r\n", plain.len());
    for (what, headers) in AMBIGUOUS {
        let body = if headers.contains("chunked") { &chunked } else { &plain };
        let headers = headers
            .replace("LEN", &plain.len().to_string())
            .replace("HEX", &format!("{:x}", plain.len()));
        let raw = broker.raw(
            format!(
                "POST /v1/user HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                 {headers}\r\n\r\n{body}GET /nothing/here HTTP/1.1\r\nhost: x\r\n\r\n"
            )
            .as_bytes(),
        );
        refused_and_closed(what, &raw);
    }
}

#[test]
fn i13_a_request_has_one_host_and_a_path() {
    let broker = broker();
    for (what, bytes) in [
        ("no host", "GET /v1/user HTTP/1.1\r\n\r\n"),
        ("two hosts", "GET /v1/user HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n"),
        ("the same host twice", "GET /v1/user HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n"),
        ("an absolute form", "GET http://evil.example.com/v1/user HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("bare line feeds", "GET /v1/user HTTP/1.1\nhost: x\n\n"),
        ("a space in the path", "GET /v1/ user HTTP/1.1\r\nhost: x\r\n\r\n"),
        ("no version", "GET /v1/user\r\n\r\n"),
    ] {
        refused_and_closed(what, &broker.raw(bytes.as_bytes()));
    }
}

#[test]
fn i13_a_plain_request_is_answered_and_the_connection_kept() {
    let broker = broker();
    let one = "GET /nothing/here HTTP/1.1\r\nhost: x\r\n\r\n";
    let last = "GET /nothing/here HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let raw = broker.raw(format!("{one}{last}").as_bytes());
    assert_eq!(raw.statuses(), [404, 404], "{}", raw.text());
    assert!(raw.closed);
}

#[test]
fn i14_http_2_is_not_spoken() {
    let broker = broker();
    // The preface (RFC 9113 §3.4) and an empty SETTINGS frame.
    let raw = broker.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert!(raw.closed, "left open");
    assert!(raw.statuses().iter().all(|status| *status >= 400), "{}", raw.text());
    assert!(!raw.bytes.starts_with(b"\0\0"), "frames came back");
    let upgrade = broker.raw(
        b"GET /nothing/here HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\n\
          upgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    );
    assert!(!upgrade.statuses().contains(&101), "{}", upgrade.text());
}

#[test]
fn i18_a_path_has_no_second_reading() {
    let broker = broker();
    for path in [
        "/public/../metrics",
        "/v1/../metrics",
        "/v1/user/..;/metrics",
        "/v1/%2e%2e/metrics",
        "/v1/%252e%252e/metrics",
        "/v1/user;x=y",
        "/v1/user%2flogin",
        "/v1/user%00",
        "/V1/USER",
        "/metrics",
        "/health/ready",
        "/health/live",
        "/admin",
    ] {
        let raw = broker
            .raw(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes());
        assert_eq!(raw.statuses(), [404], "{path}: {}", raw.text());
    }
}

#[test]
fn i18_a_header_cannot_change_the_path() {
    let broker = broker();
    let player = broker.player(DEMO, "Harvey");
    for header in ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Path"] {
        let answer = broker
            .call("GET", "/nothing/here")
            .to(DEMO, "simplified", "noLogin")
            .header("X-External-Id", &player.external_id)
            .header(header, "/v1/user")
            .send();
        broker.sound(answer.refused(404, "not_found"), &[&player.external_id]);
    }
}

#[test]
fn b08_a_path_has_one_spelling() {
    let broker = broker();
    let body = envelope(DEMO, "simplified", "anonymous", &json!({})).to_string();
    for path in [
        "//v1/user",
        "/v1//user",
        "/./v1/user",
        "/v1/./user",
        "/v1/user/",
        "/v1/%75ser",
        "/v1/user/login/",
        "/x/../v1/user",
    ] {
        let raw = broker.raw(
            format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .as_bytes(),
        );
        assert_eq!(raw.statuses(), [404], "{path}: {}", raw.text());
    }
}
