//! Puts the broker together: configuration, ports of the operating system, telemetry and the
//! command line.
//!
//! A build with more kinds of provider is a `main` of one line:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     // `.with::<MyConfig>()` adds a kind of one's own.
//!     vestibule::main_with(vestibule::builtins())
//! }
//! ```
//!
//! This is the only crate that asks the operating system for the time, for randomness, for
//! environment variables and for files. It knows no SQL and nothing of the wire.

mod builtins;
mod cli;
mod config;
mod log_format;
mod master_key;
mod ports;
mod serve;
mod telemetry;
mod text;

use std::process::ExitCode;

use vestibule_core::Registry;

pub use builtins::builtins;

/// Reads the command line of the process and does what it says, with these kinds of provider.
///
/// The exit code is 0 when all went well, 1 when something is wrong with the configuration or
/// the run failed, and 2 when the command line itself is wrong.
#[must_use]
pub fn main_with(registry: Registry) -> ExitCode {
    cli::run(registry)
}
