//! What each operation is asked with: one struct an operation.
//!
//! The structs may gain fields in a minor release, so they are made with `new`.

use secrecy::SecretString;

use crate::ids::DeviceId;
use crate::payload::Payload;

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$fdoc])* pub $field: $type,)*
        }

        impl $name {
            /// Puts the request together.
            #[must_use]
            pub fn new($($field: $type),*) -> Self {
                Self { $($field),* }
            }
        }
    )*};
}

requests! {
    /// Make a user, or find the one that the device already has.
    Register {
        /// The install that asks; minted by the broker when the client sent none.
        device_id: DeviceId,
        /// What the client sent.
        payload: Payload,
    }
    /// Prove who the user is.
    Login {
        /// The install that asks, where it said so.
        device_id: Option<DeviceId>,
        /// What the client sent.
        payload: Payload,
    }
    /// Exchange a refresh token.
    Refresh {
        /// The install that asks.
        device_id: DeviceId,
        /// The provider's refresh token.
        refresh_token: SecretString,
    }
    /// Verify an access token without asking the upstream.
    Check {
        /// The token.
        access_token: SecretString,
    }
    /// Fetch what is known about the user.
    Profile {
        /// The token, where the offer says [`crate::Credential::Bearer`].
        access_token: Option<SecretString>,
    }
    /// Change what is known about the user.
    Update {
        /// The token, where the offer says [`crate::Credential::Bearer`].
        access_token: Option<SecretString>,
        /// What the client sent.
        payload: Payload,
    }
    /// Ask the upstream whose token this is.
    Vouch {
        /// The token: `accessToken` if given, else the bearer.
        access_token: SecretString,
    }
    /// End the session.
    Logout {
        /// The token.
        access_token: SecretString,
    }
    /// Replace the password, knowing the old one.
    ChangePassword {
        /// The token.
        access_token: SecretString,
        /// What the client sent.
        payload: Payload,
    }
    /// Send a code with which the password can be replaced.
    ForgotPassword {
        /// What the client sent.
        payload: Payload,
    }
    /// Replace the password with that code.
    ConfirmForgotPassword {
        /// What the client sent.
        payload: Payload,
    }
    /// Start a login by redirect.
    Begin {
        /// Where the upstream must send the browser back to.
        redirect_uri: String,
    }
    /// Finish a login by redirect.
    Complete {
        /// What [`Begin`] asked to be kept.
        state: crate::identity::AdapterData,
        /// The parameters of the callback, in their order.
        parameters: Vec<(String, String)>,
    }
    /// Delete the user.
    Erase {
        /// The token, where the offer says [`crate::Credential::Bearer`].
        access_token: Option<SecretString>,
        /// What the client sent.
        payload: Payload,
    }
}

/// Where a login by redirect starts, and what the adapter wants back when it ends.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Redirect {
    /// Where to send the browser.
    pub url: String,
    /// Opaque to the broker; handed to [`Complete`] once and to nobody else.
    pub state: crate::identity::AdapterData,
}

impl Redirect {
    /// Puts the answer together.
    #[must_use]
    pub fn new(url: String, state: crate::identity::AdapterData) -> Self {
        Self { url, state }
    }
}
