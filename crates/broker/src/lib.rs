#![doc = include_str!("../README.md")]

mod accounts;
mod erase;
mod guard;
mod keys;
mod perform;
mod profile;
mod project;
mod seal;
mod session;

pub use perform::{Context, Input};
pub use project::{BuildProblem, Instance, Project, Projects, check};
pub use seal::MasterKey;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;
use vestibule_core::store::{KeyName, Stores};
use vestibule_core::{
    Clock, Entropy, Error, ErrorKind, HttpClient, ProjectId, ProjectSpec, Registry, Result, Secrets,
};

use crate::seal::{Row, Vault};

/// What a broker is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Where records are kept.
    pub stores: Arc<dyn Stores>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Turns references into secrets.
    pub secrets: Arc<dyn Secrets>,
    /// The one way out.
    pub http: Arc<dyn HttpClient>,
    /// Wraps every secret at rest.
    pub master: MasterKey,
}

/// The broker: projects, and the operations on their users.
pub struct Broker {
    stores: Arc<dyn Stores>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    secrets: Arc<dyn Secrets>,
    http: Arc<dyn HttpClient>,
    vault: Arc<Vault>,
    projects: RwLock<Arc<Projects>>,
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("projects", &self.projects().len()).finish_non_exhaustive()
    }
}

const MASTER_CHECK: &[u8] = b"vestibule: this store is sealed by the right master key";

impl Broker {
    /// A broker without projects.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { stores, clock, entropy, secrets, http, master } = parts;
        let vault = Arc::new(Vault::new(&master, Arc::clone(&entropy)));
        let projects = RwLock::new(Arc::new(Projects::default()));
        Self { stores, clock, entropy, secrets, http, vault, projects }
    }

    /// Checks that the master key is the one that sealed this store. To be called once, at
    /// start; on a new store it leaves the mark that later starts are checked against.
    ///
    /// # Errors
    /// [`ErrorKind::Misconfigured`] when it is another key.
    pub async fn unlock(&self) -> Result<()> {
        let project = ProjectId::new(Uuid::nil());
        let row = Row { project, table: "project_key", id: KeyName::MasterCheck.as_str() };
        let keys = self.stores.keys(project);
        let kept = match keys.find(KeyName::MasterCheck).await? {
            Some(kept) => kept,
            None => {
                let mark = self.vault.seal(&row, MASTER_CHECK)?;
                keys.find_or_create(KeyName::MasterCheck, mark).await?
            }
        };
        match self.vault.open(&row, &kept) {
            Ok(text) if text.as_slice() == MASTER_CHECK => Ok(()),
            _ => Err(Error::new(ErrorKind::Misconfigured).detail(
                "reason",
                "the master key is not the one that this store was sealed with; restore the key \
                 that belongs to the database, or the database that belongs to the key",
            )),
        }
    }

    /// Builds every provider of some projects, without network.
    ///
    /// # Errors
    /// Every provider that could not be built, not only the first.
    pub fn build(
        &self,
        registry: &Registry,
        specs: Vec<ProjectSpec>,
    ) -> Result<Projects, Vec<BuildProblem>> {
        Projects::build(self, registry, specs)
    }

    /// Puts built projects in the place of the present ones. Requests under way keep theirs.
    pub fn install(&self, projects: Projects) {
        let mut held = self.projects.write().unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(projects);
    }

    /// The present projects.
    #[must_use]
    pub fn projects(&self) -> Arc<Projects> {
        Arc::clone(&self.projects.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A project that exists and is enabled.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownProject`], for an unknown and a disabled one alike.
    pub fn project(&self, id: ProjectId) -> Result<Arc<Project>> {
        let held = self.projects.read().unwrap_or_else(PoisonError::into_inner);
        held.get(id).ok_or_else(|| Error::new(ErrorKind::UnknownProject))
    }

    /// Sixteen random bytes.
    #[must_use]
    pub fn random_uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// The time by the broker's clock.
    #[must_use]
    pub fn now(&self) -> vestibule_core::Timestamp {
        self.clock.now()
    }
}
