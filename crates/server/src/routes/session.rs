//! `/v1/user/login`, `/refresh`, `/logout`.

use axum::extract::{Request, State};
use vestibule_core::Operation;

use super::App;
use crate::admit::operate;
use crate::openapi::{Body, Done, Failures, SessionAnswer, TokenBody};
use crate::reply::Reply;

/// Log in.
#[utoipa::path(put, path = "/v1/user/login", tag = "session", request_body = Body,
    responses((status = 200, description = "Signed in", body = SessionAnswer), Failures))]
pub(crate) async fn login(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::Login, request).await
}

/// Log in, by POST.
#[utoipa::path(post, path = "/v1/user/login", tag = "session", request_body = Body,
    responses((status = 200, description = "Signed in", body = SessionAnswer), Failures))]
pub(crate) async fn login_alias(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::Login, request).await
}

/// Exchange a refresh token for fresh tokens.
#[utoipa::path(post, path = "/v1/user/refresh", tag = "session", request_body = TokenBody,
    security((), ("bearer" = [])),
    responses((status = 200, description = "Fresh tokens", body = SessionAnswer), Failures))]
pub(crate) async fn refresh(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::Refresh, request).await
}

/// Log out.
#[utoipa::path(post, path = "/v1/user/logout", tag = "session", request_body = Body,
    security(("bearer" = [])),
    responses((status = 200, description = "Signed out", body = Done), Failures))]
pub(crate) async fn logout(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::Logout, request).await
}
