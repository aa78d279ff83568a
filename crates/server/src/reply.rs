//! What a handler answers: a rendered success or an error, with what the log wants to know.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use vestibule_core::{Error, ErrorKind, Operation, ProjectId, Result, UserId};
use vestibule_wire::Rendered;

use crate::scope;

/// What became of a request, for metrics, log and the CORS headers. Travels beside the response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) operation: Option<Operation>,
    pub(crate) kind: Option<Arc<str>>,
    pub(crate) project: Option<ProjectId>,
    pub(crate) user: Option<UserId>,
    /// The project that was found allows the caller's origin.
    pub(crate) origin_allowed: bool,
    pub(crate) error: Option<Arc<Error>>,
}

/// An answer with its trace.
pub(crate) struct Reply {
    pub(crate) result: Result<Rendered>,
    pub(crate) trace: Trace,
}

impl Reply {
    /// An error that came before anything was known.
    pub(crate) fn refuse(error: Error) -> Self {
        Self { result: Err(error), trace: Trace::default() }
    }

    /// As [`Self::refuse`], by kind alone.
    pub(crate) fn refuse_kind(kind: ErrorKind) -> Self {
        Self::refuse(Error::new(kind))
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl IntoResponse for Reply {
    fn into_response(mut self) -> Response {
        let mut response = match self.result {
            Ok(rendered) => json(rendered.status, rendered.body),
            Err(error) => {
                let failure = vestibule_wire::failure(&error, scope::current().id);
                let mut response = json(failure.status, failure.body);
                if let Some(seconds) = failure.retry_after {
                    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                }
                if failure.status == 401 {
                    // RFC 9110 §15.5.2 wants a challenge; RFC 6750 §3 has its form.
                    let challenge = HeaderValue::from_static("Bearer realm=\"vestibule\"");
                    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                }
                self.trace.error = Some(Arc::new(error));
                response
            }
        };
        response.extensions_mut().insert(self.trace);
        response
    }
}

fn json(status: u16, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    response
}
