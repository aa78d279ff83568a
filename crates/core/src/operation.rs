//! The operations of a provider, and how an adapter declares which of them it offers.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::payload::Payload;

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// One thing that a provider can be asked. One method of [`crate::Provider`] each.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Operation {
            $($(#[$doc])* $name,)*
        }

        impl Operation {
            /// Every operation, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in answers, metrics and logs.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

operations! {
    /// Make a user, or find the one that the device already has.
    Register = "register",
    /// Prove who the user is.
    Login = "login",
    /// Exchange a refresh token for fresh tokens.
    Refresh = "refresh",
    /// Verify an access token without asking the upstream.
    Check = "check",
    /// Fetch what is known about the user.
    Profile = "profile",
    /// Change what is known about the user.
    Update = "update",
    /// Ask the upstream whose token this is, where only it can tell.
    Vouch = "vouch",
    /// End the session.
    Logout = "logout",
    /// Replace the password, knowing the old one.
    ChangePassword = "changePassword",
    /// Send a code with which the password can be replaced.
    ForgotPassword = "forgotPassword",
    /// Replace the password with that code.
    ConfirmForgotPassword = "confirmForgotPassword",
    /// Start a login by redirect.
    Begin = "begin",
    /// Finish a login by redirect.
    Complete = "complete",
    /// Delete the user.
    Erase = "erase",
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the caller must show for an operation. The broker demands it before the adapter is
/// called, and hands it over typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Credential {
    /// Nothing, or something inside `data` that the adapter itself examines.
    None,
    /// `Authorization: Bearer` with a token of the provider or of the broker.
    Bearer,
    /// The external id alone: a capability, in `X-External-Id` or as the contract places it.
    ExternalId,
    /// External id and device id, both in `data`.
    Device,
}

/// What kind of value a form field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum FieldKind {
    /// Any text.
    Text,
    /// A UUID.
    Uuid,
    /// An e-mail address.
    Email,
    /// A password: never shown, never logged.
    Password,
    /// A JSON object.
    Object,
}

/// One field of an operation's `data`, so that an app can build its form from the answer of
/// `GET /v1/projects/{projectId}/providers`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// The key inside `data`.
    pub name: String,
    /// What it takes.
    #[serde(rename = "type")]
    pub kind: FieldKind,
    /// Whether the operation is refused without it.
    pub required: bool,
}

impl FieldKind {
    /// What a value of another form is told.
    fn expected(self) -> &'static str {
        match self {
            Self::Uuid => "must be a UUID",
            Self::Object => "must be a JSON object",
            Self::Text | Self::Email | Self::Password => "must be a string",
        }
    }

    fn accepts(self, value: &serde_json::Value) -> bool {
        match self {
            Self::Uuid => value.as_str().is_some_and(|text| crate::DeviceId::parse(text).is_some()),
            Self::Object => value.is_object(),
            Self::Text | Self::Email | Self::Password => value.is_string(),
        }
    }
}

impl Offer {
    /// Refuses a payload that lacks a required field or holds one in another form. What this
    /// does not see, such as the length of a name, is for the adapter to check.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidField`], naming the field.
    pub fn check(&self, payload: &Payload) -> Result<()> {
        let given: BTreeMap<String, serde_json::Value> = payload.parse()?;
        for field in &self.fields {
            let place = || format!("data.{}", field.name);
            match given.get(&field.name).filter(|value| !value.is_null()) {
                None if field.required => return Err(Error::field(place(), "is required")),
                Some(value) if !field.kind.accepts(value) => {
                    return Err(Error::field(place(), field.kind.expected()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Field {
    /// A field that must be given.
    #[must_use]
    pub fn required(name: impl Into<String>, kind: FieldKind) -> Self {
        Self { name: name.into(), kind, required: true }
    }

    /// A field that may be left out.
    #[must_use]
    pub fn optional(name: impl Into<String>, kind: FieldKind) -> Self {
        Self { name: name.into(), kind, required: false }
    }
}

/// One operation that a provider offers, with what the caller must bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Which operation.
    pub operation: Operation,
    /// What the caller must show.
    pub credential: Credential,
    /// What `data` takes.
    pub fields: Vec<Field>,
}

/// What a provider declares to offer. The broker refuses everything else before the call, and
/// the conformance kit checks both directions.
///
/// ```
/// use vestibule_core::{Capabilities, Credential, Field, FieldKind, Operation};
/// let offers = Capabilities::none()
///     .offer(Operation::Login, Credential::None, [Field::required("word", FieldKind::Text)])
///     .offer(Operation::Profile, Credential::Bearer, []);
/// assert!(offers.get(Operation::Login).is_some());
/// assert!(offers.get(Operation::Refresh).is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(Vec<Offer>);

impl Capabilities {
    /// Offers nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds an operation, or replaces what was said of it before.
    #[must_use]
    pub fn offer(
        mut self,
        operation: Operation,
        credential: Credential,
        fields: impl IntoIterator<Item = Field>,
    ) -> Self {
        self.0.retain(|offer| offer.operation != operation);
        let fields = fields.into_iter().collect();
        self.0.push(Offer { operation, credential, fields });
        self
    }

    /// The offer of an operation, if declared.
    #[must_use]
    pub fn get(&self, operation: Operation) -> Option<&Offer> {
        self.0.iter().find(|offer| offer.operation == operation)
    }

    /// All offers, in the order of declaration.
    pub fn iter(&self) -> impl Iterator<Item = &Offer> {
        self.0.iter()
    }
}
