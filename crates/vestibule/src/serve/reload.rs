//! Takes over a changed configuration while the broker runs, or keeps the present one.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::time::MissedTickBehavior;
use vestibule_broker::Broker;
use vestibule_core::{ProjectId, ProjectSpec};
use vestibule_server::Server;

use super::settings;
use super::signals::Hangup;
use crate::config::{Config, Loaded, Loader, Problem, Watch};

/// How often the files are looked at. File notifications miss what mounts and editors do.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Puts changed configurations into effect.
#[derive(Debug)]
pub(crate) struct Reloader {
    watcher: Watcher,
    present: Present,
    fingerprints: RandomState,
    broker: Arc<Broker>,
    server: Server,
}

/// What is in effect.
#[derive(Debug)]
struct Present {
    config: Config,
    /// A fingerprint of each project, which tells whether it has changed.
    projects: HashMap<ProjectId, u64>,
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
        // Its keys are random, so that a fingerprint of a secret says nothing about it.
        let fingerprints = RandomState::new();
        let projects = fingerprints_of(&loaded.specs, &fingerprints);
        Self {
            watcher: Watcher { loader, file: file.to_owned(), watch: loaded.watch },
            present: Present { config: loaded.config, projects },
            fingerprints,
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
        let projects = fingerprints_of(&specs, &self.fingerprints);
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
            warning.log();
        }
        self.broker.install(built);
        self.server.reload(settings(&loaded.config));
        let next = Present { config: loaded.config, projects };
        self.present.changes(&next).tell(next.projects.len());
        // Sections that are read at start only stay what they were, so that a later reload
        // still says that they differ.
        self.present = next.with_fixed_of(&self.present.config);
    }
}

impl Present {
    fn changes(&self, next: &Self) -> Changes {
        let is_changed = |(id, now): &(&ProjectId, &u64)| {
            self.projects.get(*id).is_some_and(|before| before != *now)
        };
        Changes {
            added: next.projects.keys().filter(|id| !self.projects.contains_key(*id)).count(),
            removed: self.projects.keys().filter(|id| !next.projects.contains_key(*id)).count(),
            changed: next.projects.iter().filter(is_changed).count(),
            live: next.config.live_differences(&self.config),
            fixed: next.config.fixed_differences(&self.config),
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

/// What a reload changes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Changes {
    added: usize,
    removed: usize,
    changed: usize,
    /// The settings that take effect.
    live: Vec<&'static str>,
    /// The settings that wait for the next start.
    fixed: Vec<&'static str>,
}

impl Changes {
    fn tell(&self, projects: usize) {
        let Self { added, removed, changed, live, fixed } = self;
        let takes_effect = added + removed + changed > 0 || !live.is_empty();
        if takes_effect {
            let settings = (!live.is_empty()).then(|| live.join(", "));
            tracing::info!(
                projects,
                added,
                removed,
                changed,
                settings,
                "took over the changed configuration",
            );
        } else if fixed.is_empty() {
            tracing::info!(projects, "read the configuration again: nothing changed");
        }
        if !fixed.is_empty() {
            tracing::warn!(
                settings = fixed.join(", "),
                "some changed settings take effect at the next start only",
            );
        }
    }
}

fn fingerprints_of(specs: &[ProjectSpec], state: &RandomState) -> HashMap<ProjectId, u64> {
    let fingerprint = |spec: &ProjectSpec| {
        // The debug form leaves secrets out, and a changed key is a change too.
        let key = spec.signature.key.as_ref().map(|key| key.expose_secret());
        (spec.id, state.hash_one((format!("{spec:?}"), key)))
    };
    specs.iter().map(fingerprint).collect()
}

fn refuse(problems: &[Problem]) {
    for problem in problems {
        problem.log();
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
    fn a_reload_counts_what_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("vestibule.toml");
        let state = RandomState::new();
        let present = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let Found::New(loaded) = watcher(&file).look(true) else { panic!("{text}") };
            Present { projects: fingerprints_of(&loaded.specs, &state), config: loaded.config }
        };
        let old = present(GOOD);
        assert_eq!(old.changes(&present(&format!("# same\n{GOOD}"))), Changes::default());

        let renamed = old.changes(&present(&format!("{GOOD}name = \"studio\"\n")));
        assert_eq!(renamed, Changes { changed: 1, ..Changes::default() });

        let key = dir.path().join("key");
        std::fs::write(&key, "one").unwrap();
        let signed = format!("{GOOD}signature = {{ key = \"file:{}\" }}\n", key.display());
        let first = present(&signed);
        std::fs::write(&key, "two").unwrap();
        assert_eq!(first.changes(&present(&signed)).changed, 1);

        let replaced = old.changes(&present(
            "[limits]\nread = \"9/min\"\n[telemetry]\nlog = \"warn\"\n\
             [[project]]\nid = \"6835ddd0-d2b4-4da5-9f33-1d38b2b00265\"\n",
        ));
        let expected = Changes {
            added: 1,
            removed: 1,
            changed: 0,
            live: vec!["limits"],
            fixed: vec!["telemetry"],
        };
        assert_eq!(replaced, expected);
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
