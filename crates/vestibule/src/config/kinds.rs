//! Which adapter a provider's name on the wire implies.

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
