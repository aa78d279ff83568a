//! The operating system behind the ports of the core.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::SecretString;
use vestibule_core::{Clock, Entropy, Error, ErrorKind, Result, SecretRef, Secrets, Timestamp};
use zeroize::Zeroize as _;

/// More than any key, password or token needs. Guards against `file:/dev/zero`.
const LONGEST_SECRET: u64 = 64 * 1024;

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the port")]
        let now = SystemTime::now();
        // A machine whose clock stands before 1970 still gets an answer, a negative one.
        let millis = match now.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(error) => {
                i64::try_from(error.duration().as_millis()).map_or(i64::MIN, |before| -before)
            }
        };
        Timestamp::from_millis(millis)
    }
}

/// The generator of aws-lc, seeded by the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    fn fill(&self, buffer: &mut [u8]) {
        if aws_lc_rs::rand::fill(buffer).is_ok() {
            return;
        }
        // Keys and ids that can be guessed are worse than no broker, and no caller could mend
        // this. So the process ends rather than go on with what is in the buffer.
        let _ = std::io::stderr().write_all(b"vestibule: the system has no randomness; ending\n");
        std::process::abort();
    }
}

/// Secrets from environment variables and from files, which are looked up from the working
/// directory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FileEnvSecrets;

impl Secrets for FileEnvSecrets {
    fn resolve(&self, reference: &SecretRef) -> Result<SecretString> {
        let text = match reference {
            SecretRef::Env(name) => read_variable(name)?,
            SecretRef::File(path) => read_file(path)?,
        };
        if text.is_empty() {
            return Err(unresolved(format!("{} is empty", describe(reference))));
        }
        Ok(SecretString::from(text))
    }
}

fn read_variable(name: &str) -> Result<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the port")]
    let value = std::env::var(name);
    value.map_err(|error| {
        // The error's own text may quote the value, so it is not passed on.
        unresolved(match error {
            std::env::VarError::NotPresent => {
                format!("the environment variable {name} is not set")
            }
            std::env::VarError::NotUnicode(_) => {
                format!("the environment variable {name} is not UTF-8")
            }
        })
    })
}

fn read_file(path: &str) -> Result<String> {
    let refuse =
        |why: &dyn std::fmt::Display| unresolved(format!("the file {path} cannot be read: {why}"));
    let file = File::open(path).map_err(|error| refuse(&error))?;
    let mut text = String::new();
    file.take(LONGEST_SECRET + 1).read_to_string(&mut text).map_err(|error| refuse(&error))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > LONGEST_SECRET {
        text.zeroize();
        return Err(refuse(&"it is longer than 64 KiB"));
    }
    // Editors and `echo` end a file with a line break that is not part of the secret.
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

fn describe(reference: &SecretRef) -> String {
    match reference {
        SecretRef::Env(name) => format!("the environment variable {name}"),
        SecretRef::File(path) => format!("the file {path}"),
    }
}

fn unresolved(reason: String) -> Error {
    Error::new(ErrorKind::Misconfigured).step("secret").detail("reason", reason)
}

/// Why a secret could not be had, in words that name the variable or the file.
pub(crate) fn why_unresolved(error: &Error) -> String {
    error
        .details()
        .get("reason")
        .and_then(|reason| reason.as_str())
        // The chain of causes, which `Debug` shows.
        .map_or_else(|| format!("{error:?}"), str::to_owned)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn secret_of(content: &str) -> Result<SecretString> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, content).unwrap();
        FileEnvSecrets.resolve(&SecretRef::File(path.display().to_string()))
    }

    #[test]
    fn one_trailing_line_break_is_not_part_of_the_secret() {
        assert_eq!(secret_of("a b\n").unwrap().expose_secret(), "a b");
        assert_eq!(secret_of("a b\r\n").unwrap().expose_secret(), "a b");
        assert_eq!(secret_of("a\n\n").unwrap().expose_secret(), "a\n");
    }

    #[test]
    fn an_empty_secret_is_refused() {
        let error = secret_of("\n").unwrap_err();
        assert!(why_unresolved(&error).contains("is empty"), "{error}");
    }

    #[test]
    fn what_is_absent_is_named() {
        let variable = SecretRef::Env("VESTIBULE_TEST_THAT_NOBODY_SETS".into());
        let error = FileEnvSecrets.resolve(&variable).unwrap_err();
        assert_eq!(
            why_unresolved(&error),
            "the environment variable VESTIBULE_TEST_THAT_NOBODY_SETS is not set"
        );
    }

    #[test]
    fn the_clock_is_after_this_was_written() {
        assert!(SystemClock.now().secs() > 1_700_000_000);
    }

    #[test]
    fn two_draws_differ() {
        let (mut a, mut b) = ([0_u8; 32], [0_u8; 32]);
        OsEntropy.fill(&mut a);
        OsEntropy.fill(&mut b);
        assert_ne!(a, b);
    }
}
