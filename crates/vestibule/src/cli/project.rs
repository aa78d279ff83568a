//! `vestibule project`.

use std::fmt::Write as _;

use clap::Args;
use vestibule_core::ids::is_name;
use vestibule_core::{Entropy, Registry};

use crate::config::{kind_to_write, origin};
use crate::text::is_unsafe;

/// What a new project is like.
#[derive(Debug, Args)]
pub(super) struct New {
    /// Its name, for people.
    #[arg(long, default_value = "my game", value_parser = one_line)]
    name: String,

    /// A web origin that may call, for instance https://game.example. May be given repeatedly.
    #[arg(long, value_name = "ORIGIN", value_parser = web_origin)]
    origin: Vec<String>,

    /// The strategy of its providers, as apps send it.
    #[arg(long, default_value = "simplified", value_parser = name)]
    strategy: String,

    /// A provider, by the name that apps send. May be given repeatedly.
    #[arg(
        long,
        value_name = "NAME",
        default_values = ["anonymous", "noLogin"],
        value_parser = name
    )]
    provider: Vec<String>,

    /// Print a file for the directory of [projects] instead of a block of the main file.
    #[arg(long)]
    file: bool,
}

impl New {
    /// The project as TOML.
    ///
    /// # Errors
    /// The broker would refuse it, in words for the operator.
    pub(super) fn print(
        &self,
        entropy: &dyn Entropy,
        registry: &Registry,
    ) -> Result<String, String> {
        let mut providers: Vec<(&str, Option<&str>)> = Vec::with_capacity(self.provider.len());
        for provider in &self.provider {
            if providers.iter().any(|(known, _)| *known == provider.as_str()) {
                return Err(format!("--provider {provider} is given twice"));
            }
            let kind = kind_to_write(provider, registry)
                .map_err(|error| format!("--provider {provider}: {error}"))?;
            providers.push((provider.as_str(), kind));
        }
        let mut text = String::new();
        self.write(entropy, &providers, &mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    fn write(
        &self,
        entropy: &dyn Entropy,
        providers: &[(&str, Option<&str>)],
        out: &mut String,
    ) -> std::fmt::Result {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        let table = if self.file { "" } else { "project." };
        let origins: toml_edit::Array = self.origin.iter().map(String::as_str).collect();
        if !self.file {
            writeln!(out, "\n[[project]]")?;
        }
        writeln!(out, "# The projectId that apps send. It stays the same for good.")?;
        writeln!(out, "id = \"{id}\"")?;
        writeln!(out, "# For people; no app sees it.")?;
        writeln!(out, "name = {}", quoted(&self.name))?;
        writeln!(out, "# Web pages that may call, exactly as browsers send them in `Origin`.")?;
        writeln!(out, "# Apps that are no web pages need no entry.")?;
        writeln!(out, "origins = {}", toml_edit::Value::from(origins))?;
        writeln!(out, "# Left out: a key is made and kept in the store.")?;
        writeln!(
            out,
            "# signature = {{ algorithm = \"hmac-sha256\", key = \"env:SIGNING_KEY\" }}"
        )?;
        for (provider, kind) in providers {
            writeln!(out, "\n[[{table}provider]]")?;
            writeln!(out, "strategy = {}", quoted(&self.strategy))?;
            writeln!(out, "provider = {}", quoted(provider))?;
            if let Some(kind) = kind {
                writeln!(out, "kind = {}", quoted(kind))?;
            }
            if *provider == "anonymous" {
                writeln!(out, "[{table}provider.settings]")?;
                writeln!(
                    out,
                    "# Registering a known device: \"device\" signs its guest in again,"
                )?;
                writeln!(out, "# \"never\" refuses.")?;
                writeln!(out, "reclaim = \"device\"")?;
            }
        }
        Ok(())
    }
}

fn quoted(text: &str) -> toml_edit::Value {
    toml_edit::Value::from(text)
}

fn one_line(text: &str) -> Result<String, String> {
    if text.chars().any(is_unsafe) {
        return Err("must not hold line breaks or other control characters".into());
    }
    Ok(text.to_owned())
}

fn web_origin(text: &str) -> Result<String, String> {
    origin(text).map_err(|expected| format!("must be {expected}"))?;
    Ok(text.to_owned())
}

fn name(text: &str) -> Result<String, String> {
    if !is_name(text) {
        return Err("must be 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot".into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::OsEntropy;

    fn new(file: bool) -> New {
        New {
            name: "studio".into(),
            origin: vec!["https://game.example".into()],
            strategy: "simplified".into(),
            provider: vec!["noLogin".into()],
            file,
        }
    }

    #[test]
    fn a_block_and_a_file_differ_in_their_tables_only() {
        let block = new(false).print(&OsEntropy, &crate::builtins()).unwrap();
        assert!(block.contains("[[project.provider]]"), "{block}");
        assert!(block.contains("origins = [\"https://game.example\"]"), "{block}");
        let file = new(true).print(&OsEntropy, &crate::builtins()).unwrap();
        assert!(file.contains("\n[[provider]]"), "{file}");
        assert!(!file.contains("project]]"), "{file}");
    }

    #[test]
    fn two_projects_have_two_ids() {
        let registry = crate::builtins();
        assert_ne!(
            new(false).print(&OsEntropy, &registry),
            new(false).print(&OsEntropy, &registry)
        );
    }

    #[test]
    fn a_provider_without_an_adapter_is_refused_with_the_nearest() {
        for (wrong, expected) in [
            ("Anonymous", "did you mean \"anonymous\"?"),
            ("nologin", "did you mean \"noLogin\"?"),
            ("awsCognito", "this build knows anonymous, noLogin"),
        ] {
            let new = New { provider: vec![wrong.into()], ..new(false) };
            let error = new.print(&OsEntropy, &crate::builtins()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let twice = New { provider: vec!["noLogin".into(), "noLogin".into()], ..new(false) };
        assert!(twice.print(&OsEntropy, &crate::builtins()).is_err());
    }

    #[test]
    fn an_origin_is_checked_as_in_the_file() {
        assert!(web_origin("https://game.example").is_ok());
        for wrong in ["https://game.example/", "game.example", "*", "a\nb://c"] {
            assert!(web_origin(wrong).is_err(), "{wrong}");
        }
    }
}
