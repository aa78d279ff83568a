//! From a path to a checked configuration.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vestibule_broker::BuildProblem;
use vestibule_core::{ProjectSpec, Registry, Secrets};

use super::decode::decode;
use super::explain::{Said, explain};
use super::key_path::KeyPath;
use super::model::{ConfigFile, Project};
use super::overlay::{Environment, Overlay};
use super::problem::{Problem, Severity};
use super::project::{Checker, Origin};
use super::report::Report;
use super::source::Source;
use super::validate::Config;
use super::watch::{Watch, project_files};
use crate::master_key::{self, StoreState};

/// Reads configurations, at start and at every reload.
#[derive(Debug)]
pub(crate) struct Loader {
    /// The kinds of provider that may be named.
    pub(crate) registry: Arc<Registry>,
    /// The variables over the file.
    pub(crate) environment: Environment,
    /// What the references are resolved with.
    pub(crate) secrets: Arc<dyn Secrets>,
}

/// A configuration that can be used.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The sections of the broker as a whole.
    pub(crate) config: Config,
    /// The projects.
    pub(crate) specs: Vec<ProjectSpec>,
    /// What works and carries a risk.
    pub(crate) warnings: Vec<Problem>,
    /// The state of the files when they were read.
    pub(crate) watch: Watch,
    places: Places,
}

/// A configuration that cannot be used.
#[derive(Debug)]
pub(crate) struct Rejected {
    /// Why, with the warnings among them.
    pub(crate) problems: Vec<Problem>,
    /// The state of the files when they were read.
    pub(crate) watch: Watch,
}

impl Loaded {
    /// Where in the files the problems of a build are.
    pub(crate) fn explain(&self, problems: Vec<BuildProblem>) -> Vec<Problem> {
        self.places.explain(problems)
    }

    /// How many providers there are in all projects.
    pub(crate) fn providers(&self) -> usize {
        self.specs.iter().map(|spec| spec.providers.len()).sum()
    }
}

impl Loader {
    /// A loader with the environment of this process.
    pub(crate) fn of_process(registry: Registry, secrets: Arc<dyn Secrets>) -> Self {
        Self { registry: Arc::new(registry), environment: Environment::of_process(), secrets }
    }

    /// Reads and checks a file and the project files that it names.
    pub(crate) fn load(&self, file: &Path) -> Result<Loaded, Rejected> {
        let watch = Watch::of_file(file);
        let source = match Source::read(file) {
            Ok(source) => source,
            Err(problem) => {
                let problems = vec![problem];
                return Err(Rejected { problems, watch });
            }
        };
        let (overlay, mut problems) = Overlay::of(&self.environment);
        let mut tree = source.tree();
        overlay.apply(&mut tree);
        let (mut model, faults) = decode::<ConfigFile>(tree);

        let mut report = Report::new(&source, Some(&overlay));
        report.faults(faults);
        let config = Config::check(&model, &mut report);
        let store = StoreState::of(&config.store);
        if let Err(unusable) = master_key::check(&config.master, store, self.secrets.as_ref()) {
            let said = Said::new(unusable.message).help(unusable.help);
            report.error(&KeyPath::parse("keys.master"), said);
        }
        let mut checker = Checker::new(&self.registry, &self.secrets);
        for (number, project) in std::mem::take(&mut model.project).into_iter().enumerate() {
            let path = KeyPath::default().key("project").index(number);
            let place = format!("{path} of {}", file.display());
            checker.project(project, (0, path), place, &mut report);
        }
        let (watch, files) = list(watch, model.projects.dir.as_deref(), &mut report);
        problems.extend(report.into_problems());
        let mut sources = vec![source];
        for file in files {
            match Source::read(&file) {
                Ok(source) => {
                    problems.extend(project_file(&source, &file, sources.len(), &mut checker));
                    sources.push(source);
                }
                Err(problem) => problems.push(problem),
            }
        }
        let Checker { specs, origins, .. } = checker;
        let places = Places { sources, origins };
        problems.extend(self.strays(&places));
        self.finish(config, specs, places, problems, watch)
    }

    /// Warns of variables that nobody reads.
    fn strays(&self, places: &Places) -> Vec<Problem> {
        let read = |name: &str| {
            let reference = format!("env:{name}");
            places.sources.iter().any(|source| source.mentions(&reference))
        };
        let strays = self.environment.strays().filter(|name| !read(name));
        let warn = |name: &str| {
            let help = "settings are VESTIBULE__SECTION__KEY with two underscores each, for \
                        instance VESTIBULE__SERVER__LISTEN";
            Problem::of_variable(name, "sets nothing".to_owned(), Some(help.to_owned())).warning()
        };
        strays.map(warn).collect()
    }

    fn finish(
        &self,
        config: Config,
        specs: Vec<ProjectSpec>,
        places: Places,
        mut problems: Vec<Problem>,
        watch: Watch,
    ) -> Result<Loaded, Rejected> {
        let unbuilt = vestibule_broker::check(&self.registry, &specs, &self.secrets);
        problems.extend(places.explain(unbuilt));
        if problems.iter().any(|found| found.severity == Severity::Error) {
            problems.sort_by_key(|found| (found.severity, found.file.clone(), found.line));
            return Err(Rejected { problems, watch });
        }
        if !specs.iter().any(|spec| spec.enabled) {
            let none = Problem::of_file(watch.file(), "no project is enabled: no app can call")
                .help("`vestibule project new` prints a project to paste into the file");
            problems.push(none.warning());
        }
        Ok(Loaded { config, specs, warnings: problems, watch, places })
    }
}

/// Checks the one project of a project file.
fn project_file(
    source: &Source,
    file: &Path,
    number: usize,
    checker: &mut Checker<'_>,
) -> Vec<Problem> {
    let (project, faults) = decode::<Project>(source.tree());
    let mut report = Report::new(source, None);
    report.faults(faults);
    let origin = (number, KeyPath::default());
    checker.project(project, origin, file.display().to_string(), &mut report);
    report.into_problems()
}

/// The project files, and the watch over them too.
fn list(watch: Watch, dir: Option<&str>, report: &mut Report<'_>) -> (Watch, Vec<PathBuf>) {
    let Some(dir) = dir else {
        return (watch, Vec::new());
    };
    let watch = watch.and_dir(Path::new(dir));
    let files = project_files(Path::new(dir)).unwrap_or_else(|error| {
        let said = Said::new(format!("the directory {dir} cannot be read: {error}"))
            .help("make it, or leave [projects] out; the path is taken from the working directory");
        report.error(&KeyPath::parse("projects.dir"), said);
        Vec::new()
    });
    (watch, files)
}

/// The files, and where in them each project stands.
#[derive(Debug)]
struct Places {
    sources: Vec<Source>,
    origins: Vec<Origin>,
}

impl Places {
    fn explain(&self, problems: Vec<BuildProblem>) -> Vec<Problem> {
        let found = problems.into_iter().filter_map(|problem| self.explain_one(&problem));
        found.collect()
    }

    fn explain_one(&self, problem: &BuildProblem) -> Option<Problem> {
        let origin = self.origins.get(problem.project)?;
        let number = origin.providers.get(problem.provider)?;
        let source = self.sources.get(origin.source)?;
        let path = origin.path.key("provider").index(*number).key("settings");
        let path = path.join(&KeyPath::parse(&problem.field));
        Some(source.problem(Severity::Error, &path, explain(&problem.reason)))
    }
}
