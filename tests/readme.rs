//! The README's first steps, done as it shows them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a step of a test that fails is a failed test, and tests stand outside the ports"
)]

use std::process::Command;

use serde_json::Value;
use vestibule_tests::Setup;

const README: &str = include_str!("../README.md");

/// The content of the fences of one language, in their order.
fn fences(language: &str) -> Vec<String> {
    let open = format!("```{language}\n");
    README
        .split(&open)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

/// Whether two answers have the same fields with the same kinds of values. Numbers and texts that
/// a run decides may differ; what the reader is told about the outcome may not.
fn alike(shown: &Value, got: &Value, at: &str) {
    match (shown, got) {
        (Value::Object(shown), Value::Object(got)) => {
            let keys = |map: &serde_json::Map<String, Value>| -> Vec<String> {
                map.keys().cloned().collect()
            };
            assert_eq!(keys(shown), keys(got), "the fields of {at}");
            for (key, value) in shown {
                alike(value, &got[key], &format!("{at}.{key}"));
            }
        }
        (Value::Array(shown), Value::Array(got)) => {
            assert_eq!(shown.len(), got.len(), "the length of {at}");
        }
        (Value::String(shown), Value::String(got)) => {
            assert_eq!(shown.len(), got.len(), "the form of {at}: {shown} and {got}");
            if ["message", "username", "code", "strategy", "provider"]
                .contains(&at.rsplit('.').next().unwrap())
            {
                assert_eq!(shown, got, "{at}");
            }
        }
        (Value::Number(_), Value::Number(_)) => {}
        (shown, got) => assert_eq!(shown, got, "{at}"),
    }
}

#[test]
fn the_first_guest_answers_as_the_readme_shows() {
    let (steps, answers) = (fences("sh"), fences("json"));
    assert!(steps.len() >= 5, "the README shows the first steps");
    assert_eq!(steps.len(), answers.len(), "each step has its answer");
    let broker = Setup::new().start();
    let script = steps.join("\necho\n").replace("127.0.0.1:8080", &broker.public().to_string());
    let output = Command::new("bash").args(["-euc", &script]).output().expect("bash runs");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let got: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(got.len(), answers.len(), "one line of JSON a step: {text}");
    for (number, (shown, got)) in answers.iter().zip(got).enumerate() {
        let shown: Value = serde_json::from_str(shown).expect("the answer shown is JSON");
        let got: Value = serde_json::from_str(got).expect("the answer is JSON");
        alike(&shown, &got, &format!("step {}", number + 1));
    }
}
