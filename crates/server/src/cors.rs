//! Which websites may call, project by project (Fetch standard §3.2).
//!
//! No cookie takes part in this interface, so no answer allows credentials, and no answer ever
//! allows every origin.

use http::{HeaderMap, HeaderValue, Method, header};
use vestibule_broker::Project;
use vestibule_core::{Error, ErrorKind, Result};
use vestibule_wire::parse::project_in_query;

use crate::state::Shared;

/// The one `Origin` of a request, if it carries one.
pub(crate) fn origin(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(header::ORIGIN)
}

/// Refuses a call from a website that the project does not list. The broker's own pages may
/// call every project.
pub(crate) fn admit(headers: &HeaderMap, project: &Project, public_url: &str) -> Result<bool> {
    let Some(origin) = origin(headers) else {
        return Ok(false);
    };
    let single = headers.get_all(header::ORIGIN).iter().count() == 1;
    match origin.to_str() {
        Ok(text) if single && (project.allows(text) || text == public_url) => Ok(true),
        _ => Err(Error::new(ErrorKind::OriginNotAllowed)),
    }
}

/// Whether any project lists the origin: for answers that came before a project was known, so
/// that a developer's browser shows them.
pub(crate) fn any_allows(shared: &Shared, origin: &HeaderValue, public_url: &str) -> bool {
    origin
        .to_str()
        .is_ok_and(|text| text == public_url || shared.broker.projects().any_allows(text))
}

/// Whether a request is a preflight.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether a preflight may pass. Where its query names the project, that project decides; a
/// body is not sent with a preflight, so otherwise it is enough that any project does.
pub(crate) fn preflight_allowed(
    shared: &Shared,
    headers: &HeaderMap,
    query: Option<&str>,
    public_url: &str,
) -> bool {
    let Some(origin) = origin(headers) else {
        return false;
    };
    match query.and_then(project_in_query) {
        Some(id) => shared
            .broker
            .project(id)
            .is_ok_and(|project| admit(headers, &project, public_url).is_ok_and(|allowed| allowed)),
        None => any_allows(shared, origin, public_url),
    }
}

/// Adds what lets a browser show the answer to the page.
pub(crate) fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let exposed = HeaderValue::from_static("x-request-id, server-time, retry-after");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

/// Adds what a preflight asks for.
pub(crate) fn allow_preflight(headers: &mut HeaderMap) {
    let pairs = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, x-external-id"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    for (name, value) in pairs {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
