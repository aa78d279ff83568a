//! `/v1/signature/verify`: for another backend that was handed `userId`, `timeStamp` and
//! `signature` by an app.

use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use vestibule_core::{Operation, ProjectId, Result, Timestamp, UserId};
use vestibule_wire::{Rendered, parse};

use super::App;
use crate::admit::{json_body, limit, project};
use crate::openapi::{Failures, SignatureAnswer, SignatureBody};
use crate::reply::{Reply, Trace};
use crate::state::Shared;

/// Check a signature.
///
/// `valid` says whether the project signed exactly this user and time. How old a time stamp may
/// be is for the caller to decide.
#[utoipa::path(post, path = "/v1/signature/verify", tag = "signature", request_body = SignatureBody,
    responses((status = 200, description = "Whether it is the project's", body = SignatureAnswer), Failures))]
pub(crate) async fn verify(State(app): App, request: Request) -> Reply {
    let mut trace = Trace::default();
    let result = verdict(&app, request, &mut trace).await;
    Reply { result, trace }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claim {
    project_id: ProjectId,
    user_id: UserId,
    time_stamp: i64,
    signature: String,
}

#[derive(Serialize)]
struct Verdict {
    valid: bool,
}

async fn verdict(shared: &Shared, request: Request, trace: &mut Trace) -> Result<Rendered> {
    let (parts, body) = request.into_parts();
    let bytes = json_body(&parts.headers, body).await?;
    let claim: Claim = parse::object(&bytes)?;
    parse::same_project(parts.uri.query(), claim.project_id)?;
    let project = project(shared, claim.project_id, &parts.headers, trace)?;
    limit(shared, project.id(), Operation::Check)?;
    let at = Timestamp::from_secs(claim.time_stamp);
    // A time beyond the range of milliseconds would be verified as another one.
    let valid = at.secs() == claim.time_stamp
        && shared.broker.verify_signature(&project, claim.user_id, at, &claim.signature).await?;
    Ok(vestibule_wire::render::plain(&Verdict { valid }))
}
