//! What a project's providers offer, for apps that build their forms from it.

use serde::Serialize;
use vestibule_core::{Capabilities, Credential, Field, InstanceId, Operation};

use crate::render::{Rendered, plain};

#[derive(Serialize)]
struct Data<'a> {
    providers: Vec<Provider<'a>>,
}

#[derive(Serialize)]
struct Provider<'a> {
    strategy: &'a str,
    provider: &'a str,
    operations: Vec<Offered<'a>>,
}

#[derive(Serialize)]
struct Offered<'a> {
    operation: &'static str,
    method: &'static str,
    path: &'static str,
    credential: Credential,
    fields: &'a [Field],
}

/// Renders the list.
pub fn providers<'a>(listed: impl Iterator<Item = (&'a InstanceId, &'a Capabilities)>) -> Rendered {
    let providers = listed
        .map(|(id, capabilities)| Provider {
            strategy: id.strategy(),
            provider: id.provider(),
            operations: capabilities.iter().filter_map(offered).collect(),
        })
        .collect();
    plain(&Data { providers })
}

fn offered(offer: &vestibule_core::Offer) -> Option<Offered<'_>> {
    let (method, path) = place(offer.operation)?;
    Some(Offered {
        operation: offer.operation.as_str(),
        method,
        path,
        credential: offer.credential,
        fields: &offer.fields,
    })
}

/// Method and path of an operation; `None` for one that has no route of its own.
#[must_use]
pub const fn place(operation: Operation) -> Option<(&'static str, &'static str)> {
    Some(match operation {
        Operation::Register => ("POST", "/v1/user"),
        Operation::Profile => ("GET", "/v1/user"),
        Operation::Update => ("PUT", "/v1/user"),
        Operation::Erase => ("DELETE", "/v1/user"),
        Operation::Login => ("PUT", "/v1/user/login"),
        Operation::Refresh => ("POST", "/v1/user/refresh"),
        Operation::Logout => ("POST", "/v1/user/logout"),
        Operation::Check => ("GET", "/v1/user/check"),
        Operation::Vouch => ("GET", "/v1/user/check/nonstandard"),
        Operation::ChangePassword => ("PUT", "/v1/user/change-password"),
        Operation::ForgotPassword => ("PUT", "/v1/user/forgot-password"),
        Operation::ConfirmForgotPassword => ("POST", "/v1/user/confirm-forgot-password"),
        _ => return None,
    })
}
