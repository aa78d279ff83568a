//! Which adapter a provider's name on the wire implies.

use vestibule_core::Registry;

use crate::text::nearest;

/// Names that say their kind, so that a configuration need not.
pub(crate) const IMPLIED: &[(&str, &str)] = &[
    ("anonymous", "anonymous"),
    ("noLogin", "noLogin"),
    ("awsCognito", "cognito"),
    ("authZero", "auth0"),
    ("google", "google"),
    ("facebook", "facebook"),
    ("twitter", "twitter"),
    ("apple", "apple"),
    ("microsoft", "microsoft"),
    ("discord", "discord"),
    ("twitch", "twitch"),
    ("github", "github"),
    ("line", "line"),
];

/// The kind that a name implies, if it does.
pub(crate) fn implied(provider: &str) -> Option<&'static str> {
    IMPLIED.iter().find(|(name, _)| *name == provider).map(|(_, kind)| *kind)
}

/// The names that imply a kind.
pub(crate) fn names_of(kind: &str) -> Vec<&'static str> {
    IMPLIED.iter().filter(|(_, implied)| *implied == kind).map(|(name, _)| *name).collect()
}

/// The known name that a mistyped one is nearest to, among those whose adapter is here.
pub(crate) fn nearest_name(name: &str, registry: &Registry) -> Option<&'static str> {
    let here = IMPLIED.iter().filter(|(_, kind)| registry.kinds().any(|known| known == *kind));
    nearest(name, here.map(|(name, _)| *name).chain(registry.kinds()))
}

/// The kind that has to stand beside a provider's name, if the name does not say it.
///
/// # Errors
/// There is no adapter for this name, in words for the operator.
pub(crate) fn kind_to_write(
    name: &str,
    registry: &Registry,
) -> Result<Option<&'static str>, String> {
    let here = |kind: &str| registry.kinds().find(|known| *known == kind);
    if let Some(kind) = implied(name) {
        if here(kind).is_some() {
            return Ok(None);
        }
    } else if let Some(kind) = here(name) {
        return Ok(Some(kind));
    }
    let mut text = format!("no adapter for a provider \"{name}\"\n    help: ");
    if let Some(best) = nearest_name(name, registry) {
        text.push_str(&format!("did you mean \"{best}\"? "));
    }
    let known: Vec<&str> = registry.kinds().collect();
    text.push_str(&format!("this build knows {}", known.join(", ")));
    Err(text)
}
