//! A broker with an adapter of its own: everything that a third party writes is in this folder.
//!
//! `cargo run -p embedded-broker -- serve --config examples/embedded-broker/vestibule.toml`

use std::process::ExitCode;

mod magic_word;

fn main() -> ExitCode {
    let registry = vestibule::builtins().with::<magic_word::MagicWordConfig>();
    vestibule::main_with(registry)
}
