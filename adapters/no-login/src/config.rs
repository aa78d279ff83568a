//! The settings of the provider: none.

use schemars::JsonSchema;
use serde::Deserialize;
use vestibule_core::{Deps, ProviderConfig, Result};

use crate::provider::NoLogin;

/// Settings of the kind `noLogin`: none.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoLoginConfig {}

impl ProviderConfig for NoLoginConfig {
    const KIND: &'static str = "noLogin";
    type Provider = NoLogin;

    fn build(self, deps: Deps) -> Result<NoLogin> {
        Ok(NoLogin::new(deps.entropy))
    }
}
