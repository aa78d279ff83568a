//! Checks projects and puts them into the core's form.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;
use vestibule_core::ids::is_name;
use vestibule_core::{
    InstanceId, ProjectId, ProjectSpec, ProviderSpec, Registry, SecretRef, Secrets,
    SignatureAlgorithm, SignatureSpec,
};

use super::explain::{Said, suggest};
use super::key_path::KeyPath;
use super::kinds;
use super::model;
use super::report::Report;
use super::values::origin;
use crate::ports::why_unresolved;

/// Where a project of the result came from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// Which of the files, the main one being 0.
    pub(crate) source: usize,
    /// Where in that file.
    pub(crate) path: KeyPath,
    /// For each provider of the result, its number in the file: wrong ones are left out.
    pub(crate) providers: Vec<usize>,
}

/// Checks projects, across all files.
#[derive(Debug)]
pub(crate) struct Checker<'a> {
    registry: &'a Registry,
    secrets: &'a Arc<dyn Secrets>,
    /// Where each id was seen first.
    seen: HashMap<ProjectId, String>,
    /// What is sound so far.
    pub(crate) specs: Vec<ProjectSpec>,
    /// Where each of them came from.
    pub(crate) origins: Vec<Origin>,
}

impl<'a> Checker<'a> {
    /// A checker that has seen nothing.
    pub(crate) fn new(registry: &'a Registry, secrets: &'a Arc<dyn Secrets>) -> Self {
        Self { registry, secrets, seen: HashMap::new(), specs: Vec::new(), origins: Vec::new() }
    }

    /// Checks one project; `place` names it where another has the same id.
    pub(crate) fn project(
        &mut self,
        project: model::Project,
        (source, path): (usize, KeyPath),
        place: String,
        report: &mut Report<'_>,
    ) {
        let id = self.id(project.id.as_deref(), &path, place, report);
        check_origins(&project.origins, &path, report);
        let signature = self.signature(&project.signature, &path.key("signature"), report);
        let mut providers = Vec::new();
        let mut numbers = Vec::new();
        let mut names = HashSet::new();
        for (number, provider) in project.provider.into_iter().enumerate() {
            let path = path.key("provider").index(number);
            if let Some(spec) = self.provider(provider, &path, &mut names, report) {
                providers.push(spec);
                numbers.push(number);
            }
        }
        self.specs.push(ProjectSpec {
            // The stand-in of a project without an id is never used: the report has an error.
            id: id.unwrap_or_else(|| ProjectId::new(uuid::Uuid::nil())),
            name: project.name,
            enabled: project.enabled,
            origins: project.origins,
            signature,
            providers,
        });
        self.origins.push(Origin { source, path, providers: numbers });
    }

    fn id(
        &mut self,
        text: Option<&str>,
        path: &KeyPath,
        place: String,
        report: &mut Report<'_>,
    ) -> Option<ProjectId> {
        let help = "`vestibule project new` prints a project with a fresh id";
        let path = path.key("id");
        let Some(text) = text else {
            report.error(&path, Said::new("missing \"id\"").help(help));
            return None;
        };
        let Some(id) = ProjectId::parse(text) else {
            let said = Said::new("must be a UUID in its lower-case form with hyphens");
            report.error(&path, said.help(help));
            return None;
        };
        if let Some(first) = self.seen.get(&id) {
            let said = Said::new(format!("the same id as {first}"));
            report.error(&path, said.help(help));
            return None;
        }
        self.seen.insert(id, place);
        Some(id)
    }

    fn signature(
        &self,
        signature: &model::Signature,
        path: &KeyPath,
        report: &mut Report<'_>,
    ) -> SignatureSpec {
        let algorithm = match signature.algorithm {
            model::Algorithm::HmacSha256 => SignatureAlgorithm::HmacSha256,
            model::Algorithm::HmacSha1 => {
                let said = Said::new("SHA-1 is kept for integrations that expect it")
                    .help("use \"hmac-sha256\" where you can");
                report.warning(&path.key("algorithm"), said);
                SignatureAlgorithm::HmacSha1
            }
        };
        let key = signature.key.as_ref().and_then(|reference| {
            self.secrets
                .resolve(reference)
                .map_err(|error| {
                    let help = match reference {
                        SecretRef::Env(_) => {
                            "set the variable where the broker runs, or leave `key` out to have \
                             one made and kept in the store"
                        }
                        SecretRef::File(_) => {
                            "write the key into that file (its path is taken from the working \
                             directory), or leave `key` out to have one made and kept in the store"
                        }
                    };
                    let said = Said::new(why_unresolved(&error)).help(help);
                    report.error(&path.key("key"), said);
                })
                .ok()
        });
        SignatureSpec { algorithm, key }
    }

    fn provider(
        &self,
        provider: model::Provider,
        path: &KeyPath,
        names: &mut HashSet<InstanceId>,
        report: &mut Report<'_>,
    ) -> Option<ProviderSpec> {
        let strategy = name("strategy", provider.strategy, path, report);
        let name = name("provider", provider.provider, path, report);
        let kind = self.kind(provider.kind, name.as_deref(), path, report);
        let instance = InstanceId::new(strategy.as_deref()?, name.as_deref()?)?;
        if !names.insert(instance.clone()) {
            let said = Said::new(format!("this project has {} already", instance.as_str()));
            report.error(path, said.help("give one of them another provider name and its `kind`"));
            return None;
        }
        Some(ProviderSpec { instance, kind: kind?, settings: Value::Object(provider.settings) })
    }

    fn kind(
        &self,
        written: Option<String>,
        name: Option<&str>,
        path: &KeyPath,
        report: &mut Report<'_>,
    ) -> Option<String> {
        let known = || self.registry.kinds().collect::<Vec<_>>();
        let (kind, place) = match (written, name) {
            (Some(kind), _) => (kind, path.key("kind")),
            (None, Some(name)) => match kinds::implied(name) {
                Some(kind) => (kind.to_owned(), path.key("provider")),
                None => {
                    let said = Said::new("missing \"kind\": the name does not say which adapter");
                    let mut help = format!("this build knows {}", known().join(", "));
                    if let Some(best) = kinds::nearest_name(name, self.registry) {
                        help = format!("did you mean \"{best}\"? Else write `kind`: {help}");
                    }
                    report.error(path, said.help(help));
                    return None;
                }
            },
            // The missing name is the mistake to mend first.
            (None, None) => return None,
        };
        if self.registry.kinds().any(|known| known == kind) {
            return Some(kind);
        }
        let known = known();
        let mut help = format!("this build knows {}", known.join(", "));
        let suggestion = suggest(&kind, known.iter().copied());
        if suggestion.starts_with("did you mean") {
            help = format!("{suggestion} {help}");
        }
        let said = Said::new(format!("no adapter of kind \"{kind}\""));
        report.error(&place, said.help(help));
        None
    }
}

fn name(
    key: &str,
    text: Option<String>,
    path: &KeyPath,
    report: &mut Report<'_>,
) -> Option<String> {
    let Some(text) = text else {
        report.error(&path.key(key), Said::new(format!("missing \"{key}\"")));
        return None;
    };
    if !is_name(&text) {
        let said = Said::new("must be 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot");
        report.error(&path.key(key), said);
        return None;
    }
    Some(text)
}

fn check_origins(origins: &[String], path: &KeyPath, report: &mut Report<'_>) {
    for (position, text) in origins.iter().enumerate() {
        if let Err(expected) = origin(text) {
            let said = Said::new(format!("must be {expected}"))
                .help("for instance \"https://game.example\" or \"http://localhost:3000\"");
            report.error(&path.key("origins").index(position), said);
        }
    }
}
