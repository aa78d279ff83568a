//! Which kinds of provider a broker can build: an explicit value, no global.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::deps::Deps;
use crate::error::{Error, ErrorKind, Result};
use crate::provider::{Provider, ProviderConfig};

type Build = dyn Fn(Value, Deps) -> Result<Arc<dyn Provider>> + Send + Sync;

struct Kind {
    build: Box<Build>,
    schema: fn() -> Value,
}

/// The kinds of provider that a configuration may name.
///
/// A third party adds its own in a `main` of a few lines; nothing in the broker changes. See
/// `examples/embedded-broker`.
#[derive(Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, Kind>,
}

impl Registry {
    /// Adds a kind, replacing one of the same name.
    #[must_use]
    pub fn with<C: ProviderConfig>(mut self) -> Self {
        let build = |settings: Value, deps: Deps| {
            let config: C = serde_path_to_error::deserialize(settings).map_err(|error| {
                let path = error.path().to_string();
                let path = if path == "." { String::new() } else { path };
                Error::new(ErrorKind::Misconfigured)
                    .detail("field", path)
                    .detail("reason", error.into_inner().to_string())
            })?;
            config.build(deps).map(|provider| Arc::new(provider) as Arc<dyn Provider>)
        };
        let schema = || schemars::schema_for!(C).to_value();
        self.kinds.insert(C::KIND, Kind { build: Box::new(build), schema });
        self
    }

    /// Builds a provider of a kind from its settings.
    ///
    /// # Errors
    /// [`ErrorKind::Misconfigured`], with the setting's path as `field` where one is wrong, and
    /// with the list of kinds where the kind is unknown.
    pub fn build(&self, kind: &str, settings: Value, deps: Deps) -> Result<Arc<dyn Provider>> {
        match self.kinds.get(kind) {
            Some(found) => (found.build)(settings, deps),
            None => Err(Error::new(ErrorKind::Misconfigured).detail(
                "reason",
                format!(
                    "no adapter of kind `{kind}`; this build knows {}",
                    self.kinds().collect::<Vec<_>>().join(", ")
                ),
            )),
        }
    }

    /// The names of the kinds, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.keys().copied()
    }

    /// The JSON Schema of a kind's settings.
    #[must_use]
    pub fn schema(&self, kind: &str) -> Option<Value> {
        self.kinds.get(kind).map(|found| (found.schema)())
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
}
