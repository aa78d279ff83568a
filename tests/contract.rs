//! Plays every published example of the interface against the broker.
//!
//! A fixture holds a request, the answer that the broker owes and, beside it, the answer as it
//! was published; where the two differ, it says why. In the expected body an object with one
//! key that begins with `$` stands for a value that changes from run to run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a step of a test that fails is a failed test, and tests stand outside the ports"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use vestibule_tests::{Answer, Broker, Project, Setup};

/// How many examples the interface has.
const ROWS: u64 = 21;

/// The project of the published examples with e-mail and social providers.
const PUBLISHED: &str = "a69a31e9-f2e6-4d5f-b080-6138c6a721b7";

/// Providers of the interface for which this build has no adapter. An example of theirs is
/// played all the same, and must be refused as not configured.
const NOT_YET: &[&str] = &["awsCognito", "authZero", "twitter", "google", "facebook"];

/// Values that an earlier answer of the same fixture brought.
type Captured = BTreeMap<String, Value>;

#[test]
fn every_published_example_is_played() {
    let broker = Setup::new()
        .project(Project::empty(PUBLISHED, "published").provider("simplified", "anonymous", ""))
        .start();
    let mut rows = BTreeSet::new();
    for (name, fixture) in fixtures() {
        let row = fixture["row"].as_u64().expect("a row");
        assert!(rows.insert(row), "{name}: row {row} has two fixtures");
        assert!(name.starts_with(&format!("{row:02}-")), "{name} is row {row}");
        explains_itself(&name, &fixture);
        play(&broker, &name, &fixture);
    }
    let missing: Vec<_> = (1..=ROWS).filter(|row| !rows.contains(row)).collect();
    assert!(missing.is_empty(), "rows without a fixture: {missing:?}");
    assert_eq!(rows.len() as u64, ROWS);
}

/// All fixtures, in the order of their names.
fn fixtures() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("contract");
    std::fs::read_dir(folder)
        .expect("the fixtures")
        .map(|entry| {
            let path = entry.expect("a readable folder").path();
            let text = std::fs::read_to_string(&path).expect("a readable fixture");
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let fixture = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
            (name, fixture)
        })
        .collect()
}

/// A fixture whose expected answer is not of the published form must say why.
fn explains_itself(name: &str, fixture: &Value) {
    let expected = &fixture["response"]["body"];
    let same = matches(&fixture["published_response"], expected, None).is_ok();
    let explained = fixture["deviates"].as_str().is_some_and(|why| !why.is_empty());
    assert!(same != explained, "{name}: same as published {same}, explained {explained}");
}

fn play(broker: &Broker, name: &str, fixture: &Value) {
    let mut captured = Captured::new();
    for step in fixture["setup"].as_array().into_iter().flatten() {
        let answer = send(broker, &step["request"], &captured);
        assert!(answer.status < 300, "{name}, setup: {}", answer.text());
        for (key, pointer) in step["capture"].as_object().into_iter().flatten() {
            let value = answer.json().pointer(pointer.as_str().unwrap()).cloned();
            captured.insert(key.clone(), value.expect("a value to keep"));
        }
    }
    let answer = send(broker, &fixture["request"], &captured);
    broker.sound(&answer, &[]);
    if NOT_YET.contains(&provider(&fixture["request"])) {
        answer.refused(404, "provider_not_configured");
        return;
    }
    let expected = &fixture["response"];
    assert_eq!(Some(u64::from(answer.status)), expected["status"].as_u64(), "{name}");
    if let Err(why) = matches(&answer.json(), &expected["body"], Some(&captured)) {
        panic!("{name}: {why}\n{}", answer.text());
    }
}

fn provider(request: &Value) -> &str {
    request["query"]["provider"]
        .as_str()
        .or_else(|| request["body"]["provider"].as_str())
        .expect("a provider")
}

fn send(broker: &Broker, request: &Value, captured: &Captured) -> Answer {
    let text = |name: &str| request[name].as_str().expect("a text").to_owned();
    let mut call = broker.call(&text("method"), &text("path"));
    for (name, value) in request["query"].as_object().into_iter().flatten() {
        let value = filled(value, captured);
        call = call.query(name, value.as_str().expect("a text"));
    }
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        call = call.header(name, value.as_str().expect("a text"));
    }
    if let Some(body) = request.get("body") {
        call = call.json(&filled(body, captured));
    }
    call.send()
}

/// The value with every text `{name}` replaced by what was captured under the name.
fn filled(value: &Value, captured: &Captured) -> Value {
    match value {
        Value::String(text) => text
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
            .map_or_else(|| value.clone(), |name| captured[name].clone()),
        Value::Array(items) => items.iter().map(|item| filled(item, captured)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, field)| (key.clone(), filled(field, captured))).collect()
        }
        _ => value.clone(),
    }
}

/// Compares a body with what is expected, key by key: no key too many, none missing. Without
/// captured values, `$same` stands for any text.
fn matches(got: &Value, want: &Value, captured: Option<&Captured>) -> Result<(), String> {
    if let Some((matcher, parameter)) = matcher(want) {
        let fits = match matcher {
            "$uuid" => got.as_str().is_some_and(is_uuid),
            "$hex" => is_hex(got, parameter, |b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
            "$HEX" => is_hex(got, parameter, |b| matches!(b, b'0'..=b'9' | b'A'..=b'F')),
            "$epoch" => is_epoch(got),
            "$epochs" => got
                .as_array()
                .is_some_and(|all| (1..=20).contains(&all.len()) && all.iter().all(is_epoch)),
            "$text" => got.as_str().is_some_and(|text| !text.is_empty()),
            "$same" => match captured {
                Some(captured) => captured.get(parameter.as_str().unwrap_or_default()) == Some(got),
                None => got.is_string(),
            },
            other => panic!("unknown matcher {other}"),
        };
        return if fits { Ok(()) } else { Err(format!("{got} is no {want}")) };
    }
    match (got, want) {
        (Value::Object(got), Value::Object(want)) => {
            let keys = |map: &serde_json::Map<String, Value>| -> BTreeSet<String> {
                map.keys().cloned().collect()
            };
            if keys(got) != keys(want) {
                return Err(format!("keys {:?} instead of {:?}", keys(got), keys(want)));
            }
            want.iter().try_for_each(|(key, value)| {
                matches(&got[key], value, captured).map_err(|why| format!("{key}: {why}"))
            })
        }
        (Value::Array(got), Value::Array(want)) if got.len() == want.len() => {
            got.iter().zip(want).try_for_each(|(got, want)| matches(got, want, captured))
        }
        _ if got == want => Ok(()),
        _ => Err(format!("{got} instead of {want}")),
    }
}

fn matcher(want: &Value) -> Option<(&str, &Value)> {
    let object = want.as_object().filter(|object| object.len() == 1)?;
    let (name, parameter) = object.iter().next()?;
    name.starts_with('$').then_some((name.as_str(), parameter))
}

fn is_hex(got: &Value, length: &Value, digit: impl Fn(u8) -> bool) -> bool {
    got.as_str()
        .is_some_and(|text| Some(text.len() as u64) == length.as_u64() && text.bytes().all(digit))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Whole seconds since 1970, and neither milliseconds nor a date long past.
fn is_epoch(got: &Value) -> bool {
    got.as_i64().is_some_and(|at| (1_400_000_000..4_000_000_000).contains(&at))
}
