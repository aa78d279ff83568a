//! The one layer around every request of the public face.
//!
//! One layer instead of a stack of them: each of a stack costs as much as the whole work of a
//! read. It gives the request its id, sheds what is too much, turns a panic into an answer,
//! bounds the time, adds the headers that every answer has, counts and logs.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::Service;
use tracing::{Instrument, Span, field};
use vestibule_core::{Error, ErrorKind, Operation, RequestId};

use crate::address::client_address;
use crate::admit::badly_framed;
use crate::cors;
use crate::listener::{ConnInfo, Farewell};
use crate::metrics::{NO_KIND, Outcome};
use crate::reply::{Reply, Trace};
use crate::scope::{CURRENT, Scope};
use crate::state::{Live, Shared};

/// How long a request may take, its body included. Operations are bounded far below it.
const WITHIN: Duration = Duration::from_secs(40);

/// Serves one request.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    router: Router,
    request: Request<Incoming>,
    connection: ConnInfo,
) -> Result<Response, Infallible> {
    let started = Instant::now();
    let live = shared.live();
    let (parts, body) = request.into_parts();
    let peer = connection.peer.ip();
    let client = client_address(peer, &parts.headers, &live.settings.trusted_proxies);
    let id = RequestId::new(shared.broker.random_uuid());
    let scope = Scope { id, client, connection: Arc::clone(&connection.state) };
    let origin = cors::origin(&parts.headers).cloned();
    let request = Request::from_parts(parts, Body::new(body));

    // Costs nothing unless traces are exported: see `telemetry` of the vestibule crate.
    let span = tracing::info_span!(
        target: "vestibule::trace",
        "request",
        otel.kind = "server",
        http.request.method = %request.method(),
        url.path = request.uri().path(),
        request.id = %id,
        operation = field::Empty,
        provider.kind = field::Empty,
        http.response.status_code = field::Empty,
    );
    let recorded = span.clone();
    CURRENT
        .scope(
            scope,
            async move {
                let mut response = answer(&shared, &live, router, request, &connection).await;
                let trace = response.extensions_mut().remove::<Trace>().unwrap_or_default();
                finish(&shared, &live, &mut response, id, origin, &trace);
                if connection.state.must_close() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(header::CONNECTION, close);
                }
                account(&shared, &trace, response.status(), started);
                describe(&recorded, &trace, response.status());
                Ok(response)
            }
            .instrument(span),
        )
        .await
}

async fn answer(
    shared: &Arc<Shared>,
    live: &Live,
    mut router: Router,
    request: Request<Body>,
    connection: &ConnInfo,
) -> Response {
    if let Some(refusal) = connection.state.refusal() {
        tracing::debug!(target: "vestibule::request", refusal = refusal.as_str(), "badly framed");
        let error = match refusal.is_too_large() {
            true => Error::new(ErrorKind::HeadTooLarge),
            false => badly_framed(),
        };
        return Reply::refuse(error).into_response();
    }
    let Some(_place) = shared.enter(live.settings.max_in_flight) else {
        shared.metrics.shed.increment(1);
        return Reply::refuse_kind(ErrorKind::Overloaded).into_response();
    };
    if cors::is_preflight(request.method(), request.headers()) {
        return preflight(shared, live, &request);
    }
    let work = AssertUnwindSafe(router.call(request)).catch_unwind();
    match tokio::time::timeout(WITHIN, work).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        // The panic hook has logged where; the request id ties the two together.
        Ok(Err(_)) => Reply::refuse(Error::new(ErrorKind::Internal).step("panic")).into_response(),
        Err(_) => Reply::refuse_kind(ErrorKind::Timeout).into_response(),
    }
}

/// The bytes of an answer to what no service can be asked: the same form, counted the same way.
pub(crate) fn farewell(shared: &Shared, why: Farewell) -> Bytes {
    let error = match why {
        Farewell::Overloaded => Error::new(ErrorKind::Overloaded),
        Farewell::Refused(refusal) if refusal.is_too_large() => Error::new(ErrorKind::HeadTooLarge),
        Farewell::Refused(_) => badly_framed(),
    };
    let id = RequestId::new(shared.broker.random_uuid());
    let failure = vestibule_wire::failure(&error, id);
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = Response::new(Body::empty());
    finish(shared, &shared.live(), &mut response, id, None, &Trace::default());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CONTENT_LENGTH, failure.body.len().into());
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    if let Some(seconds) = failure.retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    let trace = Trace { error: Some(Arc::new(error)), ..Trace::default() };
    account(shared, &trace, status, Instant::now());
    let mut bytes = format!("HTTP/1.1 {status}\r\n").into_bytes();
    for (name, value) in headers.iter() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&failure.body);
    bytes.into()
}

fn preflight(shared: &Shared, live: &Live, request: &Request<Body>) -> Response {
    let (headers, query) = (request.headers(), request.uri().query());
    if !cors::preflight_allowed(shared, headers, query, &live.settings.public_url) {
        return Reply::refuse_kind(ErrorKind::OriginNotAllowed).into_response();
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    cors::allow_preflight(response.headers_mut());
    response.extensions_mut().insert(Trace { origin_allowed: true, ..Trace::default() });
    response
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SERVER_TIME: HeaderName = HeaderName::from_static("server-time");

/// Headers of every answer. A handler that has set one of them, as the pages of `/docs` do,
/// keeps its own.
const FIXED: [(HeaderName, HeaderValue); 6] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (header::VARY, HeaderValue::from_static("origin")),
];

fn finish(
    shared: &Shared,
    live: &Live,
    response: &mut Response,
    id: RequestId,
    origin: Option<HeaderValue>,
    trace: &Trace,
) {
    let headers = response.headers_mut();
    headers.reserve(FIXED.len() + 8);
    for (name, value) in FIXED {
        headers.entry(name).or_insert(value);
    }
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
    let now = shared.broker.now().secs();
    headers.insert(SERVER_TIME, HeaderValue::from(now));
    if let Some(date) = date(now) {
        headers.insert(header::DATE, date);
    }
    if let Some(value) = &live.strict_transport {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value.clone());
    }
    if let Some(origin) = origin {
        share(shared, live, headers, origin, trace);
    }
}

/// The `Date` of an answer (RFC 9110 §6.6.1); none where the clock is outside the years that the
/// format can write.
pub(crate) fn date(secs: i64) -> Option<HeaderValue> {
    const YEAR_10000: u64 = 253_402_300_800;
    let secs = u64::try_from(secs).ok().filter(|secs| *secs < YEAR_10000)?;
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(secs))?;
    HeaderValue::from_str(&httpdate::fmt_http_date(at)).ok()
}

fn share(
    shared: &Shared,
    live: &Live,
    headers: &mut HeaderMap,
    origin: HeaderValue,
    trace: &Trace,
) {
    let unknown = trace.project.is_none()
        && trace.error.as_ref().is_none_or(|e| e.kind() != ErrorKind::OriginNotAllowed);
    let allowed = trace.origin_allowed
        || (unknown && cors::any_allows(shared, &origin, &live.settings.public_url));
    if allowed {
        cors::allow(headers, origin);
    }
}

fn account(shared: &Shared, trace: &Trace, status: StatusCode, started: Instant) {
    let took = started.elapsed();
    let error = trace.error.as_deref();
    let outcome = match error.map(Error::kind) {
        Some(ErrorKind::Overloaded) => Outcome::Shed,
        _ => Outcome::of_status(status.as_u16()),
    };
    let kind = shared.metrics.kind(trace.kind.as_deref().unwrap_or(NO_KIND));
    kind.record(trace.operation, outcome, took.as_secs_f64());
    log(trace, status, took, error);
}

fn describe(span: &Span, trace: &Trace, status: StatusCode) {
    if span.is_disabled() {
        return;
    }
    span.record("operation", trace.operation.map_or("none", Operation::as_str));
    span.record("provider.kind", trace.kind.as_deref().unwrap_or(NO_KIND));
    span.record("http.response.status_code", status.as_u16());
}

/// One line a request: a sign-in attempt always, the rest when it failed or at debug level.
fn log(trace: &Trace, status: StatusCode, took: Duration, error: Option<&Error>) {
    let operation = trace.operation.map_or("none", Operation::as_str);
    let kind = trace.kind.as_deref().unwrap_or("none");
    let project = trace.project.map(field::display);
    let user = trace.user.map(field::display);
    let duration_ms = took.as_secs_f64() * 1000.0;
    let code = error.map(|e| vestibule_wire::row(e.kind()).code);
    let status = status.as_u16();
    macro_rules! line {
        ($level:ident, $message:literal $(, $extra:tt)*) => {
            tracing::$level!(
                target: "vestibule::request",
                operation, provider.kind = kind, project.id = project, user.id = user,
                status, code, duration_ms, $($extra)* $message
            )
        };
    }
    match error {
        Some(error) if status >= 500 && !is_expected(error.kind()) && may_log(error.kind()) => {
            tracing::error!(
                target: "vestibule::request",
                operation, provider.kind = kind, project.id = project, status, code, duration_ms,
                cause = ?error, "request failed"
            );
        }
        _ if is_audited(trace.operation) => line!(info, "request served"),
        _ => line!(debug, "request served"),
    }
}

/// While the store is out, every request fails for the same reason: one line a second says it.
fn may_log(kind: ErrorKind) -> bool {
    static NEXT: Mutex<Option<Instant>> = Mutex::new(None);
    if kind != ErrorKind::StoreUnavailable {
        return true;
    }
    let mut next = NEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let now = Instant::now();
    let due = next.is_none_or(|at| now >= at);
    if due {
        *next = Some(now + Duration::from_secs(1));
    }
    due
}

/// 5xx that say something about the request or the load, not about a fault.
fn is_expected(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Unsupported | ErrorKind::Overloaded)
}

/// Operations whose every result is written down.
fn is_audited(operation: Option<Operation>) -> bool {
    operation.is_some_and(|operation| {
        !matches!(operation, Operation::Profile | Operation::Check | Operation::Vouch)
    })
}
