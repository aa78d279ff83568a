//! The closed list of messages. Every one is safe to show to a player; clients branch on codes.

use vestibule_core::{ErrorKind, Operation};

/// The message of a success.
#[must_use]
pub const fn success(operation: Operation, created: bool) -> &'static str {
    match operation {
        Operation::Register if created => "User is Correctly Created",
        Operation::Update => "User is Correctly Updated",
        Operation::ChangePassword => "password has been updated",
        Operation::ForgotPassword => "please check your email",
        Operation::ConfirmForgotPassword => "password has been reset",
        Operation::Refresh => "token refreshed",
        Operation::Logout => "user logged out",
        Operation::Erase => "user deleted",
        _ => "OK",
    }
}

/// The message of a failure.
#[must_use]
pub const fn failure(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Malformed => "the request is malformed",
        ErrorKind::InvalidField => "a field is missing or invalid",
        ErrorKind::TooLarge | ErrorKind::HeadTooLarge => "the request is too large",
        ErrorKind::UnsupportedMediaType => "the body must be JSON in UTF-8",
        ErrorKind::UnknownPath => "there is nothing here",
        ErrorKind::MethodNotAllowed => "the method is not allowed here",
        ErrorKind::UnknownProject => "the project is not known",
        ErrorKind::OriginNotAllowed => "this website may not call the project",
        ErrorKind::UnknownProvider => "the provider is not configured for this project",
        ErrorKind::Unsupported => "the provider does not support this operation",
        ErrorKind::RateLimited | ErrorKind::UpstreamThrottled => {
            "too many requests, please try again later"
        }
        ErrorKind::MissingCredential => "please sign in",
        ErrorKind::InvalidCredential => "the credentials are not valid",
        ErrorKind::Forbidden => "this is not allowed",
        ErrorKind::UnknownUser => "the user is not known",
        ErrorKind::AlreadyRegistered => "the device is already registered",
        ErrorKind::Conflict => "the record changed in between, please try again",
        ErrorKind::PasswordPolicy => "the password does not meet the requirements",
        ErrorKind::CodeMismatch => "the code is not correct",
        ErrorKind::CodeExpired => "the code has expired",
        ErrorKind::ConfirmationRequired => "please confirm your registration first",
        ErrorKind::ChallengeRequired => "a further step is required",
        ErrorKind::UpstreamInvalid
        | ErrorKind::UpstreamUnavailable
        | ErrorKind::UpstreamTimeout
        | ErrorKind::Misconfigured => "sign-in with this provider does not work at the moment",
        ErrorKind::Overloaded | ErrorKind::StoreUnavailable | ErrorKind::Timeout => {
            "the service is busy, please try again later"
        }
        _ => "something went wrong",
    }
}
