//! Holds the shape of the workspace: which crate may know which, and how long a file may grow.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a step of a test that fails is a failed test, and tests stand outside the ports"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The longest a Rust file may be, in lines.
const LONGEST: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are a folder of the workspace")
        .to_owned()
}

/// The members of the workspace, as cargo sees them.
fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo speaks JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().expect("a name")
}

fn manifest(package: &Value) -> PathBuf {
    package["manifest_path"].as_str().expect("a path").into()
}

/// What a member is, by the folder that it lies in.
fn folder(package: &Value) -> String {
    let path = manifest(package);
    let inside = path.strip_prefix(root()).expect("inside the workspace");
    inside
        .components()
        .next()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .unwrap_or_default()
}

/// Which members another may use in its own code.
fn allowed(package: &Value) -> &'static [&'static str] {
    match (folder(package).as_str(), name(package)) {
        ("adapters", _) => &["vestibule-core", "vestibule-oidc"],
        ("examples", _) => &["vestibule", "vestibule-core"],
        (_, "vestibule-core") => &[],
        (_, "vestibule-egress" | "vestibule-oidc" | "vestibule-wire") => &["vestibule-core"],
        (_, "vestibule-broker" | "vestibule-testkit") => &["vestibule-core"],
        (_, store) if store.starts_with("vestibule-store-") => &["vestibule-core"],
        (_, "vestibule-server") => &["vestibule-broker", "vestibule-wire", "vestibule-core"],
        (_, other) => panic!("{other} is new: say in this test whom it may know"),
    }
}

/// The binary puts everything together; the tests and the measurements may look at everything.
fn may_know_all(package: &Value) -> bool {
    name(package) == "vestibule" || ["tests", "bench"].contains(&folder(package).as_str())
}

#[test]
fn every_edge_between_members_is_an_allowed_one() {
    let packages = packages();
    let members: BTreeSet<&str> = packages.iter().map(name).collect();
    let mut edges = 0;
    let mut wrong = Vec::new();
    for package in &packages {
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let (from, to) = (name(package), name(dependency));
            if !members.contains(to) {
                continue;
            }
            edges += 1;
            // `null` is a dependency of the crate's own code.
            let kind = dependency["kind"].as_str().unwrap_or("normal");
            let fits = if to == "vestibule-testkit" {
                kind == "dev" || folder(package) == "tests"
            } else {
                may_know_all(package) || allowed(package).contains(&to)
            };
            if !fits {
                wrong.push(format!("{from} → {to} ({kind})"));
            }
        }
    }
    assert!(edges > 0, "no edge was looked at");
    assert!(wrong.is_empty(), "edges that are not allowed: {wrong:#?}");
}

#[test]
fn every_member_takes_the_lints_of_the_workspace() {
    for package in packages() {
        let text = std::fs::read_to_string(manifest(&package)).expect("a readable manifest");
        let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "[lints]");
        assert!(lines.next().is_some(), "{} has no [lints]", name(&package));
        assert_eq!(lines.next(), Some("workspace = true"), "{}", name(&package));
    }
}

#[test]
fn no_rust_file_is_too_long() {
    let long: Vec<_> = all_rust_files()
        .into_iter()
        .map(|path| (length(&path), path))
        .filter(|(lines, _)| *lines > LONGEST)
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines: {long:#?}");
}

#[test]
fn every_test_that_the_documents_name_is_there() {
    let code: String =
        all_rust_files().iter().map(|path| std::fs::read_to_string(path).expect("UTF-8")).collect();
    let mut looked_at = 0;
    for document in ["ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md", "docs/adapters.md"] {
        let text = std::fs::read_to_string(root().join(document)).expect("a readable document");
        // What stands between two backticks and has the form of a test's name.
        for quoted in text.split('`').skip(1).step_by(2) {
            let is_name = quoted.split('_').count() > 3
                && quoted
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            if is_name {
                looked_at += 1;
                assert!(code.contains(&format!("fn {quoted}(")), "{document} names {quoted}");
            }
        }
    }
    assert!(looked_at > 50, "only {looked_at} names were found");
}

fn all_rust_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in ["crates", "adapters", "tests", "examples", "bench"] {
        rust_files(&root().join(folder), &mut files);
    }
    assert!(files.len() > 20, "only {} files were found", files.len());
    files
}

fn length(path: &Path) -> usize {
    std::fs::read_to_string(path).expect("UTF-8").lines().count()
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    // A folder of the list may not be there yet.
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() && !path.ends_with("target") {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
