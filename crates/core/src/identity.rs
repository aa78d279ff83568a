//! What an adapter answers: who the user is.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest;
use secrecy::SecretString;

use crate::ids::hex;
use crate::payload::{AppProfile, Username};

/// Who vouches for the subject: an issuer URL, or a fixed name where the provider has none.
/// Part of the identity key, so it never changes for a provider instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Issuer(String);

impl Issuer {
    /// Wraps the issuer's exact text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who the user is to the issuer: stable for ever, unique within the issuer. Never an e-mail
/// address, never anything that a mapping rule or a profile edit can change.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(String);

impl Subject {
    /// The longest subject, in bytes (OpenID Connect Core §2 has 255).
    pub const MAX: usize = 255;

    /// Wraps a subject; `None` when it is empty, longer than 255 bytes or holds a control
    /// character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        ((1..=Self::MAX).contains(&text.len()) && !text.chars().any(char::is_control))
            .then(|| Self(text.to_owned()))
    }

    /// A subject made of secrets: the hexadecimal SHA-256 of the parts, each preceded by its
    /// length, so that ("ab","c") and ("a","bc") differ and the store holds no part in clear.
    ///
    /// ```
    /// use vestibule_core::Subject;
    /// assert_ne!(Subject::digest(&[b"ab", b"c"]), Subject::digest(&[b"a", b"bc"]));
    /// ```
    #[must_use]
    pub fn digest(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        Self(hex(context.finish().as_ref()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subject(…)")
    }
}

/// What the provider says about the user, by the provider's own names. For show, never for a
/// decision: no attribute ever links or merges anything.
pub type Attributes = BTreeMap<String, serde_json::Value>;

/// Tokens that the upstream issued for this login.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Tokens {
    /// The access token.
    pub access: SecretString,
    /// The OIDC ID token; `None` where the provider gives none.
    pub id: Option<SecretString>,
    /// The refresh token; `None` where the provider gives none.
    pub refresh: Option<SecretString>,
}

impl Tokens {
    /// An access token alone.
    #[must_use]
    pub fn new(access: SecretString) -> Self {
        Self { access, id: None, refresh: None }
    }
}

/// What an adapter needs to remember about an identity, in its own format. The broker keeps it
/// encrypted, hands it back in [`crate::KnownIdentity`], and never returns it to a caller.
#[derive(Clone, PartialEq, Eq)]
pub struct AdapterData(Vec<u8>);

impl AdapterData {
    /// Wraps bytes of the adapter's own format.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for AdapterData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdapterData({} bytes)", self.0.len())
    }
}

/// How the broker names the identity on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExternalIdRule {
    /// Derived from the identity with the project's key: the same at every login.
    #[default]
    Derived,
    /// 256 random bits, minted once: for a provider whose external id is the credential.
    Random,
}

/// What the broker does when the identity is already registered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// Sign in to the account that it has.
    #[default]
    SignIn,
    /// Refuse with [`crate::ErrorKind::AlreadyRegistered`].
    Refuse,
}

/// An adapter's answer to *who is this?*
///
/// ```
/// use vestibule_core::{Identity, Issuer, Subject};
/// let identity = Identity::new(Issuer::new("https://login.acme.example"), Subject::parse("42").unwrap())
///     .attribute("nickname", "Harvey");
/// assert_eq!(identity.attributes["nickname"], "Harvey");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Identity {
    /// Who vouches.
    pub issuer: Issuer,
    /// For whom.
    pub subject: Subject,
    /// What the provider says about the user.
    pub attributes: Attributes,
    /// What the upstream issued, for the app.
    pub tokens: Option<Tokens>,
    /// A name to keep on the account; `None` leaves what is there.
    pub username: Option<Username>,
    /// An app profile to keep on the account; `None` leaves what is there.
    pub app_profile: Option<AppProfile>,
    /// What the adapter wants to be handed back; `None` leaves what is there.
    pub adapter_data: Option<AdapterData>,
    /// How the identity is named on the wire, at its first registration.
    pub external_id: ExternalIdRule,
    /// What to do when it is registered already.
    pub existing: Existing,
}

impl Identity {
    /// Says who, and nothing else.
    #[must_use]
    pub fn new(issuer: Issuer, subject: Subject) -> Self {
        Self {
            issuer,
            subject,
            attributes: Attributes::new(),
            tokens: None,
            username: None,
            app_profile: None,
            adapter_data: None,
            external_id: ExternalIdRule::default(),
            existing: Existing::default(),
        }
    }

    /// Adds something that the provider says about the user.
    #[must_use]
    pub fn attribute(
        mut self,
        name: impl Into<String>,
        value: impl Into<serde_json::Value>,
    ) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Adds what the upstream issued.
    #[must_use]
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Asks the broker to keep a name, where one is given.
    #[must_use]
    pub fn username(mut self, username: Option<Username>) -> Self {
        self.username = username;
        self
    }

    /// Asks the broker to keep an app profile, where one is given.
    #[must_use]
    pub fn app_profile(mut self, profile: Option<AppProfile>) -> Self {
        self.app_profile = profile;
        self
    }

    /// Asks the broker to remember something for the adapter.
    #[must_use]
    pub fn adapter_data(mut self, data: AdapterData) -> Self {
        self.adapter_data = Some(data);
        self
    }

    /// Chooses how the identity is named on the wire.
    #[must_use]
    pub fn external_id(mut self, rule: ExternalIdRule) -> Self {
        self.external_id = rule;
        self
    }

    /// Chooses what happens when the identity is registered already.
    #[must_use]
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_bounded() {
        assert!(Subject::parse("").is_none());
        assert!(Subject::parse(&"x".repeat(256)).is_none());
        assert!(Subject::parse("a\0b").is_none());
        assert!(Subject::parse("auth0|42").is_some());
    }

    #[test]
    fn p05_parts_of_a_digest_cannot_be_shifted() {
        assert_ne!(Subject::digest(&[b"ab", b"c"]), Subject::digest(&[b"a", b"bc"]));
        assert_ne!(Subject::digest(&[b"ab"]), Subject::digest(&[b"ab", b""]));
        let long = [b'x'; 80];
        let longer = [b'x'; 81];
        assert_ne!(Subject::digest(&[&long]), Subject::digest(&[&longer]));
    }
}
