//! `/v1/user/change-password`, `/forgot-password`, `/confirm-forgot-password`.

use axum::extract::{Request, State};
use vestibule_core::Operation;

use super::App;
use crate::admit::operate;
use crate::openapi::{Body, Done, Failures, SessionAnswer};
use crate::reply::Reply;

/// Replace the password, knowing the old one.
#[utoipa::path(put, path = "/v1/user/change-password", tag = "password", request_body = Body,
    security(("bearer" = [])),
    responses((status = 200, description = "Replaced", body = SessionAnswer), Failures))]
pub(crate) async fn change(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::ChangePassword, request).await
}

/// Send a code with which the password can be replaced.
///
/// Known and unknown addresses get the same answer.
#[utoipa::path(put, path = "/v1/user/forgot-password", tag = "password", request_body = Body,
    responses((status = 200, description = "Sent, if the address is known", body = Done), Failures))]
pub(crate) async fn forgot(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::ForgotPassword, request).await
}

/// Send a code, by POST.
#[utoipa::path(post, path = "/v1/user/forgot-password", tag = "password", request_body = Body,
    responses((status = 200, description = "Sent, if the address is known", body = Done), Failures))]
pub(crate) async fn forgot_alias(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::ForgotPassword, request).await
}

/// Replace the password with a code.
#[utoipa::path(post, path = "/v1/user/confirm-forgot-password", tag = "password", request_body = Body,
    responses((status = 200, description = "Replaced", body = Done), Failures))]
pub(crate) async fn confirm(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::ConfirmForgotPassword, request).await
}

/// Replace the password with a code, by PUT.
#[utoipa::path(put, path = "/v1/user/confirm-forgot-password", tag = "password", request_body = Body,
    responses((status = 200, description = "Replaced", body = Done), Failures))]
pub(crate) async fn confirm_alias(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::ConfirmForgotPassword, request).await
}
