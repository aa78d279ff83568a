//! `vestibule config`.

use std::path::Path;
use std::sync::Arc;

use vestibule_core::{Registry, Secrets};

use super::complain;
use crate::config::Loader;
use crate::ports::FileEnvSecrets;
use crate::serve::list_of;

/// Checks a file; answers a summary, or everything that is wrong.
pub(super) fn check(registry: Registry, file: &Path) -> Result<String, String> {
    let secrets: Arc<dyn Secrets> = Arc::new(FileEnvSecrets);
    let loader = Loader::of_process(registry, secrets);
    let loaded = loader.load(file).map_err(|rejected| list_of(&rejected.problems))?;
    if !loaded.warnings.is_empty() {
        complain(&list_of(&loaded.warnings));
    }
    Ok(format!(
        "ok: {}, {}\n",
        counted(loaded.specs.len(), "project"),
        counted(loaded.providers(), "provider"),
    ))
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
