//! What a broker is started with.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

/// The project of the demo configuration and of the published examples of guests.
pub const DEMO: &str = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5";

/// A second project, with the same providers as the first.
pub const OTHER: &str = "0b9f2c11-7d4e-4a63-8f52-3c1de5a790b4";

/// A project of the configuration.
#[derive(Clone, Debug)]
pub struct Project {
    id: String,
    name: String,
    enabled: bool,
    origins: Vec<String>,
    signature: Option<(String, Option<String>)>,
    providers: Vec<(String, String, String)>,
}

impl Project {
    /// A project with both kinds of guests and no web origins.
    #[must_use]
    pub fn new(id: &str, name: &str) -> Self {
        Self::empty(id, name).provider("simplified", "anonymous", "").provider(
            "simplified",
            "noLogin",
            "",
        )
    }

    /// A project without providers.
    #[must_use]
    pub fn empty(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            enabled: true,
            origins: Vec::new(),
            signature: None,
            providers: Vec::new(),
        }
    }

    /// Adds a provider; the settings are lines of TOML.
    #[must_use]
    pub fn provider(mut self, strategy: &str, provider: &str, settings: &str) -> Self {
        self.providers.push((strategy.into(), provider.into(), settings.into()));
        self
    }

    /// Switches it off.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }

    /// Lets a web origin call.
    #[must_use]
    pub fn origin(mut self, origin: &str) -> Self {
        self.origins.push(origin.to_owned());
        self
    }

    /// Chooses how signatures are made; without a reference to a key, the broker makes one.
    #[must_use]
    pub fn signature(mut self, algorithm: &str, key: Option<&str>) -> Self {
        self.signature = Some((algorithm.to_owned(), key.map(str::to_owned)));
        self
    }

    fn toml(&self) -> String {
        let mut text = format!(
            "\n[[project]]\nid = {:?}\nname = {:?}\nenabled = {}\norigins = {:?}\n",
            self.id, self.name, self.enabled, self.origins
        );
        match &self.signature {
            Some((algorithm, Some(key))) => {
                writeln!(text, "signature = {{ algorithm = {algorithm:?}, key = {key:?} }}")
                    .unwrap()
            }
            Some((algorithm, None)) => {
                writeln!(text, "signature = {{ algorithm = {algorithm:?} }}").unwrap();
            }
            None => {}
        }
        for (strategy, provider, settings) in &self.providers {
            write!(
                text,
                "\n[[project.provider]]\nstrategy = {strategy:?}\nprovider = {provider:?}\n"
            )
            .unwrap();
            if !settings.is_empty() {
                write!(text, "[project.provider.settings]\n{settings}\n").unwrap();
            }
        }
        text
    }
}

/// Describes a broker: its folder, its configuration and its environment.
///
/// A clone shares the folder, so that a later start finds the same store.
#[derive(Clone, Debug)]
pub struct Setup {
    home: Arc<TempDir>,
    server: String,
    limits: BTreeMap<&'static str, String>,
    projects: Vec<Project>,
    env: Vec<(String, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// The demo project, in a fresh folder, with every rate limit off.
    #[must_use]
    pub fn new() -> Self {
        let limits = ["register", "login", "password", "read"]
            .into_iter()
            .map(|name| (name, "off".to_owned()))
            .collect();
        Self {
            home: Arc::new(tempfile::tempdir().expect("a temporary folder")),
            server: String::new(),
            limits,
            projects: vec![Project::new(DEMO, "demo")],
            env: Vec::new(),
        }
    }

    /// Two projects with the same providers.
    #[must_use]
    pub fn two_projects() -> Self {
        Self::new().project(Project::new(OTHER, "other"))
    }

    /// Sets a rate limit, for instance `20/min`.
    #[must_use]
    pub fn limit(mut self, name: &'static str, value: &str) -> Self {
        self.limits.insert(name, value.to_owned());
        self
    }

    /// Adds lines to the section `[server]`.
    #[must_use]
    pub fn server(mut self, lines: &str) -> Self {
        writeln!(self.server, "{lines}").unwrap();
        self
    }

    /// Adds a project.
    #[must_use]
    pub fn project(mut self, project: Project) -> Self {
        self.projects.push(project);
        self
    }

    /// Removes every project, also the demo.
    #[must_use]
    pub fn without_projects(mut self) -> Self {
        self.projects.clear();
        self
    }

    /// Sets an environment variable of the broker, which else has none.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The folder in which the broker runs.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.home().join("vestibule.toml")
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.home().join("data/vestibule.db")
    }

    /// The file of the master key.
    #[must_use]
    pub fn master_key(&self) -> PathBuf {
        self.home().join("data/master.key")
    }

    /// Writes the configuration file, replacing what stands there.
    pub fn write_config(&self) {
        std::fs::write(self.config_file(), self.toml()).expect("a writable folder");
    }

    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.env
    }

    /// Store and key stand where the documented defaults put them, relative to the folder.
    fn toml(&self) -> String {
        let limits: String =
            self.limits.iter().map(|(name, value)| format!("{name} = {value:?}\n")).collect();
        let projects: String = self.projects.iter().map(Project::toml).collect();
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1\"\n{}\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n\n\
             [store]\nurl = \"sqlite://data/vestibule.db\"\n\n\
             [limits]\n{limits}\n\
             [keys]\nmaster = \"file:data/master.key\"\n{projects}",
            self.server
        )
    }
}
