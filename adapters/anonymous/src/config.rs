//! The settings of a guest provider.

use schemars::JsonSchema;
use serde::Deserialize;
use vestibule_core::{Deps, ProviderConfig, Result};

use crate::provider::Anonymous;

/// Settings of the kind `anonymous`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AnonymousConfig {
    /// What registering a known device does.
    #[serde(default)]
    pub reclaim: Reclaim,
}

/// What registering a known device does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reclaim {
    /// It signs the guest of the device in again.
    #[default]
    Device,
    /// It is refused.
    Never,
}

impl ProviderConfig for AnonymousConfig {
    const KIND: &'static str = "anonymous";
    type Provider = Anonymous;

    fn build(self, _: Deps) -> Result<Anonymous> {
        Ok(Anonymous::new(self.reclaim))
    }
}
