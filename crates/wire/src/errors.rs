//! The one place that names a status: kind of error → status, code, who must act, retryable.

use std::collections::BTreeMap;

use serde::Serialize;
use vestibule_core::{Actor, Error, ErrorKind, RequestId};

use crate::messages;

/// How one kind of error looks on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// HTTP status (RFC 9110 §15).
    pub status: u16,
    /// What clients branch on. Never changes once published.
    pub code: &'static str,
    /// Who has to act.
    pub actor: Actor,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

const fn new(status: u16, code: &'static str, actor: Actor, retryable: bool) -> Row {
    Row { status, code, actor, retryable }
}

/// The table.
#[must_use]
pub const fn row(kind: ErrorKind) -> Row {
    use Actor::{Developer, Operator, Player, Upstream};
    match kind {
        ErrorKind::Malformed => new(400, "malformed_request", Developer, false),
        ErrorKind::InvalidField => new(400, "invalid_field", Developer, false),
        ErrorKind::TooLarge => new(413, "body_too_large", Developer, false),
        ErrorKind::HeadTooLarge => new(431, "headers_too_large", Developer, false),
        ErrorKind::UnsupportedMediaType => new(415, "unsupported_media_type", Developer, false),
        ErrorKind::UnknownPath => new(404, "not_found", Developer, false),
        ErrorKind::MethodNotAllowed => new(405, "method_not_allowed", Developer, false),
        ErrorKind::UnknownProject => new(404, "project_not_found", Developer, false),
        ErrorKind::OriginNotAllowed => new(403, "origin_not_allowed", Operator, false),
        ErrorKind::UnknownProvider => new(404, "provider_not_configured", Developer, false),
        ErrorKind::Unsupported => new(501, "operation_not_supported", Developer, false),
        ErrorKind::RateLimited => new(429, "rate_limited", Player, true),
        ErrorKind::MissingCredential => new(401, "credential_required", Developer, false),
        ErrorKind::InvalidCredential => new(401, "invalid_credential", Player, false),
        ErrorKind::Forbidden => new(403, "forbidden", Developer, false),
        ErrorKind::UnknownUser => new(404, "user_not_found", Player, false),
        ErrorKind::AlreadyRegistered => new(409, "device_registered", Player, false),
        ErrorKind::Conflict => new(409, "conflict", Developer, true),
        ErrorKind::PasswordPolicy => new(422, "password_policy", Player, false),
        ErrorKind::CodeMismatch => new(422, "code_mismatch", Player, false),
        ErrorKind::CodeExpired => new(422, "code_expired", Player, false),
        ErrorKind::ConfirmationRequired => new(403, "confirmation_required", Player, false),
        ErrorKind::ChallengeRequired => new(403, "challenge_required", Player, false),
        ErrorKind::UpstreamInvalid => new(502, "upstream_invalid", Upstream, true),
        ErrorKind::UpstreamUnavailable => new(503, "upstream_unavailable", Upstream, true),
        ErrorKind::UpstreamTimeout => new(504, "upstream_timeout", Upstream, true),
        ErrorKind::UpstreamThrottled => new(503, "upstream_throttled", Upstream, true),
        ErrorKind::Misconfigured => new(502, "provider_misconfigured", Operator, false),
        ErrorKind::Overloaded => new(503, "overloaded", Operator, true),
        ErrorKind::StoreUnavailable => new(503, "temporarily_unavailable", Operator, true),
        ErrorKind::Timeout => new(503, "timeout", Operator, true),
        // `ErrorKind` is open to later variants; a test sees to it that none ends here.
        _ => new(500, "internal_error", Operator, false),
    }
}

/// A failure, rendered.
#[derive(Debug)]
pub struct Failure {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in seconds, for 429 and 503.
    pub retry_after: Option<u32>,
    /// The JSON body.
    pub body: Vec<u8>,
}

#[derive(Serialize)]
struct Body<'a> {
    result: u8,
    message: &'a str,
    data: Empty,
    error: Detail<'a>,
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    code: &'a str,
    retryable: bool,
    actor: Actor,
    request_id: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: &'a BTreeMap<&'static str, serde_json::Value>,
}

/// Renders an error. Nothing of its context or causes is shown.
#[must_use]
pub fn failure(error: &Error, request_id: RequestId) -> Failure {
    let row = row(error.kind());
    let body = Body {
        result: 0,
        message: messages::failure(error.kind()),
        data: Empty {},
        error: Detail {
            code: row.code,
            retryable: error.is_retryable().unwrap_or(row.retryable),
            actor: error.who().unwrap_or(row.actor),
            request_id: request_id.to_string(),
            details: error.details(),
        },
    };
    Failure {
        status: row.status,
        retry_after: matches!(row.status, 429 | 503).then(|| error.wait().unwrap_or(1).max(1)),
        body: serde_json::to_vec(&body).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    #[test]
    fn every_kind_has_its_row() {
        let mut table = String::new();
        for kind in ErrorKind::ALL {
            let row = row(*kind);
            let retry = if row.retryable { "retry" } else { "-" };
            let name = format!("{kind:?}");
            let actor = format!("{:?}", row.actor);
            writeln!(table, "{name:21} {} {:24} {actor:9} {retry}", row.status, row.code).unwrap();
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn only_internal_is_internal() {
        for kind in ErrorKind::ALL {
            assert_eq!(
                row(*kind).code == "internal_error",
                *kind == ErrorKind::Internal,
                "{kind:?} has no row of its own"
            );
        }
    }

    #[test]
    fn codes_are_unique() {
        let mut codes: Vec<_> = ErrorKind::ALL.iter().map(|kind| row(*kind).code).collect();
        codes.sort_unstable();
        let before = codes.len();
        codes.dedup();
        assert_eq!(before, codes.len());
    }

    #[test]
    fn x02_context_and_causes_are_not_shown() {
        let error = Error::new(ErrorKind::UpstreamInvalid)
            .step("canary-step")
            .context("status", "canary-context")
            .source(std::io::Error::other("canary-source"));
        let body =
            String::from_utf8(failure(&error, RequestId::new(Default::default())).body).unwrap();
        assert!(!body.contains("canary"), "{body}");
        assert!(body.contains("upstream_invalid"));
    }

    #[test]
    fn a_retry_is_at_least_a_second_away() {
        let id = RequestId::new(Default::default());
        let limited = failure(&Error::new(ErrorKind::RateLimited).retry_after(0), id);
        assert_eq!((limited.status, limited.retry_after), (429, Some(1)));
        assert_eq!(failure(&Error::new(ErrorKind::Malformed), id).retry_after, None);
    }
}
