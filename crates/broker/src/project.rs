//! Projects and their built providers.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use tokio::sync::OnceCell;
use vestibule_core::deps::Accounts;
use vestibule_core::store::{AccountStore, KeyStore};
use vestibule_core::{
    Capabilities, Clock, Deps, Entropy, Error, ErrorKind, HttpClient, InstanceId, KnownIdentity,
    Offer, Operation, ProjectId, ProjectSpec, Provider, Registry, Result, Secrets, SignatureSpec,
    Timestamp, UserId,
};

use crate::Broker;
use crate::accounts::ScopedAccounts;
use crate::keys::ProjectKeys;
use crate::seal::Vault;

/// A provider that could not be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildProblem {
    /// Which project, counted from 0 in the order given.
    pub project: usize,
    /// Which of its providers, counted from 0.
    pub provider: usize,
    /// Which setting, as a path inside `settings`; empty where it is the provider as a whole.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

/// All projects of a broker, by id. Disabled ones are not among them.
#[derive(Debug, Default)]
pub struct Projects {
    by_id: HashMap<ProjectId, Arc<Project>>,
    origins: HashSet<String>,
}

impl Projects {
    pub(crate) fn build(
        broker: &Broker,
        registry: &Registry,
        specs: Vec<ProjectSpec>,
    ) -> Result<Self, Vec<BuildProblem>> {
        let mut problems = Vec::new();
        let mut projects = Self::default();
        for (number, spec) in specs.into_iter().enumerate() {
            let accounts = broker.stores.accounts(spec.id);
            let instances = build_instances(number, &spec, registry, &mut problems, |instance| {
                Deps::new(
                    Arc::clone(&broker.http),
                    Arc::clone(&broker.clock),
                    Arc::clone(&broker.entropy),
                    Arc::clone(&broker.secrets),
                    Arc::new(ScopedAccounts::new(
                        spec.id,
                        instance.clone(),
                        Arc::clone(&accounts),
                        Arc::clone(&broker.vault),
                    )),
                )
            });
            if spec.enabled {
                let key_store = broker.stores.keys(spec.id);
                let project = Project {
                    id: spec.id,
                    origins: spec.origins,
                    signature: spec.signature,
                    instances,
                    accounts,
                    key_store,
                    keys: OnceCell::new(),
                };
                projects.origins.extend(project.origins.iter().cloned());
                projects.by_id.insert(spec.id, Arc::new(project));
            }
        }
        if problems.is_empty() { Ok(projects) } else { Err(problems) }
    }

    pub(crate) fn get(&self, id: ProjectId) -> Option<Arc<Project>> {
        self.by_id.get(&id).cloned()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Whether any project lists a web origin: all that a preflight without a project can ask.
    #[must_use]
    pub fn any_allows(&self, origin: &str) -> bool {
        self.origins.contains(origin)
    }
}

fn build_instances(
    number: usize,
    spec: &ProjectSpec,
    registry: &Registry,
    problems: &mut Vec<BuildProblem>,
    deps: impl Fn(&InstanceId) -> Deps,
) -> Vec<Arc<Instance>> {
    let mut instances = Vec::with_capacity(spec.providers.len());
    for (position, provider) in spec.providers.iter().enumerate() {
        let deps = deps(&provider.instance);
        match registry.build(&provider.kind, provider.settings.clone(), deps) {
            Ok(built) => instances.push(Arc::new(Instance {
                id: provider.instance.clone(),
                kind: provider.kind.as_str().into(),
                capabilities: built.capabilities(),
                provider: built,
            })),
            Err(error) => {
                let text =
                    |key| error.details().get(key).and_then(|v| v.as_str()).map(ToOwned::to_owned);
                problems.push(BuildProblem {
                    project: number,
                    provider: position,
                    field: text("field").unwrap_or_default(),
                    reason: text("reason").unwrap_or_else(|| error.to_string()),
                });
            }
        }
    }
    instances
}

/// Checks that every provider of some projects can be built, with no store and no network.
#[must_use]
pub fn check(
    registry: &Registry,
    specs: &[ProjectSpec],
    secrets: &Arc<dyn Secrets>,
) -> Vec<BuildProblem> {
    let mut problems = Vec::new();
    for (number, spec) in specs.iter().enumerate() {
        build_instances(number, spec, registry, &mut problems, |_| {
            let idle = Arc::new(Idle);
            let http: Arc<dyn HttpClient> = Arc::new(vestibule_core::ports::NoEgress);
            Deps::new(http, idle.clone(), idle.clone(), Arc::clone(secrets), idle)
        });
    }
    problems
}

/// Ports for a provider that is built only to see whether it can be.
#[derive(Debug)]
struct Idle;

impl Clock for Idle {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
}

impl Entropy for Idle {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

#[async_trait::async_trait]
impl Accounts for Idle {
    async fn find(
        &self,
        _: &vestibule_core::Issuer,
        _: &vestibule_core::Subject,
    ) -> Result<Option<KnownIdentity>> {
        Ok(None)
    }
}

/// One project with its providers built.
pub struct Project {
    id: ProjectId,
    origins: Vec<String>,
    signature: SignatureSpec,
    instances: Vec<Arc<Instance>>,
    pub(crate) accounts: Arc<dyn AccountStore>,
    key_store: Arc<dyn KeyStore>,
    keys: OnceCell<ProjectKeys>,
}

impl fmt::Debug for Project {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Project").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Project {
    /// The project's id.
    #[must_use]
    pub fn id(&self) -> ProjectId {
        self.id
    }

    /// Whether the project lists a web origin, to the letter.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|listed| listed == origin)
    }

    /// The provider of a strategy and a name.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownProvider`].
    pub fn instance(&self, id: &InstanceId) -> Result<Arc<Instance>> {
        self.instances.iter().find(|instance| instance.id == *id).cloned().ok_or_else(|| {
            Error::new(ErrorKind::UnknownProvider).detail(
                "reason",
                "GET /v1/projects/{projectId}/providers lists strategy and provider, to the \
                     letter",
            )
        })
    }

    /// The providers, in the order of the configuration.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().map(AsRef::as_ref)
    }

    /// The project's keys: loaded, or made, at their first use.
    pub(crate) async fn keys(&self, vault: &Vault, entropy: &dyn Entropy) -> Result<&ProjectKeys> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        self.keys
            .get_or_try_init(|| {
                ProjectKeys::load(self.id, &self.signature, self.key_store.as_ref(), vault, entropy)
            })
            .await
    }
}

/// One built provider of a project.
#[derive(Debug)]
pub struct Instance {
    id: InstanceId,
    kind: Arc<str>,
    capabilities: Capabilities,
    pub(crate) provider: Arc<dyn Provider>,
}

impl Instance {
    /// Strategy and name on the wire.
    #[must_use]
    pub fn id(&self) -> &InstanceId {
        &self.id
    }

    /// Which adapter it is.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// As [`Self::kind`], to keep.
    #[must_use]
    pub fn kind_name(&self) -> Arc<str> {
        Arc::clone(&self.kind)
    }

    /// What it offers.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// What it offers for an operation.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`].
    pub fn offer(&self, operation: Operation) -> Result<&Offer> {
        self.capabilities.get(operation).ok_or_else(|| {
            Error::new(ErrorKind::Unsupported)
                .detail("reason", "GET /v1/projects/{projectId}/providers lists what is offered")
        })
    }
}

impl Broker {
    /// Whether `signature` is the project's own over `userId,timeStamp`.
    ///
    /// # Errors
    /// [`ErrorKind::StoreUnavailable`] when the project's key cannot be loaded.
    pub async fn verify_signature(
        &self,
        project: &Project,
        user: UserId,
        at: Timestamp,
        signature: &str,
    ) -> Result<bool> {
        let keys = project.keys(&self.vault, self.entropy.as_ref()).await?;
        Ok(keys.verify(user, at, signature))
    }
}
