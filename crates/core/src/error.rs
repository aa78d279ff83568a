//! The one error type of adapters, broker and stores' callers.
//!
//! An error says *what kind* of failure it is, so that the broker can act; *at which step* and
//! in *what context*, for the log; and it keeps its source. It never holds an HTTP status, and
//! nothing of an upstream's text reaches a client: clients see the closed list of `wire`.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;

use serde::Serialize;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// What kind of failure it is. Each variant says what the broker does about it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $name,)*
        }

        impl ErrorKind {
            /// Every kind, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

kinds! {
    /// The request is not what the interface defines. Refused; the client must change it.
    Malformed,
    /// One field is absent or has a wrong value. Refused, naming the field.
    InvalidField,
    /// The body is larger than the limit. Refused unread.
    TooLarge,
    /// The head of the request is larger than the limit.
    HeadTooLarge,
    /// The body is not JSON in UTF-8, or is encoded. Refused unread.
    UnsupportedMediaType,
    /// No such path.
    UnknownPath,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The project is unknown or disabled; the two are told apart by nobody outside.
    UnknownProject,
    /// The call carries an `Origin` that the project does not list.
    OriginNotAllowed,
    /// The project has no such strategy and provider.
    UnknownProvider,
    /// The provider does not offer the operation. The default of every trait method.
    Unsupported,
    /// The caller spent its allowance. Refused with the time to wait.
    RateLimited,
    /// The operation needs a credential and none came.
    MissingCredential,
    /// The credential is wrong, expired, foreign or garbage; these are indistinguishable.
    InvalidCredential,
    /// The caller is known and may not do this.
    Forbidden,
    /// No such user in this project; a user of another project looks the same.
    UnknownUser,
    /// The device is already registered and the provider's settings keep it for good.
    AlreadyRegistered,
    /// The record changed in between; the client should read it again.
    Conflict,
    /// The password does not meet the provider's policy.
    PasswordPolicy,
    /// The confirmation code is wrong.
    CodeMismatch,
    /// The confirmation code is too old.
    CodeExpired,
    /// The user must confirm the registration first.
    ConfirmationRequired,
    /// The provider asks for a further step; the details say which.
    ChallengeRequired,
    /// The upstream answered something that it should not. Counts against its breaker.
    UpstreamInvalid,
    /// The upstream cannot be reached or is shut off by the breaker.
    UpstreamUnavailable,
    /// The upstream did not answer within the deadline.
    UpstreamTimeout,
    /// The upstream asks to slow down. Never retried at once.
    UpstreamThrottled,
    /// The provider's settings cannot work: an operator must mend them.
    Misconfigured,
    /// Too much work at once; shed before any was done.
    Overloaded,
    /// The store did not take or give the record in time. Nothing was acknowledged.
    StoreUnavailable,
    /// The request took longer than the broker allows.
    Timeout,
    /// A fault of ours. Logged with its cause; the client learns only the request id.
    Internal,
}

/// Who has to act for the call to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Actor {
    /// The person: another password, a later try.
    Player,
    /// The app's developer: the request is wrong.
    Developer,
    /// The broker's operator or the project's owner.
    Operator,
    /// The identity provider.
    Upstream,
}

/// A failure, with what the broker, the log and the client each need of it.
///
/// ```
/// use vestibule_core::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::UpstreamInvalid)
///     .step("token_exchange")
///     .context("status", "418");
/// assert_eq!(error.kind(), ErrorKind::UpstreamInvalid);
/// assert_eq!(error.to_string(), "UpstreamInvalid at token_exchange (status=418)");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retryable: Option<bool>,
    actor: Option<Actor>,
    retry_after: Option<u32>,
    step: Option<&'static str>,
    details: BTreeMap<&'static str, serde_json::Value>,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure of a kind, with nothing else known.
    #[must_use]
    pub fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Inner {
            kind,
            retryable: None,
            actor: None,
            retry_after: None,
            step: None,
            details: BTreeMap::new(),
            context: Vec::new(),
            source: None,
        }))
    }

    /// A field that is absent or wrong. The client is shown both texts, so `reason` says what is
    /// expected and never repeats the value.
    #[must_use]
    pub fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidField)
            .detail("field", field.into())
            .detail("reason", reason.into())
    }

    /// Names the step that failed, for instance `jwks_fetch`.
    #[must_use]
    pub fn step(mut self, step: &'static str) -> Self {
        self.0.step = Some(step);
        self
    }

    /// Adds a pair for the log. Never a token, password, e-mail address or body.
    #[must_use]
    pub fn context(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// Adds a pair that the **client is shown** in `error.details`.
    #[must_use]
    pub fn detail(mut self, key: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.0.details.insert(key, value.into());
        self
    }

    /// Keeps the cause, for the log.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Overrides whether the same request may succeed later.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = Some(retryable);
        self
    }

    /// Overrides who has to act.
    #[must_use]
    pub fn actor(mut self, actor: Actor) -> Self {
        self.0.actor = Some(actor);
        self
    }

    /// Says after how many seconds a retry makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same request may succeed later, where this error knows better than its kind.
    #[must_use]
    pub fn is_retryable(&self) -> Option<bool> {
        self.0.retryable
    }

    /// Who has to act, where this error knows better than its kind.
    #[must_use]
    pub fn who(&self) -> Option<Actor> {
        self.0.actor
    }

    /// Seconds to wait before a retry, where known.
    #[must_use]
    pub fn wait(&self) -> Option<u32> {
        self.0.retry_after
    }

    /// What the client is shown beside code and message.
    #[must_use]
    pub fn details(&self) -> &BTreeMap<&'static str, serde_json::Value> {
        &self.0.details
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.kind)?;
        if let Some(step) = self.0.step {
            write!(f, " at {step}")?;
        }
        let details = self.0.details.iter().map(|(k, v)| match v {
            serde_json::Value::String(text) => format!("{k}={text}"),
            other => format!("{k}={other}"),
        });
        let context = self.0.context.iter().map(|(k, v)| format!("{k}={v}"));
        let pairs: Vec<_> = details.chain(context).collect();
        if !pairs.is_empty() {
            write!(f, " ({})", pairs.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut cause = self.0.source.as_deref().map(|s| s as &dyn StdError);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|s| s as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_chain_of_causes() {
        let error = Error::new(ErrorKind::Internal).source(std::io::Error::other("disk on fire"));
        assert_eq!(format!("{error:?}"), "Internal: disk on fire");
    }

    #[test]
    fn a_field_error_carries_both_texts() {
        let error = Error::field("data.deviceId", "must be a UUID");
        assert_eq!(error.details()["field"], "data.deviceId");
        assert_eq!(error.details()["reason"], "must be a UUID");
    }
}
