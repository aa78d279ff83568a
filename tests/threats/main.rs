//! Attacks, faults and bad inputs: one test, at least, for each row of the project's list of
//! threats that the front door and the guests can meet. A test's name begins with the row.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a step of a test that fails is a failed test, and tests stand outside the ports"
)]

mod browser;
mod durability;
mod guests;
mod http1;
mod input;
mod json;
mod limits;
mod secrets;
mod tenants;

use std::sync::Arc;

use serde_json::Value;
use vestibule_tests::{Answer, Broker, Project, Setup, Shared};

/// A project that a website calls.
const WEB: &str = "7a1c55f0-3f0e-4b7c-9a55-0c64d2f1be10";

/// The one website that may.
const ORIGIN: &str = "https://game.example.com";

/// A project that is switched off.
const DISABLED: &str = "c2f4f0de-90cb-4f3e-8f6c-1de4b3a6e0a9";

/// Nobody's project.
const UNKNOWN: &str = "11111111-2222-4333-8444-555555555555";

static SHARED: Shared = Shared::new();

/// The broker of all tests that neither stop it nor fill its limits.
fn broker() -> Arc<Broker> {
    SHARED.get(|| {
        Setup::two_projects()
            .project(Project::new(WEB, "web").origin(ORIGIN))
            .project(Project::new(DISABLED, "disabled").disabled())
    })
}

fn post(broker: &Broker, body: &Value) -> Answer {
    broker.call("POST", "/v1/user").json(body).send()
}

fn post_text(broker: &Broker, body: &str) -> Answer {
    broker.call("POST", "/v1/user").text(body).send()
}
