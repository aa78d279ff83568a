//! The contract's checks, in their order: from a request to the broker's operation.
//!
//! Body or query → project id → strategy and provider → project known → origin → provider
//! configured → operation offered → rate limit → bearer → the operation's own data → adapter.
//! The last three are the broker's; what is read from the envelope for it is read after the
//! bearer was demanded.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use secrecy::SecretString;
use vestibule_broker::{Context, Input, Instance, Project};
use vestibule_core::{
    Answer, Credential, Error, ErrorKind, ExternalId, Operation, ProjectId, Result,
};
use vestibule_wire::{Envelope, Route, parse, render};

use crate::address::ClientNet;
use crate::cors;
use crate::limits::Bucket;
use crate::reply::{Reply, Trace};
use crate::scope;
use crate::state::Shared;

/// The largest body that is read.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// How long an operation may take once it is admitted.
const WITHIN: Duration = Duration::from_secs(10);

/// Serves an operation of a provider.
pub(crate) async fn operate(shared: &Shared, operation: Operation, request: Request) -> Reply {
    let mut trace = Trace { operation: Some(operation), ..Trace::default() };
    let result = admitted(shared, operation, request, &mut trace).await;
    Reply { result, trace }
}

async fn admitted(
    shared: &Shared,
    operation: Operation,
    request: Request,
    trace: &mut Trace,
) -> Result<vestibule_wire::Rendered> {
    let (parts, body) = request.into_parts();
    let envelope = envelope(&parts, body).await?;
    let project = project(shared, envelope.project_id, &parts.headers, trace)?;
    let instance = project.instance(&envelope.instance)?;
    trace.kind = Some(instance.kind_name());
    let offer = instance.offer(operation)?;
    limit(shared, project.id(), operation)?;
    // Where the contract has no bearer, the header is not looked at.
    let bearer = match offer.credential == Credential::Bearer || operation == Operation::Vouch {
        true => bearer(&parts.headers)?,
        false => None,
    };
    if offer.credential == Credential::Bearer && bearer.is_none() {
        return Err(Error::new(ErrorKind::MissingCredential));
    }
    let input = input(operation, &envelope, &parts.headers, bearer)?;
    let answer = perform(shared, &project, &instance, operation, &parts.headers, input).await?;
    trace.user = match &answer {
        Answer::Session(session) => Some(session.user_id),
        Answer::Updated(view) => Some(view.user_id),
        Answer::Erased(id) => Some(*id),
        _ => None,
    };
    let route =
        Route { operation, kind: instance.kind(), project: project.id(), instance: instance.id() };
    Ok(render(&route, &answer))
}

async fn perform(
    shared: &Shared,
    project: &Project,
    instance: &Instance,
    operation: Operation,
    headers: &HeaderMap,
    input: Input,
) -> Result<Answer> {
    let scope = scope::current();
    let locale = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .filter(|text| text.len() <= 255)
        .map(ToOwned::to_owned);
    let context =
        Context { request_id: scope.id, within: WITHIN, client_ip: Some(scope.client), locale };
    shared.broker.perform((project, instance), operation, &context, input).await
}

/// A project that is known, enabled, and lists the caller's origin.
pub(crate) fn project(
    shared: &Shared,
    id: ProjectId,
    headers: &HeaderMap,
    trace: &mut Trace,
) -> Result<Arc<Project>> {
    let project = shared.broker.project(id)?;
    trace.project = Some(id);
    let live = shared.live();
    trace.origin_allowed = cors::admit(headers, &project, &live.settings.public_url)?;
    Ok(project)
}

/// Counts the call against the client's allowance for an operation, or for one that it is like.
pub(crate) fn limit(shared: &Shared, project: ProjectId, operation: Operation) -> Result<()> {
    let net = ClientNet::of(scope::current().client);
    shared
        .live()
        .limiter
        .check(Bucket { project, operation, net })
        .map_err(|wait| Error::new(ErrorKind::RateLimited).retry_after(wait))
}

async fn envelope(parts: &Parts, body: Body) -> Result<Envelope> {
    let query = parts.uri.query();
    let from_query = match parts.method {
        Method::GET | Method::HEAD => {
            refuse_body(&parts.headers)?;
            true
        }
        // Not every client can send a body with DELETE.
        Method::DELETE => !has_body(&parts.headers),
        _ => false,
    };
    if from_query {
        return parse::query(query.unwrap_or_default());
    }
    let bytes = json_body(&parts.headers, body).await?;
    parse::body(&bytes, query)
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0")
}

pub(crate) fn refuse_body(headers: &HeaderMap) -> Result<()> {
    if has_body(headers) {
        let reason = "this method takes no body";
        return Err(Error::new(ErrorKind::UnsupportedMediaType).detail("reason", reason));
    }
    Ok(())
}

/// Reads a body that says it is JSON, up to [`MAX_BODY`].
pub(crate) async fn json_body(headers: &HeaderMap, body: Body) -> Result<Bytes> {
    content_type(headers)?;
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BODY as u64) {
        return Err(too_large());
    }
    match Limited::new(body, MAX_BODY).collect().await {
        // A chunk can be framed badly long after the head was fine.
        Ok(_) if scope::current().connection.refusal().is_some() => Err(badly_framed()),
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => {
            let reason = "the body did not arrive whole";
            Err(Error::new(ErrorKind::Malformed).detail("reason", reason))
        }
    }
}

/// The refusal of a request that two parsers could read differently.
pub(crate) fn badly_framed() -> Error {
    Error::new(ErrorKind::Malformed)
        .detail("reason", "the request is not framed as RFC 9112 has it")
}

fn too_large() -> Error {
    Error::new(ErrorKind::TooLarge).detail("limit", MAX_BODY)
}

fn content_type(headers: &HeaderMap) -> Result<()> {
    let refused = |reason| Error::new(ErrorKind::UnsupportedMediaType).detail("reason", reason);
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(refused("the body must not be encoded"));
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return Err(refused("Content-Type must be application/json"));
    };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    if parts.next() != Some("application/json") {
        return Err(refused("Content-Type must be application/json"));
    }
    // RFC 8259 §8.1: JSON between systems is UTF-8; a label that says otherwise is a mistake.
    for parameter in parts.filter(|parameter| !parameter.is_empty()) {
        if !matches!(parameter, "charset=utf-8" | "charset=\"utf-8\"") {
            return Err(refused("the only charset is utf-8"));
        }
    }
    Ok(())
}

/// The bearer token (RFC 6750 §2.1). Absent, or of another scheme, it is `None`; given twice or
/// with characters that no token has, it is wrong.
fn bearer(headers: &HeaderMap) -> Result<Option<SecretString>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Error::new(ErrorKind::InvalidCredential));
    }
    let Some((scheme, token)) = value.to_str().ok().and_then(|text| text.split_once(' ')) else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    parse::token(token.trim()).map(Some).ok_or_else(|| Error::new(ErrorKind::InvalidCredential))
}

fn input(
    operation: Operation,
    envelope: &Envelope,
    headers: &HeaderMap,
    bearer: Option<SecretString>,
) -> Result<Input> {
    let device_id = envelope.device_id()?;
    if operation == Operation::Check && device_id.is_none() {
        return Err(Error::field("deviceId", "is required"));
    }
    Ok(Input {
        device_id,
        external_id: external_id(envelope, headers)?,
        bearer,
        refresh_token: envelope.refresh_token()?,
        access_token: envelope.access_token()?,
        user_id: envelope.user_id()?,
        data: Some(envelope.data()?),
    })
}

/// The external id of the header `X-External-Id`, of the query or of the body. Given twice, the
/// two must agree.
fn external_id(envelope: &Envelope, headers: &HeaderMap) -> Result<Option<ExternalId>> {
    let named = envelope.external_id()?;
    let mut values = headers.get_all("x-external-id").iter();
    let Some(value) = values.next() else {
        return Ok(named);
    };
    let header = value.to_str().ok().and_then(ExternalId::parse);
    let (Some(header), None) = (header, values.next()) else {
        return Err(Error::field("X-External-Id", "must be 1 to 255 visible ASCII characters"));
    };
    match named {
        Some(named) if named != header => {
            Err(Error::field("externalId", "is given twice with different values"))
        }
        _ => Ok(Some(header)),
    }
}
