//! The open `data` of the envelope, and the shapes that several adapters share.

use std::fmt;

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::error::{Error, Result};
use crate::ids::{DeviceId, ExternalId};

/// The `data` object of a request: JSON text, already checked by the edge (an object, no
/// duplicate keys, bounded depth and size, no NUL). An adapter parses it into its own struct
/// on its first line.
///
/// ```
/// use serde::Deserialize;
/// use vestibule_core::Payload;
///
/// #[derive(Deserialize)]
/// struct Word { word: String }
///
/// let payload = Payload::from_json(r#"{"word":"sesame"}"#).unwrap();
/// assert_eq!(payload.parse::<Word>().unwrap().word, "sesame");
///
/// let error = Payload::empty().parse::<Word>().err().unwrap();
/// assert_eq!(error.details()["field"], "data.word");
/// assert_eq!(error.details()["reason"], "is required");
/// ```
#[derive(Clone)]
pub struct Payload(Box<RawValue>);

impl Payload {
    /// Wraps JSON text that is an object; `None` otherwise.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        serde_json::from_str::<Box<RawValue>>(text).ok().and_then(Self::from_raw)
    }

    /// Wraps raw JSON that is an object; `None` otherwise.
    #[must_use]
    pub fn from_raw(raw: Box<RawValue>) -> Option<Self> {
        raw.get().starts_with('{').then_some(Self(raw))
    }

    /// `{}`.
    #[must_use]
    pub fn empty() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// Whether it is [`Payload::empty`]: nothing was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.get() == "null"
    }

    fn text(&self) -> &str {
        match self.0.get() {
            "null" => "{}",
            text => text,
        }
    }

    /// Parses the payload into the adapter's own struct.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidField`], naming the field and what it expects; the value itself is
    /// never repeated, since it may be a password.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        let mut json = serde_json::Deserializer::from_str(self.text());
        serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let (field, reason) = explain(&error);
            Error::field(field, reason)
        })
    }

    /// The names of the payload's top-level fields.
    ///
    /// # Errors
    /// As [`Payload::parse`].
    pub fn names(&self) -> Result<Vec<String>> {
        self.parse::<std::collections::BTreeMap<String, de::IgnoredAny>>()
            .map(|fields| fields.into_keys().collect())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.text().len())
    }
}

/// Field and reason of a parse error, without the value that serde quotes.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> (String, String) {
    let path = error.path().to_string();
    let message = error.inner().to_string();
    let place = |name: &str| match path.as_str() {
        "." | "" => format!("data.{name}"),
        path => format!("data.{path}.{name}"),
    };
    if let Some(name) = quoted_after(&message, "missing field ") {
        return (place(name), "is required".to_owned());
    }
    if let Some(name) = quoted_after(&message, "unknown field ") {
        return (place(name), "is not known here".to_owned());
    }
    let expected = message
        .split_once(", expected ")
        .map(|(_, rest)| rest.split(" at line ").next().unwrap_or(rest))
        .map_or_else(|| "has a value that is not accepted".to_owned(), |e| format!("must be {e}"));
    let field = if path == "." { "data".to_owned() } else { format!("data.{path}") };
    (field, expected)
}

fn quoted_after<'a>(message: &'a str, lead: &str) -> Option<&'a str> {
    message.strip_prefix(lead)?.strip_prefix('`')?.split('`').next()
}

/// The name that a user chose to be shown under: 1 to 128 characters, no control characters.
/// It identifies nobody, so two users may share one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Username(String);

impl Username {
    /// The longest name, in characters.
    pub const MAX: usize = 128;

    /// Accepts a name; `None` when it is empty, too long or holds a control character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let length = text.chars().count();
        ((1..=Self::MAX).contains(&length) && !text.chars().any(char::is_control))
            .then(|| Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Username {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::invalid_value(
                de::Unexpected::Other("text"),
                &"1 to 128 characters without control characters",
            )
        })
    }
}

/// The app's own JSON object about a user, kept to the letter: numbers and key order come back
/// as they were sent. Written by clients, so nothing in it may be trusted.
#[derive(Clone)]
pub struct AppProfile(Box<RawValue>);

impl AppProfile {
    /// The largest profile, in bytes.
    pub const MAX: usize = 32 * 1024;

    /// `{}`.
    #[must_use]
    pub fn empty() -> Self {
        Self(RawValue::from_string("{}".to_owned()).unwrap_or_else(|_| RawValue::NULL.to_owned()))
    }

    /// Wraps JSON text that is an object of bounded size; `None` otherwise.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        if text.len() > Self::MAX || !text.starts_with('{') {
            return None;
        }
        RawValue::from_string(text.to_owned()).ok().map(Self)
    }

    /// The JSON text.
    #[must_use]
    pub fn as_json(&self) -> &str {
        self.0.get()
    }
}

impl PartialEq for AppProfile {
    fn eq(&self, other: &Self) -> bool {
        self.as_json() == other.as_json()
    }
}

impl fmt::Debug for AppProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppProfile({} bytes)", self.as_json().len())
    }
}

impl Serialize for AppProfile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AppProfile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if !raw.get().starts_with('{') {
            return Err(de::Error::invalid_type(
                de::Unexpected::Other("no object"),
                &"a JSON object",
            ));
        }
        if raw.get().len() > Self::MAX {
            return Err(de::Error::invalid_value(
                de::Unexpected::Other("a large object"),
                &"at most 32768 bytes of JSON",
            ));
        }
        Ok(Self(raw))
    }
}

/// Payload of a login by external id and device.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DevicePair {
    /// Which identity.
    pub external_id: ExternalId,
    /// On which install.
    pub device_id: DeviceId,
}

/// Payload of an update of what the broker itself keeps about a user.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileUpdate {
    /// The new name; absent leaves it.
    pub username: Option<Username>,
    /// The new profile, replacing the old one whole; absent leaves it.
    pub app_profile: Option<AppProfile>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<ProfileUpdate> {
        Payload::from_json(json).unwrap().parse()
    }

    #[test]
    fn numbers_and_key_order_of_a_profile_come_back_as_sent() {
        let sent = r#"{"z":1.0,"a":9007199254740993,"e":1e2,"n":-0}"#;
        let update = parse(&format!(r#"{{"appProfile":{sent}}}"#)).unwrap();
        assert_eq!(update.app_profile.unwrap().as_json(), sent);
    }

    #[test]
    fn a_wrong_type_names_the_field_and_not_the_value() {
        let error = parse(r#"{"username":70831}"#).unwrap_err();
        assert_eq!(error.details()["field"], "data.username");
        assert_eq!(error.details()["reason"], "must be a string");
        assert!(!error.to_string().contains("70831"));
    }

    #[test]
    fn a_profile_that_is_no_object_is_refused() {
        for bad in ["[]", "1", "\"x\"", "true"] {
            let error = parse(&format!(r#"{{"appProfile":{bad}}}"#)).unwrap_err();
            assert_eq!(error.details()["field"], "data.appProfile", "{bad}");
        }
    }

    #[test]
    fn names_are_bounded_and_hold_no_control_characters() {
        assert!(Username::parse("Härvey 🦊").is_some());
        assert!(Username::parse("").is_none());
        assert!(Username::parse("a\nb").is_none());
        assert!(Username::parse(&"x".repeat(129)).is_none());
    }
}
