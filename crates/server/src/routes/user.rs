//! `/v1/user`: registering, reading, changing, checking and erasing a user.

use axum::extract::{Request, State};
use vestibule_core::Operation;

use super::App;
use crate::admit::operate;
use crate::openapi::{
    Body, CheckQuery, Done, EraseQuery, Failures, ProfileAnswer, SessionAnswer, UserQuery,
    VouchQuery,
};
use crate::reply::Reply;

/// Read a user.
///
/// The credential depends on the provider: a bearer token, or for noLogin the external id, best
/// in the header `X-External-Id`.
#[utoipa::path(get, path = "/v1/user", tag = "user",
    params(UserQuery, ("X-External-Id" = Option<String>, Header, description = "The external id, for noLogin")),
    security((), ("bearer" = [])),
    responses((status = 200, description = "The user", body = ProfileAnswer), Failures))]
pub(crate) async fn profile(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::Profile, request).await
}

/// Register a user.
///
/// For anonymous guests: a known `deviceId` with the same `additionalId` answers 200 with
/// `isNew: false` and the same user, unless the project forbids it.
#[utoipa::path(post, path = "/v1/user", tag = "user", request_body = Body,
    responses(
        (status = 200, description = "A user that was there already, or a noLogin user", body = SessionAnswer),
        (status = 201, description = "A new user", body = SessionAnswer),
        Failures))]
pub(crate) async fn register(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::Register, request).await
}

/// Change a user.
///
/// `appProfile` replaces the old one whole; what is left out stays.
#[utoipa::path(put, path = "/v1/user", tag = "user", request_body = Body,
    params(("X-External-Id" = Option<String>, Header, description = "The external id, for noLogin")),
    security((), ("bearer" = [])),
    responses((status = 200, description = "The user as it stands now", body = ProfileAnswer), Failures))]
pub(crate) async fn update(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::Update, request).await
}

/// Erase a user.
///
/// Deletes the account with its identities, devices and profile, for good. Needs the same proof
/// as a login. Clients that cannot send a body with DELETE may use the query.
#[utoipa::path(delete, path = "/v1/user", tag = "user", request_body = Option<Body>,
    params(EraseQuery, ("X-External-Id" = Option<String>, Header, description = "The external id, for noLogin")),
    security((), ("bearer" = [])),
    responses((status = 200, description = "The user is erased", body = Done), Failures))]
pub(crate) async fn erase(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::Erase, request).await
}

/// Check a token.
///
/// For a token that the broker verifies by itself, without asking the provider.
#[utoipa::path(get, path = "/v1/user/check", tag = "user", params(CheckQuery),
    security(("bearer" = [])),
    responses((status = 200, description = "The token's user", body = ProfileAnswer), Failures))]
pub(crate) async fn check(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::Check, request).await
}

/// Check a token that only its provider can vouch for.
///
/// The token is `accessToken` if given, else the bearer. It must have been issued to this app.
#[utoipa::path(get, path = "/v1/user/check/nonstandard", tag = "user", params(VouchQuery),
    security((), ("bearer" = [])),
    responses((status = 200, description = "The token's user", body = ProfileAnswer), Failures))]
pub(crate) async fn vouch(State(app): App, request: Request) -> Reply {
    operate(&app, Operation::Vouch, request).await
}
