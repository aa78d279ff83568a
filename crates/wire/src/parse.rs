//! Body and query of a request into an [`Envelope`].
//!
//! The routing fields are checked here. The further top-level fields are checked when they are
//! asked for, because the contract's order puts an unknown project or a missing credential
//! before a malformed device id.

use std::borrow::Cow;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use vestibule_core::ids::{DeviceId, ExternalId, InstanceId, ProjectId, is_name};
use vestibule_core::{Error, ErrorKind, Payload, Result};

use crate::strict;

/// What a request addresses and carries, before its operation has looked at it.
#[derive(Debug)]
pub struct Envelope {
    /// The project.
    pub project_id: ProjectId,
    /// Strategy and provider.
    pub instance: InstanceId,
    fields: Fields,
}

#[derive(Debug, Default)]
struct Fields {
    device_id: Entry,
    external_id: Entry,
    refresh_token: Entry,
    access_token: Entry,
    user_id: Entry,
    data: Data,
}

/// A further top-level field: not given, given as text, or given as something else.
#[derive(Default)]
enum Entry {
    #[default]
    Absent,
    Text(String),
    Other,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Tokens and ids that act as credentials pass through here.
        f.write_str(match self {
            Self::Absent => "absent",
            Self::Text(_) => "text",
            Self::Other => "not text",
        })
    }
}

#[derive(Debug, Default)]
enum Data {
    #[default]
    Absent,
    Object(Payload),
    Other,
}

impl Envelope {
    /// `deviceId` of the top level.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidField`].
    pub fn device_id(&self) -> Result<Option<DeviceId>> {
        typed(&self.fields.device_id, "deviceId", "must be a UUID", DeviceId::parse)
    }

    /// `externalId` of the top level.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidField`].
    pub fn external_id(&self) -> Result<Option<ExternalId>> {
        typed(&self.fields.external_id, "externalId", "must be 1 to 255 bytes", ExternalId::parse)
    }

    /// `refreshToken` of the top level.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidField`].
    pub fn refresh_token(&self) -> Result<Option<SecretString>> {
        typed(&self.fields.refresh_token, "refreshToken", TOKEN, token)
    }

    /// `accessToken` of the query.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidField`].
    pub fn access_token(&self) -> Result<Option<SecretString>> {
        typed(&self.fields.access_token, "accessToken", TOKEN, token)
    }

    /// `userId` of the query: the provider's id of the user, to be compared with the token's.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidField`].
    pub fn user_id(&self) -> Result<Option<String>> {
        typed(&self.fields.user_id, "userId", "must be 1 to 255 bytes", |text| {
            (1..=255).contains(&text.len()).then(|| text.to_owned())
        })
    }

    /// `data`; absent is `{}`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidField`] when it is something else than an object.
    pub fn data(&self) -> Result<Payload> {
        match &self.fields.data {
            Data::Absent => Ok(Payload::empty()),
            Data::Object(payload) => Ok(payload.clone()),
            Data::Other => Err(Error::field("data", "must be a JSON object")),
        }
    }
}

/// The largest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 16 * 1024;
const TOKEN: &str = "must be 1 to 16384 visible ASCII characters";

/// A token: bounded visible ASCII (RFC 6750 §2.1 allows a subset of it).
#[must_use]
pub fn token(text: &str) -> Option<SecretString> {
    ((1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()))
        .then(|| SecretString::from(text))
}

fn typed<T>(
    entry: &Entry,
    name: &'static str,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>> {
    match entry {
        Entry::Absent => Ok(None),
        Entry::Text(text) => parse(text).map(Some).ok_or_else(|| Error::field(name, expected)),
        Entry::Other => Err(Error::field(name, "must be a string")),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    project_id: Option<&'a RawValue>,
    #[serde(borrow)]
    strategy: Option<&'a RawValue>,
    #[serde(borrow)]
    provider: Option<&'a RawValue>,
    #[serde(borrow)]
    device_id: Option<&'a RawValue>,
    #[serde(borrow)]
    external_id: Option<&'a RawValue>,
    #[serde(borrow)]
    refresh_token: Option<&'a RawValue>,
    #[serde(borrow)]
    access_token: Option<&'a RawValue>,
    #[serde(borrow)]
    user_id: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// Parses a JSON body. A query beside it may repeat `projectId`, but not change it.
///
/// # Errors
/// [`ErrorKind::Malformed`] for what is not acceptable JSON; [`ErrorKind::InvalidField`] for a
/// routing field.
pub fn body(bytes: &[u8], query: Option<&str>) -> Result<Envelope> {
    let text = strict::check(bytes).map_err(|refusal| malformed(refusal.reason()))?;
    let body: Body<'_> =
        serde_json::from_str(text).map_err(|_| malformed("the body is not valid JSON in UTF-8"))?;
    let project_id = project(entry(body.project_id), "is required, in the body")?;
    same_project(query, project_id)?;
    let instance = instance(entry(body.strategy), entry(body.provider))?;
    let data = match body.data {
        None => Data::Absent,
        Some(raw) => Payload::from_raw(raw.to_owned()).map_or(Data::Other, Data::Object),
    };
    Ok(Envelope {
        project_id,
        instance,
        fields: Fields {
            device_id: entry(body.device_id),
            external_id: entry(body.external_id),
            refresh_token: entry(body.refresh_token),
            access_token: entry(body.access_token),
            user_id: entry(body.user_id),
            data,
        },
    })
}

/// Parses a query.
///
/// # Errors
/// [`ErrorKind::Malformed`] for a repeated key or broken encoding; [`ErrorKind::InvalidField`]
/// for a routing field.
pub fn query(query: &str) -> Result<Envelope> {
    let mut pairs = Pairs::parse(query)?;
    let project_id = project(pairs.entry("projectId"), "is required, in the query")?;
    let instance = instance(pairs.entry("strategy"), pairs.entry("provider"))?;
    Ok(Envelope {
        project_id,
        instance,
        fields: Fields {
            device_id: pairs.entry("deviceId"),
            external_id: pairs.entry("externalId"),
            refresh_token: Entry::Absent,
            access_token: pairs.entry("accessToken"),
            user_id: pairs.entry("userId"),
            data: Data::Absent,
        },
    })
}

/// Parses a body that is no envelope into a struct of its own.
///
/// # Errors
/// As [`body`].
pub fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let text = strict::check(bytes).map_err(|refusal| malformed(refusal.reason()))?;
    let payload =
        Payload::from_json(text).ok_or_else(|| malformed("the body must be an object"))?;
    payload.parse().map_err(|error| {
        // The shared explanation speaks of `data`; these bodies have no such wrapper.
        let field = error.details().get("field").and_then(|v| v.as_str()).unwrap_or_default();
        let reason = error.details().get("reason").and_then(|v| v.as_str()).unwrap_or_default();
        Error::field(field.strip_prefix("data.").unwrap_or(field), reason)
    })
}

/// Refuses a query that names another project than the body or the path.
///
/// # Errors
/// [`ErrorKind::InvalidField`]; [`ErrorKind::Malformed`] for a query that is broken.
pub fn same_project(query: Option<&str>, project_id: ProjectId) -> Result<()> {
    match Pairs::parse(query.unwrap_or_default())?.take("projectId") {
        Some(again) if again != project_id.to_string() => {
            Err(Error::field("projectId", "is given twice with different values"))
        }
        _ => Ok(()),
    }
}

/// The project that a query names, where it names one properly: for answers to a preflight.
#[must_use]
pub fn project_in_query(query: &str) -> Option<ProjectId> {
    Pairs::parse(query).ok()?.take("projectId").and_then(|text| ProjectId::parse(&text))
}

fn malformed(reason: &'static str) -> Error {
    Error::new(ErrorKind::Malformed).detail("reason", reason)
}

fn entry(raw: Option<&RawValue>) -> Entry {
    match raw.map(RawValue::get) {
        None | Some("null") => Entry::Absent,
        Some(text) => serde_json::from_str(text).map_or(Entry::Other, Entry::Text),
    }
}

fn project(entry: Entry, required: &'static str) -> Result<ProjectId> {
    const EXPECTED: &str = "must be a UUID in its lower-case hyphenated form";
    match entry {
        Entry::Absent => Err(Error::field("projectId", required)),
        Entry::Other => Err(Error::field("projectId", EXPECTED)),
        Entry::Text(text) => {
            ProjectId::parse(&text).ok_or_else(|| Error::field("projectId", EXPECTED))
        }
    }
}

fn instance(strategy: Entry, provider: Entry) -> Result<InstanceId> {
    let strategy = name(strategy, "strategy")?;
    let provider = name(provider, "provider")?;
    InstanceId::new(&strategy, &provider).ok_or_else(|| Error::field("provider", "must be a name"))
}

fn name(entry: Entry, field: &'static str) -> Result<String> {
    match entry {
        Entry::Text(text) if is_name(&text) => Ok(text),
        Entry::Absent => Err(Error::field(field, "is required")),
        _ => Err(Error::field(field, "must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")),
    }
}

/// The pairs of a query, each key once.
struct Pairs<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Pairs<'a> {
    fn parse(query: &'a str) -> Result<Self> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            // The decoder writes U+FFFD for bytes that are not UTF-8.
            if [&key, &value].iter().any(|text| text.contains(['\u{fffd}', '\0'])) {
                return Err(malformed("the query is not percent-encoded UTF-8 without NUL"));
            }
            if pairs.iter().any(|(seen, _)| *seen == key) {
                return Err(malformed("a key stands twice in the query"));
            }
            if pairs.len() == 32 {
                return Err(malformed("the query has more than 32 parameters"));
            }
            pairs.push((key, value));
        }
        Ok(Self(pairs))
    }

    fn take(&mut self, key: &str) -> Option<Cow<'a, str>> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.swap_remove(at).1)
    }

    fn entry(&mut self, key: &str) -> Entry {
        self.take(key).map_or(Entry::Absent, |value| Entry::Text(value.into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTING: &str =
        r#""projectId":"5d5b0676-ce0f-4058-b2bf-49af49f61cb5","strategy":"s","provider":"p""#;

    fn field(error: &Error) -> String {
        error.details()["field"].as_str().unwrap().to_owned()
    }

    #[test]
    fn routing_fields_are_read_from_body_and_query() {
        let from_body = body(format!("{{{ROUTING}}}").as_bytes(), None).unwrap();
        let from_query = query(
            "projectId=5d5b0676-ce0f-4058-b2bf-49af49f61cb5&strategy=s&provider=p&deviceId=x",
        )
        .unwrap();
        assert_eq!(from_body.project_id, from_query.project_id);
        assert_eq!(from_body.instance, from_query.instance);
        assert_eq!(field(&from_query.device_id().unwrap_err()), "deviceId");
    }

    #[test]
    fn p02_two_different_projects_are_refused() {
        let text = format!("{{{ROUTING}}}");
        let other = "projectId=00000000-0000-4000-8000-000000000000";
        assert_eq!(field(&body(text.as_bytes(), Some(other)).unwrap_err()), "projectId");
        let same = "projectId=5d5b0676-ce0f-4058-b2bf-49af49f61cb5";
        assert!(body(text.as_bytes(), Some(same)).is_ok());
        assert!(query(&format!("{same}&{same}&strategy=s&provider=p")).is_err());
    }

    #[test]
    fn p03_a_project_has_one_spelling() {
        for bad in [
            "5D5B0676-CE0F-4058-B2BF-49AF49F61CB5",
            "{5d5b0676-ce0f-4058-b2bf-49af49f61cb5}",
            "urn:uuid:5d5b0676-ce0f-4058-b2bf-49af49f61cb5",
            "5d5b0676ce0f4058b2bf49af49f61cb5",
            " 5d5b0676-ce0f-4058-b2bf-49af49f61cb5",
            "*",
            "",
        ] {
            let text = format!(r#"{{"projectId":"{bad}","strategy":"s","provider":"p"}}"#);
            assert_eq!(field(&body(text.as_bytes(), None).unwrap_err()), "projectId", "{bad}");
        }
    }

    #[test]
    fn i11_other_types_are_refused_by_name() {
        for (name, text) in [
            ("projectId", r#"{"projectId":["a"],"strategy":"s","provider":"p"}"#),
            ("projectId", r#"{"projectId":null,"strategy":"s","provider":"p"}"#),
            (
                "strategy",
                r#"{"projectId":"5d5b0676-ce0f-4058-b2bf-49af49f61cb5","strategy":true,"provider":"p"}"#,
            ),
        ] {
            assert_eq!(field(&body(text.as_bytes(), None).unwrap_err()), name);
        }
        let with = |extra: &str| body(format!("{{{ROUTING},{extra}}}").as_bytes(), None).unwrap();
        assert_eq!(field(&with(r#""deviceId":7"#).device_id().unwrap_err()), "deviceId");
        assert_eq!(field(&with(r#""data":[1]"#).data().unwrap_err()), "data");
        assert_eq!(field(&with(r#""data":"x""#).data().unwrap_err()), "data");
        assert!(with(r#""data":null"#).data().unwrap().names().unwrap().is_empty());
        assert!(with(r#""deviceId":null"#).device_id().unwrap().is_none());
    }

    #[test]
    fn unknown_top_level_fields_are_ignored() {
        assert!(body(format!(r#"{{{ROUTING},"further":{{"a":1}}}}"#).as_bytes(), None).is_ok());
    }

    #[test]
    fn an_envelope_shows_no_credential_in_debug() {
        let text = format!(r#"{{{ROUTING},"refreshToken":"canary","externalId":"canary"}}"#);
        let envelope = body(text.as_bytes(), None).unwrap();
        assert!(!format!("{envelope:?}").contains("canary"));
    }
}
