//! The shapes of the OpenAPI document (OpenAPI 3.1), generated with the routes.
//!
//! These structs describe; the crate `vestibule-wire` renders. A test plays real answers against
//! the generated document, so that the two cannot part.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::openapi::response::{Response, ResponseBuilder, ResponsesBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, InfoBuilder, Ref, RefOr};
use utoipa::{IntoParams, IntoResponses, PartialSchema, ToSchema};
use uuid::Uuid;

use crate::routes;

/// The document, as JSON text. The same for every run of one build.
#[must_use]
pub fn document() -> String {
    let (_, mut api) = routes::documented().split_for_parts();
    api.info = InfoBuilder::new()
        .title("Vestibule")
        .version("1")
        .description(Some(
            "A federating identity broker: one JSON API for every identity provider of a project.",
        ))
        .build();
    let components = api.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.security_schemes.insert("bearer".to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    components.schemas.insert("Failure".to_owned(), Failure::schema());
    components.schemas.insert("FailureDetail".to_owned(), FailureDetail::schema());
    let mut text = api.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// Which project and provider are addressed, and what the operation takes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Body {
    /// The project.
    #[schema(example = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5")]
    project_id: Uuid,
    /// The strategy under which the project configured the provider.
    #[schema(example = "simplified", pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
    strategy: String,
    /// The provider's name.
    #[schema(example = "anonymous", pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
    provider: String,
    /// What the operation takes; `GET /v1/projects/{projectId}/providers` lists its fields.
    #[schema(value_type = Option<Object>, nullable)]
    data: Option<BTreeMap<String, serde_json::Value>>,
    /// The install that calls, where the operation wants it here.
    #[schema(nullable)]
    device_id: Option<Uuid>,
    /// The external id, for noLogin; better sent in the header `X-External-Id`.
    #[schema(nullable, min_length = 1, max_length = 255)]
    external_id: Option<String>,
}

/// As `Body`, with the tokens of a refresh.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenBody {
    /// The project.
    #[schema(example = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5")]
    project_id: Uuid,
    /// The strategy under which the project configured the provider.
    #[schema(example = "email", pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
    strategy: String,
    /// The provider's name.
    #[schema(example = "awsCognito", pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
    provider: String,
    /// The install that calls.
    device_id: Uuid,
    /// The provider's refresh token.
    #[schema(min_length = 1, max_length = 16384)]
    refresh_token: String,
}

/// Which user to read.
#[derive(IntoParams)]
#[into_params(rename_all = "camelCase", parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; the wire crate parses it")]
pub(crate) struct UserQuery {
    /// The project.
    #[param(example = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5")]
    project_id: Uuid,
    /// The strategy under which the project configured the provider.
    #[param(example = "simplified")]
    strategy: String,
    /// The provider's name.
    #[param(example = "noLogin")]
    provider: String,
    /// The external id, for noLogin; better sent in the header `X-External-Id`.
    external_id: Option<String>,
}

/// Which user to erase, where the client sends no body.
#[derive(IntoParams)]
#[into_params(rename_all = "camelCase", parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; the wire crate parses it")]
pub(crate) struct EraseQuery {
    /// The project.
    project_id: Option<Uuid>,
    /// The strategy under which the project configured the provider.
    strategy: Option<String>,
    /// The provider's name.
    provider: Option<String>,
    /// The external id, for noLogin; better sent in the header `X-External-Id`.
    external_id: Option<String>,
}

/// Which token to check.
#[derive(IntoParams)]
#[into_params(rename_all = "camelCase", parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; the wire crate parses it")]
pub(crate) struct CheckQuery {
    /// The project.
    #[param(example = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5")]
    project_id: Uuid,
    /// The strategy under which the project configured the provider.
    #[param(example = "email")]
    strategy: String,
    /// The provider's name.
    #[param(example = "awsCognito")]
    provider: String,
    /// The install that calls.
    device_id: Uuid,
}

/// Which token is to be vouched for.
#[derive(IntoParams)]
#[into_params(rename_all = "camelCase", parameter_in = Query)]
#[expect(dead_code, reason = "describes the query; the wire crate parses it")]
pub(crate) struct VouchQuery {
    /// The project.
    #[param(example = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5")]
    project_id: Uuid,
    /// The strategy under which the project configured the provider.
    #[param(example = "email")]
    strategy: String,
    /// The provider's name.
    #[param(example = "google")]
    provider: String,
    /// The provider's id of the user; when given, it must be the token's own.
    user_id: Option<String>,
    /// The provider's token, for clients that cannot send it as a bearer.
    access_token: Option<String>,
}

/// A success with a signed-in user.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionAnswer {
    /// 1.
    result: u8,
    /// From a closed list; safe to show.
    message: String,
    data: SessionData,
}

/// A signed-in user on a device.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionData {
    /// The install; keep it, and send it again.
    device_id: Uuid,
    /// When the answer was made, in seconds since 1970.
    time_stamp: i64,
    /// Upper-case hexadecimal MAC over `userId,timeStamp` with the project's key.
    signature: String,
    /// Names the identity within the project.
    external_id: String,
    /// Names the account within the project.
    user_id: Uuid,
    /// When the account was made, in seconds since 1970.
    sign_up: i64,
    /// `signUp` again, for noLogin.
    signup: Option<i64>,
    /// For a registration: whether the account is new.
    is_new: Option<bool>,
    /// The user's name, for noLogin.
    #[schema(nullable)]
    username: Option<String>,
    /// The provider's access token.
    access_token: Option<String>,
    /// The provider's ID token.
    profile_token: Option<String>,
    /// The provider's refresh token.
    refresh_token: Option<String>,
}

/// A success with what is known about a user. noLogin repeats the four routing fields.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileAnswer {
    /// 1.
    result: u8,
    /// From a closed list; safe to show.
    message: String,
    data: ProfileData,
    strategy: Option<String>,
    provider: Option<String>,
    project_id: Option<Uuid>,
    external_id: Option<String>,
}

/// What is known about a user.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProfileData {
    /// The user's name.
    #[schema(nullable)]
    username: Option<String>,
    /// The app's own object.
    #[schema(value_type = Option<Object>)]
    app_profile: Option<BTreeMap<String, serde_json::Value>>,
    /// The last twenty login times, in seconds since 1970, oldest first.
    login_history: Option<Vec<i64>>,
    /// Names the account within the project.
    user_id: Uuid,
}

/// A success with nothing to say.
#[derive(Serialize, ToSchema)]
pub(crate) struct Done {
    /// 1.
    result: u8,
    /// From a closed list; safe to show.
    message: String,
    #[schema(value_type = Object)]
    data: BTreeMap<String, serde_json::Value>,
}

/// A signature to be checked.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SignatureBody {
    /// The project.
    #[schema(example = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5")]
    project_id: Uuid,
    /// The user that the signature names.
    user_id: Uuid,
    /// The time that the signature names, in seconds since 1970.
    time_stamp: i64,
    /// The signature.
    signature: String,
}

/// A success with a verdict.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignatureAnswer {
    /// 1.
    result: u8,
    message: String,
    data: SignatureData,
}

/// A verdict.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignatureData {
    /// Whether the project signed exactly this user and time.
    valid: bool,
}

/// A success with a project's providers.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProvidersAnswer {
    /// 1.
    result: u8,
    message: String,
    data: ProvidersData,
}

/// A project's providers.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProvidersData {
    providers: Vec<ProviderData>,
}

/// One provider.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderData {
    strategy: String,
    provider: String,
    operations: Vec<OperationData>,
}

/// One operation that a provider offers.
#[derive(Serialize, ToSchema)]
pub(crate) struct OperationData {
    operation: String,
    method: String,
    path: String,
    /// `none`, `bearer`, `externalId` or `device`.
    credential: String,
    fields: Vec<FieldData>,
}

/// One field of an operation's `data`.
#[derive(Serialize, ToSchema)]
pub(crate) struct FieldData {
    name: String,
    /// `text`, `uuid`, `email`, `password` or `object`.
    r#type: String,
    required: bool,
}

/// A failure. Branch on `error.code`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Failure {
    /// 0.
    result: u8,
    /// From a closed list; safe to show.
    message: String,
    #[schema(value_type = Object)]
    data: BTreeMap<String, serde_json::Value>,
    error: FailureDetail,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FailureDetail {
    /// What clients branch on.
    code: String,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// Who has to act: `player`, `developer`, `operator` or `upstream`.
    actor: String,
    /// Name it when you report the failure.
    request_id: String,
    /// Which field is wrong and why, and the like.
    #[schema(value_type = Option<Object>)]
    details: Option<BTreeMap<String, serde_json::Value>>,
}

/// The failures that every operation may answer.
pub(crate) struct Failures;

impl IntoResponses for Failures {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        const TEXTS: [(&str, &str); 15] = [
            ("400", "The request is malformed, or a field is missing or invalid"),
            ("401", "The credential is absent or not valid"),
            ("403", "Authenticated, but not allowed; or a website that may not call"),
            ("404", "No such project, provider or user; a foreign one looks the same"),
            ("409", "A conflict with what is recorded"),
            ("413", "The body is larger than 64 KiB"),
            ("415", "The body is not JSON in UTF-8"),
            ("422", "Against the provider's policy"),
            ("429", "Too many requests; see Retry-After"),
            ("431", "The request's headers are too large"),
            ("500", "A fault of the broker; report the request id"),
            ("501", "The provider does not support the operation"),
            ("502", "The provider answered badly"),
            ("503", "Too busy at the moment; see Retry-After"),
            ("504", "The provider did not answer in time"),
        ];
        let mut responses = ResponsesBuilder::new();
        for (status, text) in TEXTS {
            let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Failure")));
            let response = ResponseBuilder::new()
                .description(text)
                .content("application/json", content.build());
            responses = responses.response(status, response);
        }
        responses.build().into()
    }
}
