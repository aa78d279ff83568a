//! The public routes: one file a resource, each handler with its documentation.

mod docs;
mod password;
mod project;
mod session;
mod signature;
mod user;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vestibule_core::ErrorKind;

use crate::reply::Reply;
use crate::state::Shared;

/// Shared state as handlers take it.
pub(crate) type App = axum::extract::State<Arc<Shared>>;

/// The routes that the OpenAPI document describes.
pub(crate) fn documented() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(user::profile, user::register, user::update, user::erase))
        .routes(routes!(user::check))
        .routes(routes!(user::vouch))
        .routes(routes!(session::login, session::login_alias))
        .routes(routes!(session::refresh))
        .routes(routes!(session::logout))
        .routes(routes!(password::change))
        .routes(routes!(password::forgot, password::forgot_alias))
        .routes(routes!(password::confirm, password::confirm_alias))
        .routes(routes!(signature::verify))
        .routes(routes!(project::providers))
}

/// All public routes.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let (router, _) = documented().split_for_parts();
    router
        .merge(docs::router())
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        // Bodies are bounded where they are read; axum's own limit would answer in its own form.
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

async fn method_not_allowed() -> Response {
    Reply::refuse_kind(ErrorKind::MethodNotAllowed).into_response()
}

async fn not_found() -> Response {
    Reply::refuse_kind(ErrorKind::UnknownPath).into_response()
}
