//! Identifiers. Each is a newtype: two kinds of id can never be exchanged by mistake.
//!
//! A device id and an external id can act as credentials, so their `Debug` shows no more than
//! a prefix and they have no `Display`.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Parses a UUID in its canonical text form: 36 lower-case characters with hyphens.
///
/// Braces, `urn:uuid:`, upper case and the form without hyphens are refused, so that one id has
/// one spelling and never opens a second cache or limiter entry (RFC 9562 §4).
///
/// ```
/// use vestibule_core::ids::canonical_uuid;
/// assert!(canonical_uuid("5d5b0676-ce0f-4058-b2bf-49af49f61cb5").is_some());
/// assert!(canonical_uuid("5D5B0676-CE0F-4058-B2BF-49AF49F61CB5").is_none());
/// assert!(canonical_uuid("{5d5b0676-ce0f-4058-b2bf-49af49f61cb5}").is_none());
/// ```
#[must_use]
pub fn canonical_uuid(text: &str) -> Option<Uuid> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    hyphenated_uuid(text)
}

/// Parses the hyphenated form in either case: platforms hand out upper-case device ids.
fn hyphenated_uuid(text: &str) -> Option<Uuid> {
    if text.len() != 36 {
        return None;
    }
    Uuid::try_parse(text).ok()
}

/// A project: the tenant every other record belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectId(Uuid);

impl ProjectId {
    /// Wraps a UUID.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// Parses the canonical form; `None` for any other spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        canonical_uuid(text).map(Self)
    }

    /// The UUID itself.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

/// An account of a project: what the wire calls `userId`. A UUIDv7, minted by the broker.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Uuid);

impl UserId {
    /// Wraps a UUID.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// Parses the canonical form; `None` for any other spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        canonical_uuid(text).map(Self)
    }

    /// The UUID itself.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

macro_rules! plain_uuid_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| {
                    de::Error::invalid_value(
                        de::Unexpected::Other("text"),
                        &"a UUID in its lower-case hyphenated form",
                    )
                })
            }
        }
    )*};
}
plain_uuid_text!(ProjectId, UserId);

/// One install of an app. Whoever knows it can sign in as the guest of that install, so it is
/// a credential: `Debug` shows its first eight characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceId(Uuid);

impl DeviceId {
    /// How many characters of a device id may be shown to anybody but its own install.
    pub const SHOWN: usize = 8;

    /// Wraps a UUID.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// Parses the hyphenated form in either case; `None` for any other spelling, and for the nil
    /// and max UUIDs: a platform that hides its device ids hands the nil one to everybody, and
    /// all of them would be one guest.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hyphenated_uuid(text).filter(|id| !id.is_nil() && !id.is_max()).map(Self)
    }

    /// The UUID itself.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// The first eight characters: enough to tell devices apart, useless as a credential.
    #[must_use]
    pub fn shown(self) -> String {
        let mut text = self.0.to_string();
        text.truncate(Self::SHOWN);
        text
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({}…)", self.shown())
    }
}

impl Serialize for DeviceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| de::Error::invalid_value(de::Unexpected::Other("text"), &"a UUID"))
    }
}

/// The wire's `externalId`: names one identity within a project. For some providers it is the
/// only credential of a user, so `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
pub struct ExternalId(String);

impl ExternalId {
    /// The longest id that is accepted, in bytes.
    pub const MAX: usize = 255;

    /// Accepts any text of 1 to 255 bytes; `None` otherwise.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= Self::MAX).then(|| Self(text.to_owned()))
    }

    /// Renders 256 bits as 64 lower-case hexadecimal characters, the form that we emit.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(hex(bytes))
    }

    /// The id as text, for the answer to its owner. Never for a log.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExternalId(…)")
    }
}

impl<'de> Deserialize<'de> for ExternalId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Other("text"), &"1 to 255 characters")
        })
    }
}

/// One provider that a project's owner configured: its strategy and its name on the wire.
///
/// Both parts are names: 1 to 64 of `A-Z a-z 0-9 . _ -`. So the joined form, which the stores
/// use as part of a key, is unambiguous.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId {
    joined: Box<str>,
    split: usize,
}

impl InstanceId {
    /// Joins two names; `None` when either is not a name.
    ///
    /// ```
    /// use vestibule_core::InstanceId;
    /// let id = InstanceId::new("simplified", "anonymous").unwrap();
    /// assert_eq!(id.as_str(), "simplified/anonymous");
    /// assert!(InstanceId::new("simplified", "../admin").is_none());
    /// ```
    #[must_use]
    pub fn new(strategy: &str, provider: &str) -> Option<Self> {
        (is_name(strategy) && is_name(provider)).then(|| Self {
            joined: format!("{strategy}/{provider}").into(),
            split: strategy.len(),
        })
    }

    /// `strategy/provider`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.joined
    }

    /// The strategy, for instance `email`.
    #[must_use]
    pub fn strategy(&self) -> &str {
        self.joined.get(..self.split).unwrap_or_default()
    }

    /// The provider's name on the wire, for instance `awsCognito`.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.joined.get(self.split + 1..).unwrap_or_default()
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined)
    }
}

/// Whether a text may name a strategy, a provider or a kind: 1 to 64 of `A-Z a-z 0-9 . _ -`,
/// not starting with a dot.
#[must_use]
pub fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Names one request in the answer (`X-Request-Id`), in every log line and upstream.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Wraps a UUID.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Lower-case hexadecimal text of some bytes.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(DIGITS.get(usize::from(nibble)).copied().unwrap_or('0'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credential_like_ids_hide_in_debug() {
        let device = DeviceId::parse("789f64dc-750d-4260-afef-7937062048e3").unwrap();
        assert_eq!(format!("{device:?}"), "DeviceId(789f64dc…)");
        let external = ExternalId::parse("capability").unwrap();
        assert_eq!(format!("{external:?}"), "ExternalId(…)");
    }

    #[test]
    fn device_ids_of_either_case_are_one_device() {
        let lower = DeviceId::parse("789f64dc-750d-4260-afef-7937062048e3");
        assert_eq!(lower, DeviceId::parse("789F64DC-750D-4260-AFEF-7937062048E3"));
        assert_eq!(None, DeviceId::parse("789f64dc750d4260afef7937062048e3"));
        assert_eq!(None, DeviceId::parse("00000000-0000-0000-0000-000000000000"));
        assert_eq!(None, DeviceId::parse("ffffffff-ffff-ffff-ffff-ffffffffffff"));
        assert_eq!(None, DeviceId::parse("urn:uuid:789f64dc-750d-4260-afef-7937062048e3"));
    }

    #[test]
    fn instance_parts_come_back() {
        let id = InstanceId::new("email", "awsCognito").unwrap();
        assert_eq!((id.strategy(), id.provider()), ("email", "awsCognito"));
        assert!(InstanceId::new("", "x").is_none());
        assert!(InstanceId::new("a/b", "x").is_none());
    }

    #[test]
    fn hex_is_lower_case() {
        assert_eq!(hex(&[0x00, 0xab, 0xff]), "00abff");
    }
}
