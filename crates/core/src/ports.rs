//! What the core asks of the world: time, randomness, secrets and the way out.
//!
//! Nothing in the product calls the operating system for these directly; a lint names the
//! port to use instead. So a test can fix the clock and the seed, and one place decides how
//! bytes leave the process.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

use crate::error::{Error, ErrorKind, Result};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z; negative before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Whole seconds since the epoch: the unit of every time on the wire.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0
    }
}

/// Where the time comes from. A clock may jump, also before 1970; callers must not panic on it.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// Where randomness comes from: a cryptographically secure generator, except in tests.
pub trait Entropy: fmt::Debug + Send + Sync {
    /// Fills the whole buffer.
    fn fill(&self, buffer: &mut [u8]);
}

/// A reference to a secret in the configuration: `env:NAME` or `file:PATH`, never the secret.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum SecretRef {
    /// The value of an environment variable.
    Env(String),
    /// The content of a file, without its trailing line break.
    File(String),
}

impl SecretRef {
    /// Parses `env:NAME` or `file:PATH`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Some(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Some(Self::File(path.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The text may be a secret that was pasted by mistake: the error must not repeat it.
        Self::parse(&text).ok_or_else(|| {
            de::Error::invalid_value(
                de::Unexpected::Other("text"),
                &"a reference to a secret: env:NAME or file:PATH",
            )
        })
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(env|file):.+$",
            "description": "A reference to a secret: `env:NAME` or `file:PATH`. The secret itself never stands in the configuration.",
            "x-secret": true
        })
    }
}

/// Turns references into secrets. Asked when the configuration is read, never per request.
pub trait Secrets: fmt::Debug + Send + Sync {
    /// The secret behind a reference.
    ///
    /// # Errors
    /// [`ErrorKind::Misconfigured`] when the variable or file is absent, empty or unreadable.
    fn resolve(&self, reference: &SecretRef) -> Result<SecretString>;
}

/// The one way out. A non-2xx status is an answer, not an error; an error means no answer.
///
/// Implementations bound the whole exchange by the deadline and by a size cap, follow no
/// redirect, and refuse private addresses unless the operator allowed the host.
#[async_trait]
pub trait HttpClient: fmt::Debug + Send + Sync {
    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// [`ErrorKind::UpstreamTimeout`], [`ErrorKind::UpstreamUnavailable`] or
    /// [`ErrorKind::UpstreamInvalid`], each with its step.
    async fn send(
        &self,
        request: http::Request<Bytes>,
        within: Duration,
    ) -> Result<http::Response<Bytes>>;
}

/// An [`HttpClient`] that refuses every request: for a process that must not reach out.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEgress;

#[async_trait]
impl HttpClient for NoEgress {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _within: Duration,
    ) -> Result<http::Response<Bytes>> {
        let host = request.uri().host().unwrap_or("(no host)").to_owned();
        Err(Error::new(ErrorKind::UpstreamUnavailable)
            .step("egress")
            .context("host", host)
            .context("reason", "this process has no way out"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_towards_the_past() {
        assert_eq!(Timestamp::from_millis(-1).secs(), -1);
        assert_eq!(Timestamp::from_millis(1999).secs(), 1);
        assert_eq!(Timestamp::from_secs(i64::MAX).millis(), i64::MAX);
    }

    #[test]
    fn a_pasted_secret_is_not_repeated_in_the_error() {
        let error = serde_json::from_str::<SecretRef>("\"hunter2-canary\"").unwrap_err();
        assert!(!error.to_string().contains("canary"), "{error}");
        assert!(error.to_string().contains("env:NAME"), "{error}");
    }
}
