//! What the broker answers, before it has a form on the wire.

use crate::identity::{Attributes, Tokens};
use crate::ids::{DeviceId, ExternalId, UserId};
use crate::payload::{AppProfile, Username};
use crate::ports::Timestamp;

/// The outcome of an operation.
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// The user is signed in.
    Session(Box<Session>),
    /// What is known about the user.
    Profile(Box<ProfileView>),
    /// The user's record was changed; this is how it stands now.
    Updated(Box<ProfileView>),
    /// The user is erased.
    Erased(UserId),
    /// Done, and nothing to say.
    Done,
}

/// A signed-in user on a device.
#[derive(Debug)]
pub struct Session {
    /// The install.
    pub device_id: DeviceId,
    /// When the answer was made; what `signature` covers.
    pub time_stamp: Timestamp,
    /// Upper-case hexadecimal MAC over `userId,timeStamp`.
    pub signature: String,
    /// The identity's name on the wire.
    pub external_id: ExternalId,
    /// The account.
    pub user_id: UserId,
    /// When the account was made.
    pub sign_up: Timestamp,
    /// The name that is kept on the account.
    pub username: Option<Username>,
    /// What the upstream issued.
    pub tokens: Option<Tokens>,
    /// For a registration: whether the account is new.
    pub is_new: Option<bool>,
}

/// What is known about a user.
#[derive(Debug)]
pub struct ProfileView {
    /// The account.
    pub user_id: UserId,
    /// The identity's name on the wire, where the request or the identity gives it.
    pub external_id: ExternalId,
    /// The name that is kept on the account.
    pub username: Option<Username>,
    /// The app's own object.
    pub app_profile: AppProfile,
    /// The last login times, oldest first.
    pub logins: Vec<Timestamp>,
    /// When the record last changed.
    pub updated_at: Timestamp,
    /// What the provider says about the user.
    pub attributes: Attributes,
    /// The account's devices; filled where the operation shows them.
    pub devices: Vec<DeviceView>,
}

/// One device of a user. Only the calling device is whole.
#[derive(Debug)]
pub enum DeviceView {
    /// The device that asks.
    Own {
        /// Its id, as the caller sent it.
        device_id: DeviceId,
        /// When it first signed in.
        sign_up: Timestamp,
        /// When it last signed in.
        last_login: Timestamp,
        /// When the answer was made.
        time_stamp: Timestamp,
        /// Upper-case hexadecimal MAC over `userId,timeStamp`.
        signature: String,
    },
    /// Another device: a device id is a credential, so its first eight characters only.
    Other {
        /// The first eight characters.
        shown: String,
        /// When it first signed in.
        sign_up: Timestamp,
        /// When it last signed in.
        last_login: Timestamp,
    },
}
