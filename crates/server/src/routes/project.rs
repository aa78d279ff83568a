//! `/v1/projects/{projectId}/providers`: what an app may offer its players.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use vestibule_core::{Error, Operation, ProjectId, Result};
use vestibule_wire::Rendered;

use super::App;
use crate::admit::{limit, project, refuse_body};
use crate::openapi::{Failures, ProvidersAnswer};
use crate::reply::{Reply, Trace};
use crate::state::Shared;

/// List the providers of a project.
///
/// With the operations that each offers, the credential that each operation needs and the
/// fields that its `data` takes. Public: nothing secret is in it.
#[utoipa::path(get, path = "/v1/projects/{projectId}/providers", tag = "project",
    params(("projectId" = String, Path, format = Uuid, example = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5")),
    responses((status = 200, description = "The providers", body = ProvidersAnswer), Failures))]
pub(crate) async fn providers(
    State(app): App,
    project_id: std::result::Result<Path<String>, PathRejection>,
    request: Request,
) -> Reply {
    let mut trace = Trace::default();
    let project_id = project_id.map(|Path(text)| text).unwrap_or_default();
    let result = list(&app, &project_id, &request, &mut trace);
    Reply { result, trace }
}

fn list(shared: &Shared, id: &str, request: &Request, trace: &mut Trace) -> Result<Rendered> {
    refuse_body(request.headers())?;
    let id = ProjectId::parse(id).ok_or_else(|| {
        Error::field("projectId", "must be a UUID in its lower-case hyphenated form")
    })?;
    vestibule_wire::parse::same_project(request.uri().query(), id)?;
    let project = project(shared, id, request.headers(), trace)?;
    limit(shared, id, Operation::Profile)?;
    let listed = project.instances().map(|one| (one.id(), one.capabilities()));
    Ok(vestibule_wire::providers(listed))
}
