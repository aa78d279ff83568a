//! The broker with the kinds of provider that come with it.

use std::process::ExitCode;

fn main() -> ExitCode {
    vestibule::main_with(vestibule::builtins())
}
