//! W01, W03, W05: what a web page may do and is told.

use serde_json::json;
use vestibule_tests::{Answer, Broker, DEMO, envelope};

use crate::{ORIGIN, WEB, broker};

fn from(broker: &Broker, project: &str, origin: &str) -> Answer {
    broker
        .call("POST", "/v1/user")
        .header("origin", origin)
        .json(&envelope(project, "simplified", "anonymous", &json!({})))
        .send()
}

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";

#[test]
fn w01_only_the_listed_origins_may_call() {
    let broker = broker();
    let answer = from(&broker, WEB, ORIGIN);
    assert_eq!(answer.expect(201).header(ALLOW_ORIGIN), Some(ORIGIN));
    assert_eq!(answer.header(ALLOW_CREDENTIALS), None);
    assert!(answer.header("vary").is_some_and(|vary| vary.to_ascii_lowercase().contains("origin")));
    for origin in [
        "https://evil.example.com",
        "null",
        "https://game.example.com.evil.example",
        "https://xgame.example.com",
        "https://sub.game.example.com",
        "http://game.example.com",
        "https://game.example.com:8443",
        "https://game.example.com/",
        "https://game.example.com@evil.example",
        "HTTPS://GAME.EXAMPLE.COM",
        "*",
    ] {
        let answer = from(&broker, WEB, origin);
        broker.sound(answer.refused(403, "origin_not_allowed"), &[]);
        assert_eq!(answer.header(ALLOW_ORIGIN), None, "{origin}");
        assert_eq!(answer.header(ALLOW_CREDENTIALS), None, "{origin}");
    }
}

#[test]
fn w01_an_origin_counts_for_its_own_project_only() {
    let broker = broker();
    let answer = from(&broker, DEMO, ORIGIN);
    answer.refused(403, "origin_not_allowed");
    assert_eq!(answer.header(ALLOW_ORIGIN), None);
}

#[test]
fn w01_a_failure_is_readable_for_the_page_that_may_call() {
    let broker = broker();
    let answer = broker
        .call("POST", "/v1/user/logout")
        .header("origin", ORIGIN)
        .json(&envelope(WEB, "simplified", "anonymous", &json!({})))
        .send();
    answer.refused(501, "operation_not_supported");
    assert_eq!(answer.header(ALLOW_ORIGIN), Some(ORIGIN));
}

#[test]
fn w01_a_preflight_is_answered_for_listed_origins_only() {
    let broker = broker();
    let ask = |project: Option<&str>, origin: &str| {
        let call = broker
            .call("OPTIONS", "/v1/user")
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "content-type, x-external-id");
        match project {
            Some(project) => call.query("projectId", project).send(),
            None => call.send(),
        }
    };
    // A body is not sent with a preflight, so the project is often unknown.
    for project in [Some(WEB), None] {
        let answer = ask(project, ORIGIN);
        assert_eq!(answer.status, 204, "{}", answer.text());
        assert_eq!(answer.header(ALLOW_ORIGIN), Some(ORIGIN));
        assert_eq!(answer.header(ALLOW_CREDENTIALS), None);
        let methods = answer.header("access-control-allow-methods").unwrap_or_default();
        assert_eq!(methods, "GET, POST, PUT, DELETE");
        let headers = answer.header("access-control-allow-headers").unwrap_or_default();
        assert_eq!(headers, "authorization, content-type, x-external-id");
    }
    for (project, origin) in [
        (Some(WEB), "https://evil.example.com"),
        (None, "https://evil.example.com"),
        (Some(WEB), "null"),
        (Some(DEMO), ORIGIN),
    ] {
        let answer = ask(project, origin);
        answer.refused(403, "origin_not_allowed");
        assert_eq!(answer.header(ALLOW_ORIGIN), None, "{project:?} {origin}");
    }
}

#[test]
fn w03_every_answer_tells_browsers_to_be_careful() {
    let broker = broker();
    let answers = [
        from(&broker, WEB, ORIGIN),
        from(&broker, WEB, "null"),
        broker.call("GET", "/nothing/here").send(),
        broker.call("PATCH", "/v1/user").send(),
        broker.call("GET", "/docs").send(),
        broker.call("GET", "/openapi.json").send(),
    ];
    for answer in answers {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        let policy = answer.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(policy.contains("default-src"), "{policy}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
    }
}

#[test]
fn w05_an_answer_is_json_and_nothing_else() {
    let broker = broker();
    let player = broker.player(DEMO, "</script><script>alert(1)</script>");
    for name in ["callback", "jsonp", "cb", "next", "redirect", "redirect_uri"] {
        let answer = broker
            .call("GET", "/v1/user")
            .to(DEMO, "simplified", "noLogin")
            .header("X-External-Id", &player.external_id)
            .query(name, "//evil.example.com")
            .header("accept", "text/html")
            .send();
        assert_eq!(answer.expect(200).header("content-type"), Some("application/json"));
        assert!(answer.text().starts_with('{'), "{}", answer.text());
        assert!(!answer.text().contains("evil"), "{}", answer.text());
        assert_eq!(answer.header("location"), None);
    }
}
