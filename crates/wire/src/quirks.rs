//! What single kinds of provider do differently on the wire.
//!
//! These are history, not an extension point: the interface that existing apps were written for
//! has them, so they stay. An unknown kind gets the standard envelope. Each entry names the
//! contract fixture that holds it.

use vestibule_core::Operation;

/// The quirks of one kind at one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quirks {
    /// The answer repeats `strategy`, `provider`, `projectId` and `externalId` beside `data`.
    pub(crate) echo: bool,
    /// The message is `ok`, in lower case.
    pub(crate) lower_case_ok: bool,
    /// A registration answers 200, and with `username` and `signup` beside `signUp`.
    pub(crate) plain_registration: bool,
}

const STANDARD: Quirks = Quirks { echo: false, lower_case_ok: false, plain_registration: false };

/// Looks the quirks up.
pub(crate) fn of(kind: &str, operation: Operation) -> Quirks {
    match (kind, operation) {
        // tests/contract/16-no-login-profile.json and 18-no-login-update.json
        ("noLogin", Operation::Profile | Operation::Update) => {
            Quirks { echo: true, lower_case_ok: true, ..STANDARD }
        }
        // tests/contract/17-no-login-register.json
        ("noLogin", Operation::Register) => {
            Quirks { lower_case_ok: true, plain_registration: true, ..STANDARD }
        }
        _ => STANDARD,
    }
}
