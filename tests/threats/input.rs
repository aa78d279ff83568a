//! I01, I10–I12, I15, I16, I20: sizes, types, names and media types.

use serde_json::{Value, json};
use vestibule_tests::{DEMO, Project, Setup, envelope, fresh_uuid};

use crate::{broker, post, post_text};

#[test]
fn i01_a_large_body_is_refused() {
    let broker = broker();
    let mut body = envelope(DEMO, "simplified", "anonymous", &json!({}));
    body["padding"] = "x".repeat(3 * 1024 * 1024).into();
    let body = body.to_string();
    let head = format!(
        "POST /v1/user HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let raw = broker.raw(&[head.as_bytes(), body.as_bytes()].concat());
    assert_eq!(raw.statuses(), [413], "{}", raw.text());
    assert!(raw.closed, "the rest of the body would be read as a request");
}

#[test]
fn i01_the_limit_is_64_kib_to_the_byte() {
    let broker = broker();
    for (size, status) in [(64 * 1024, 201), (64 * 1024 + 1, 413)] {
        let mut body = envelope(DEMO, "simplified", "anonymous", &json!({}));
        body["padding"] = "".into();
        let padding = size - body.to_string().len();
        body["padding"] = "x".repeat(padding).into();
        let answer = post(&broker, &body);
        broker.sound(answer.expect(status), &[]);
    }
}

#[test]
fn i01_a_claimed_size_is_refused_before_the_body_comes() {
    let raw = broker().raw(
        b"POST /v1/user HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
          content-length: 10000000000\r\n\r\n{",
    );
    assert_eq!(raw.statuses(), [413], "{}", raw.text());
    assert!(raw.closed);
}

#[test]
fn i01_endless_chunks_are_refused() {
    let mut bytes = b"POST /v1/user HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n"
        .to_vec();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    // 128 KiB, and never the last chunk.
    for _ in 0..32 {
        bytes.extend_from_slice(chunk.as_bytes());
    }
    let raw = broker().raw(&bytes);
    assert_eq!(raw.statuses(), [413], "{}", raw.text());
    assert!(raw.closed);
}

#[test]
fn i10_what_the_broker_decides_cannot_be_set() {
    let broker = broker();
    let player = broker.player(DEMO, "Harvey");
    for name in [
        "role",
        "roles",
        "id",
        "projectId",
        "userId",
        "devices",
        "createdAt",
        "email_verified",
        "externalId",
        "permissions",
        "signUp",
        "loginHistory",
    ] {
        let field = format!("data.{name}");
        for value in [json!("admin"), json!(true), json!(["admin"]), json!({})] {
            let data = json!({name: value});
            broker.register(DEMO, &data).refused_field(&field);
            broker.create(DEMO, &data).refused_field(&field);
            broker.update(DEMO, &player.external_id, &data).refused_field(&field);
        }
    }
    let answer = broker.profile(DEMO, &player.external_id);
    broker.sound(answer.expect(200), &[]);
    assert_eq!(answer.at("/data/userId"), player.user_id);
    assert_eq!(answer.at("/data/appProfile"), "{}");
}

#[test]
fn i11_other_types_are_refused_by_name() {
    let broker = broker();
    let wrong = [json!(["a"]), json!({"$ne": 1}), json!(true), json!(7)];
    for value in &wrong {
        for field in ["projectId", "strategy", "provider"] {
            let mut body = envelope(DEMO, "simplified", "anonymous", &json!({}));
            body[field] = value.clone();
            broker.sound(post(&broker, &body).refused_field(field), &[]);
        }
        for field in ["deviceId", "additionalId"] {
            let answer = broker.register(DEMO, &json!({field: value}));
            broker.sound(answer.refused_field(&format!("data.{field}")), &[]);
        }
        for field in ["externalId", "deviceId"] {
            let mut pair = json!({"externalId": "x", "deviceId": fresh_uuid()});
            pair[field] = value.clone();
            broker.login(DEMO, &pair).refused_field(&format!("data.{field}"));
        }
        let answer = broker.create(DEMO, &json!({"username": value}));
        answer.refused_field("data.username");
        let mut body = envelope(DEMO, "simplified", "noLogin", &json!({"username": "x"}));
        body["externalId"] = value.clone();
        broker.call("PUT", "/v1/user").json(&body).send().refused_field("externalId");
    }
    for data in [json!([]), json!("text"), json!(7), json!(true)] {
        broker.register(DEMO, &data).refused_field("data");
    }
    let mut body = envelope(DEMO, "simplified", "anonymous", &json!({}));
    body["projectId"] = Value::Null;
    post(&broker, &body).refused_field("projectId");
}

#[test]
fn i11_a_device_id_is_a_uuid() {
    let broker = broker();
    let device = fresh_uuid();
    for bad in [
        "".to_owned(),
        "device".to_owned(),
        device.replace('-', ""),
        format!("{{{device}}}"),
        format!("urn:uuid:{device}"),
        format!(" {device}"),
        format!("{device}0"),
        "x".repeat(300),
    ] {
        let answer = broker.register(DEMO, &json!({"deviceId": bad}));
        broker.sound(answer.refused_field("data.deviceId"), &[]);
    }
}

#[test]
fn i12_only_the_configured_pair_of_strategy_and_provider_exists() {
    const THIRD: &str = "d6d3bd0a-52d5-4b43-b2f5-65c4a4a0f7e1";
    let broker = Setup::new()
        .project(Project::empty(THIRD, "third").provider("simplified", "anonymous", ""))
        .start();
    for (project, strategy, provider) in [
        (DEMO, "simplified", "unknown"),
        (DEMO, "simplified", "Anonymous"),
        (DEMO, "SIMPLIFIED", "anonymous"),
        (DEMO, "simplified", "nologin"),
        (DEMO, "email", "anonymous"),
        (DEMO, "simplified", "awsCognito"),
        (DEMO, "simplified.anonymous", "anonymous"),
        (THIRD, "simplified", "noLogin"),
    ] {
        let answer = post(&broker, &envelope(project, strategy, provider, &json!({})));
        answer.refused(404, "provider_not_configured");
        let answer = broker.call("GET", "/v1/user").to(project, strategy, provider).send();
        broker.sound(answer.refused(404, "provider_not_configured"), &[]);
    }
    for provider in ["../admin", "anonymous/", " anonymous", "anonymous\n", "аnonymous", ".hidden"]
    {
        let answer = post(&broker, &envelope(DEMO, "simplified", provider, &json!({})));
        broker.sound(answer.refused_field("provider"), &[]);
    }
}

#[test]
fn i15_other_methods_are_refused() {
    let broker = broker();
    for method in ["TRACE", "PATCH", "PROPFIND", "LOCK"] {
        let answer = broker.call(method, "/v1/user").send();
        broker.sound(answer.refused(405, "method_not_allowed"), &[]);
    }
    let raw = broker.raw(b"CONNECT example.com:443 HTTP/1.1\r\nhost: example.com:443\r\n\r\n");
    assert!(raw.statuses().iter().all(|status| *status >= 400), "{}", raw.text());
}

#[test]
fn i15_a_header_cannot_change_the_method() {
    let broker = broker();
    let player = broker.player(DEMO, "Harvey");
    for header in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"] {
        let answer = broker
            .call("GET", "/v1/user")
            .to(DEMO, "simplified", "noLogin")
            .query("_method", "DELETE")
            .header("X-External-Id", &player.external_id)
            .header(header, "DELETE")
            .send();
        assert_eq!(answer.expect(200).at("/data/username"), "Harvey");
    }
    broker.profile(DEMO, &player.external_id).expect(200);
}

#[test]
fn i15_a_get_takes_no_body() {
    let broker = broker();
    let player = broker.player(DEMO, "Harvey");
    let body = envelope(DEMO, "simplified", "noLogin", &json!({}));
    let answer = broker
        .call("GET", "/v1/user")
        .to(DEMO, "simplified", "noLogin")
        .header("X-External-Id", &player.external_id)
        .json(&body)
        .send();
    broker.sound(answer.refused(415, "unsupported_media_type"), &[]);
}

#[test]
fn i15_only_json_is_read() {
    let broker = broker();
    let body = envelope(DEMO, "simplified", "anonymous", &json!({})).to_string();
    for content_type in [
        "text/plain",
        "text/plain; charset=utf-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "*/*",
    ] {
        let answer = broker
            .call("POST", "/v1/user")
            .header("content-type", content_type)
            .bytes(body.clone())
            .send();
        broker.sound(answer.refused(415, "unsupported_media_type"), &[]);
    }
    let answer = broker.call("POST", "/v1/user").bytes(body).send();
    answer.refused(415, "unsupported_media_type");
}

#[test]
fn i16_an_encoded_body_is_refused() {
    let broker = broker();
    let body = envelope(DEMO, "simplified", "anonymous", &json!({})).to_string();
    for encoding in ["gzip", "br", "zstd", "deflate", "compress", "gzip, gzip", "x"] {
        let answer =
            broker.call("POST", "/v1/user").header("content-encoding", encoding).text(&body).send();
        broker.sound(answer.refused(415, "unsupported_media_type"), &[]);
    }
}

#[test]
fn i20_too_many_or_too_large_headers_are_refused() {
    let broker = broker();
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let large = format!("x-large: {}\r\n", "x".repeat(600_000));
    for headers in [many, large] {
        let raw =
            broker.raw(format!("GET /v1/user HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes());
        assert_eq!(raw.statuses(), [431], "{}", raw.text());
        assert!(raw.closed);
    }
    let text = envelope(DEMO, "simplified", "anonymous", &json!({})).to_string();
    post_text(&broker, &text).expect(201);
}

#[test]
fn i05_a_path_that_is_no_text_is_refused_in_our_form() {
    let answer = broker().call("GET", "/v1/projects/%FF/providers").send();
    answer.refused_field("projectId");
}
