//! The harness of the tests that treat the broker as a black box.
//!
//! A test describes a [`Setup`], starts a [`Broker`] from it (the built binary, as a child
//! process, on ports and in a folder of its own), calls it over HTTP and asserts on what a
//! client sees. Nothing here knows the broker's crates, so a test cannot pass because both
//! sides share a mistake.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a step of a test that fails is a failed test, and tests stand outside the ports"
)]

mod harness;

pub use harness::broker::{Broker, Refused, Shared};
pub use harness::guests::{Guest, envelope};
pub use harness::http::{Answer, Call};
pub use harness::raw::Raw;
pub use harness::setup::{DEMO, OTHER, Project, Setup};
pub use harness::{at_once, eventually, fresh_uuid, random_hex};
