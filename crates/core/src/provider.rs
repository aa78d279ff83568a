//! The contract of an adapter.

use std::fmt;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::deps::{Call, Deps};
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;
use crate::operation::{Capabilities, Operation};
use crate::request::{
    Begin, ChangePassword, Check, Complete, ConfirmForgotPassword, Erase, ForgotPassword, Login,
    Logout, Profile, Redirect, Refresh, Register, Update, Vouch,
};

/// One configured identity provider: turns a typed request into an [`Identity`].
///
/// # Contract
/// The conformance kit tests these rules.
///
/// 1. An operation that [`Provider::capabilities`] does not declare answers
///    [`ErrorKind::Unsupported`], which is what every default does; a declared one never does.
/// 2. The same person always gets the same issuer and subject.
/// 3. A wrong password and an unknown user are both [`ErrorKind::InvalidCredential`].
/// 4. An upstream that is slow, down or wrong is [`ErrorKind::UpstreamTimeout`],
///    [`ErrorKind::UpstreamUnavailable`] or [`ErrorKind::UpstreamInvalid`]: never a login.
/// 5. No secret appears in `Debug` or in an error.
///
/// # Wrappers
/// A type that wraps a provider carries `#[deny(clippy::missing_trait_methods)]` on its `impl`,
/// so that it cannot forget a method that is added later.
///
/// # Example
/// ```
/// use async_trait::async_trait;
/// use serde::Deserialize;
/// use vestibule_core::request::Login;
/// use vestibule_core::*;
///
/// #[derive(Debug)]
/// struct MagicWord;
///
/// #[derive(Deserialize)]
/// struct Word { name: String, word: String }
///
/// #[async_trait]
/// impl Provider for MagicWord {
///     fn capabilities(&self) -> Capabilities {
///         Capabilities::none().offer(Operation::Login, Credential::None, [
///             Field::required("name", FieldKind::Text),
///             Field::required("word", FieldKind::Password),
///         ])
///     }
///
///     async fn login(&self, _call: &Call<'_>, request: Login) -> Result<Identity> {
///         let data: Word = request.payload.parse()?;
///         if data.word != "sesame" {
///             return Err(Error::new(ErrorKind::InvalidCredential));
///         }
///         let subject = Subject::parse(&data.name)
///             .ok_or_else(|| Error::field("data.name", "must be 1 to 255 characters"))?;
///         Ok(Identity::new(Issuer::new("magic-word"), subject))
///     }
/// }
/// ```
#[async_trait]
pub trait Provider: fmt::Debug + Send + Sync + 'static {
    /// What this provider offers, as it is configured. Constant for the life of the instance.
    fn capabilities(&self) -> Capabilities;

    /// Makes a user, or finds the one that the device already has.
    async fn register(&self, _call: &Call<'_>, _request: Register) -> Result<Identity> {
        refuse(Operation::Register)
    }

    /// Proves who the user is.
    async fn login(&self, _call: &Call<'_>, _request: Login) -> Result<Identity> {
        refuse(Operation::Login)
    }

    /// Exchanges a refresh token for fresh tokens.
    async fn refresh(&self, _call: &Call<'_>, _request: Refresh) -> Result<Identity> {
        refuse(Operation::Refresh)
    }

    /// Verifies an access token by itself: no upstream call on the hot path.
    async fn check(&self, _call: &Call<'_>, _request: Check) -> Result<Identity> {
        refuse(Operation::Check)
    }

    /// Fetches what is known about the user.
    async fn profile(&self, _call: &Call<'_>, _request: Profile) -> Result<Identity> {
        refuse(Operation::Profile)
    }

    /// Changes what is known about the user.
    async fn update(&self, _call: &Call<'_>, _request: Update) -> Result<Identity> {
        refuse(Operation::Update)
    }

    /// Asks the upstream whose token this is, and that it belongs to **this** app.
    async fn vouch(&self, _call: &Call<'_>, _request: Vouch) -> Result<Identity> {
        refuse(Operation::Vouch)
    }

    /// Ends the session.
    async fn logout(&self, _call: &Call<'_>, _request: Logout) -> Result<()> {
        refuse(Operation::Logout)
    }

    /// Replaces the password, knowing the old one.
    async fn change_password(
        &self,
        _call: &Call<'_>,
        _request: ChangePassword,
    ) -> Result<Identity> {
        refuse(Operation::ChangePassword)
    }

    /// Sends a code with which the password can be replaced. Known and unknown addresses get
    /// the same answer.
    async fn forgot_password(&self, _call: &Call<'_>, _request: ForgotPassword) -> Result<()> {
        refuse(Operation::ForgotPassword)
    }

    /// Replaces the password with that code.
    async fn confirm_forgot_password(
        &self,
        _call: &Call<'_>,
        _request: ConfirmForgotPassword,
    ) -> Result<()> {
        refuse(Operation::ConfirmForgotPassword)
    }

    /// Starts a login by redirect.
    async fn begin(&self, _call: &Call<'_>, _request: Begin) -> Result<Redirect> {
        refuse(Operation::Begin)
    }

    /// Finishes a login by redirect.
    async fn complete(&self, _call: &Call<'_>, _request: Complete) -> Result<Identity> {
        refuse(Operation::Complete)
    }

    /// Proves who the user is, and deletes the user upstream where the provider keeps one. The
    /// broker then erases its own records.
    async fn erase(&self, _call: &Call<'_>, _request: Erase) -> Result<Identity> {
        refuse(Operation::Erase)
    }
}

/// The settings of a kind of provider, and how one is built from them.
///
/// Derive `Deserialize` with `deny_unknown_fields`, so that a typo is an error at start, and
/// `JsonSchema`, so that editors complete the settings. A secret is a
/// [`SecretRef`](crate::SecretRef).
pub trait ProviderConfig: DeserializeOwned + JsonSchema + Send + 'static {
    /// The name of the kind in the configuration, for instance `cognito`.
    const KIND: &'static str;

    /// What it builds.
    type Provider: Provider;

    /// Checks the settings and builds the provider. Pure: no I/O but the resolution of secrets,
    /// so that a dead upstream never stops a start.
    ///
    /// # Errors
    /// [`ErrorKind::Misconfigured`] or [`Error::field`] with the setting's name.
    fn build(self, deps: Deps) -> Result<Self::Provider>;
}

fn refuse<T>(operation: Operation) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported).context("operation", operation.as_str()))
}
