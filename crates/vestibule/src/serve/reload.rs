//! Takes over a changed configuration while the broker runs, or keeps the present one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use vestibule_broker::Broker;
use vestibule_core::ProjectId;
use vestibule_server::Server;

use super::settings;
use super::signals::Hangup;
use crate::config::{Config, Loaded, Loader, Problem, Severity, Watch};

/// How often the files are looked at. File notifications miss what mounts and editors do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Puts changed configurations into effect.
#[derive(Debug)]
pub(crate) struct Reloader {
    watcher: Watcher,
    present: Present,
    broker: Arc<Broker>,
    server: Server,
}

/// What is in effect.
#[derive(Debug)]
struct Present {
    config: Config,
    projects: HashSet<ProjectId>,
}

impl Reloader {
    /// A reloader that starts from a loaded configuration.
    pub(crate) fn new(
        loader: Loader,
        file: &Path,
        loaded: Loaded,
        broker: Arc<Broker>,
        server: Server,
    ) -> Self {
        let projects = ids(&loaded);
        Self {
            watcher: Watcher { loader, file: file.to_owned(), watch: loaded.watch },
            present: Present { config: loaded.config, projects },
            broker,
            server,
        }
    }

    /// Watches until it is aborted.
    pub(crate) async fn run(mut self) {
        let mut hangup = Hangup::listen();
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let forced = tokio::select! {
                _ = tick.tick() => false,
                () = hangup.next() => true,
            };
            // Files may hang, and a long configuration takes a while to check: neither may hold
            // up a thread that answers requests.
            let mut watcher = self.watcher;
            let looked = tokio::task::spawn_blocking(move || {
                let found = watcher.look(forced);
                (watcher, found)
            });
            let found = match looked.await {
                Ok((watcher, found)) => {
                    self.watcher = watcher;
                    found
                }
                Err(error) => {
                    tracing::error!(error = %error, "the configuration is no longer watched");
                    return;
                }
            };
            match found {
                Found::Nothing => {}
                Found::Bad(problems) => refuse(&problems),
                Found::New(loaded) => self.take_over(*loaded).await,
            }
        }
    }

    async fn take_over(&mut self, mut loaded: Loaded) {
        let specs = std::mem::take(&mut loaded.specs);
        let projects = specs.iter().map(|spec| spec.id).collect();
        // Building resolves secrets, and their files may hang as well.
        let (broker, registry) =
            (Arc::clone(&self.broker), Arc::clone(&self.watcher.loader.registry));
        let built = tokio::task::spawn_blocking(move || broker.build(&registry, specs)).await;
        let built = match built {
            Ok(Ok(built)) => built,
            Ok(Err(problems)) => return refuse(&loaded.explain(problems)),
            Err(error) => {
                tracing::error!(error = %error, "the changed configuration was not built");
                return;
            }
        };
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        self.broker.install(built);
        self.server.reload(settings(&loaded.config));
        let next = Present { config: loaded.config, projects };
        self.present.tell_changes(&next);
        // Sections that are read at start only stay what they were, so that a later reload
        // still says that they differ.
        self.present = next.with_fixed_of(&self.present.config);
    }
}

impl Present {
    fn tell_changes(&self, next: &Self) {
        let added = next.projects.difference(&self.projects).count();
        let removed = self.projects.difference(&next.projects).count();
        tracing::info!(
            projects = next.projects.len(),
            added,
            removed,
            settings = next.config.live_differences(&self.config).join(", "),
            "took over the changed configuration",
        );
        let fixed = next.config.fixed_differences(&self.config);
        if !fixed.is_empty() {
            tracing::warn!(
                settings = fixed.join(", "),
                "some changed settings take effect at the next start only",
            );
        }
    }

    fn with_fixed_of(self, old: &Config) -> Self {
        let config = Config {
            listen: old.listen,
            admin: old.admin,
            max_connections: old.max_connections,
            store: old.store.clone(),
            master: old.master.clone(),
            telemetry: old.telemetry.clone(),
            ..self.config
        };
        Self { config, ..self }
    }
}

fn ids(loaded: &Loaded) -> HashSet<ProjectId> {
    loaded.specs.iter().map(|spec| spec.id).collect()
}

fn refuse(problems: &[Problem]) {
    for problem in problems {
        match problem.severity {
            Severity::Error => tracing::error!("{problem}"),
            Severity::Warning => tracing::warn!("{problem}"),
        }
    }
    tracing::error!("the changed configuration is not used; the previous one stays in effect");
}

/// Looks whether there is a new configuration.
#[derive(Debug)]
struct Watcher {
    loader: Loader,
    file: PathBuf,
    watch: Watch,
}

/// What a look found.
#[derive(Debug)]
enum Found {
    Nothing,
    Bad(Vec<Problem>),
    New(Box<Loaded>),
}

impl Watcher {
    /// Reads the files when they have changed, or when it is forced. A bad configuration is
    /// reported once and looked at again when it changes again.
    fn look(&mut self, forced: bool) -> Found {
        if !forced && self.watch.is_current() {
            return Found::Nothing;
        }
        match self.loader.load(&self.file) {
            Ok(loaded) => {
                self.watch = loaded.watch.clone();
                Found::New(Box::new(loaded))
            }
            Err(rejected) => {
                self.watch = rejected.watch;
                Found::Bad(rejected.problems)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use vestibule_core::Secrets;

    use super::*;
    use crate::config::Environment;
    use crate::ports::FileEnvSecrets;

    fn watcher(file: &Path) -> Watcher {
        let secrets: Arc<dyn Secrets> = Arc::new(FileEnvSecrets);
        let loader = Loader {
            registry: Arc::new(crate::builtins()),
            environment: Environment::default(),
            secrets,
        };
        let watch = loader.load(file).unwrap().watch;
        Watcher { loader, file: file.to_owned(), watch }
    }

    const GOOD: &str = "[[project]]\nid = \"5d5b0676-ce0f-4058-b2bf-49af49f61cb5\"\n";

    #[test]
    fn z03_a_bad_file_is_reported_once_and_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("vestibule.toml");
        std::fs::write(&file, GOOD).unwrap();
        let mut watcher = watcher(&file);
        assert!(matches!(watcher.look(false), Found::Nothing));

        std::fs::write(&file, "[server]\nlisten = ").unwrap();
        assert!(matches!(watcher.look(false), Found::Bad(problems) if problems.len() == 1));
        assert!(matches!(watcher.look(false), Found::Nothing));

        std::fs::write(&file, format!("# mended\n{GOOD}")).unwrap();
        assert!(matches!(watcher.look(false), Found::New(loaded) if loaded.specs.len() == 1));
    }

    #[test]
    fn z03_a_file_that_is_gone_for_a_moment_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("vestibule.toml");
        std::fs::write(&file, GOOD).unwrap();
        let mut watcher = watcher(&file);
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(watcher.look(false), Found::Bad(_)));
        std::fs::write(&file, GOOD).unwrap();
        assert!(matches!(watcher.look(false), Found::New(_)));
    }

    #[test]
    fn a_hangup_reads_files_that_look_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("vestibule.toml");
        std::fs::write(&file, GOOD).unwrap();
        assert!(matches!(watcher(&file).look(true), Found::New(_)));
    }

    #[test]
    fn a_project_file_that_is_added_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("vestibule.toml");
        let projects = dir.path().join("projects");
        std::fs::create_dir(&projects).unwrap();
        std::fs::write(&file, format!("[projects]\ndir = {projects:?}\n")).unwrap();
        let mut watcher = watcher(&file);
        assert!(matches!(watcher.look(false), Found::Nothing));
        let id = "id = \"5d5b0676-ce0f-4058-b2bf-49af49f61cb5\"\n";
        std::fs::write(projects.join("a.toml"), id).unwrap();
        assert!(matches!(watcher.look(false), Found::New(loaded) if loaded.specs.len() == 1));
    }
}
