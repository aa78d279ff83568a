//! The operator's face: health and metrics, on a listener that is not public.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use tower::Service;

use crate::listener::ConnInfo;
use crate::state::Shared;

/// The routes of the operator's face.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(shared)
}

/// Serves one request of the operator.
pub(crate) async fn serve(
    mut router: Router,
    request: Request<Incoming>,
    connection: ConnInfo,
) -> Result<Response, Infallible> {
    let mut response = match connection.state.refusal() {
        Some(_) => StatusCode::BAD_REQUEST.into_response(),
        None => router.call(request.map(Body::new)).await?,
    };
    let headers = response.headers_mut();
    if connection.state.must_close() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// The process runs and answers. Restart it when this does not.
async fn live() -> Response {
    status(StatusCode::OK, r#"{"status":"live"}"#)
}

/// Requests may be sent here: the broker is not stopping and its store takes writes.
async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    if !shared.ready.load(Ordering::Acquire) {
        return status(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"stopping"}"#);
    }
    match shared.stores.ready().await {
        Ok(()) => status(StatusCode::OK, r#"{"status":"ready"}"#),
        Err(error) => {
            tracing::warn!(cause = %error, "not ready: the store takes no writes");
            status(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"store unavailable"}"#)
        }
    }
}

fn status(code: StatusCode, body: &'static str) -> Response {
    (code, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    #[expect(clippy::cast_precision_loss, reason = "both counts are small")]
    {
        shared.metrics.store_queue_depth.set(shared.stores.queue_depth() as f64);
        shared.metrics.in_flight.set(shared.in_flight() as f64);
    }
    let text = shared.metrics.render();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
