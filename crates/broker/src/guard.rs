//! What `data` may not hold, whatever the provider.

use vestibule_core::{Error, ErrorKind, Offer, Payload, Result};

/// Names that say who somebody is or what somebody may do. A client that could set one would
/// decide its own trust, so each is refused by name instead of being ignored, unless the
/// operation itself takes it.
const PROTECTED: &[&str] = &[
    "admin",
    "createdAt",
    "created_at",
    "devices",
    "email_verified",
    "emailVerified",
    "externalId",
    "external_id",
    "groups",
    "id",
    "isAdmin",
    "isNew",
    "is_admin",
    "loginHistory",
    "permissions",
    "phoneNumberVerified",
    "phone_number_verified",
    "projectId",
    "project_id",
    "role",
    "roles",
    "signUp",
    "signature",
    "signup",
    "status",
    "sub",
    "timeStamp",
    "updatedAt",
    "userId",
    "user_id",
    "username_verified",
];

/// Keys of `appProfile` that begin so are reserved for what servers write about a user.
const SERVER_NAMESPACE: &str = "server:";

/// Refuses protected names and the reserved namespace.
pub(crate) fn data(offer: &Offer, payload: &Payload) -> Result<()> {
    for name in payload.names()? {
        let declared = offer.fields.iter().any(|field| field.name == name);
        if !declared && PROTECTED.contains(&name.as_str()) {
            let reason = "is decided by the broker and cannot be set";
            return Err(Error::field(format!("data.{name}"), reason));
        }
        if name == "appProfile" {
            profile(payload)?;
        }
    }
    Ok(())
}

fn profile(payload: &Payload) -> Result<()> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Holder {
        app_profile: Option<vestibule_core::AppProfile>,
    }
    let holder: Holder = payload.parse()?;
    let Some(profile) = holder.app_profile else {
        return Ok(());
    };
    let Some(profile) = Payload::from_json(profile.as_json()) else {
        return Ok(());
    };
    match profile.names()?.into_iter().find(|name| name.starts_with(SERVER_NAMESPACE)) {
        None => Ok(()),
        Some(_) => Err(Error::new(ErrorKind::Forbidden)
            .detail("field", "data.appProfile")
            .detail("reason", "keys that begin with `server:` are reserved for servers")),
    }
}
