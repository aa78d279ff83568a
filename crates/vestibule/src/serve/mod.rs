//! Runs the broker: everything is put together here, and ends here.

mod reload;
mod signals;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use vestibule_broker::{Broker, Parts};
use vestibule_core::ports::NoEgress;
use vestibule_core::store::Stores;
use vestibule_core::{Entropy, Registry, Secrets};
use vestibule_server::{Server, Settings};
use vestibule_store_sqlite::{SqliteOptions, SqliteStores};

use crate::config::{Config, Loaded, Loader, Problem};
use crate::master_key::{self, StoreState};
use crate::ports::{FileEnvSecrets, OsEntropy, SystemClock, why_unresolved};
use crate::telemetry;
use reload::Reloader;
use signals::Signals;

/// Reads the configuration and serves until the process is told to stop.
///
/// # Errors
/// Why it could not start or go on, in words for the operator.
pub(crate) fn run(registry: Registry, file: &Path) -> Result<(), String> {
    let secrets: Arc<dyn Secrets> = Arc::new(FileEnvSecrets);
    let loader = Loader::of_process(registry, secrets);
    let loaded = loader.load(file).map_err(|rejected| list_of(&rejected.problems))?;
    let telemetry = telemetry::start(&loaded.config.telemetry, Arc::new(SystemClock))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot start: {error}"))?;
    let served = runtime.block_on(serve(loader, loaded, file));
    // The exporter of traces blocks when it is stopped, which a runtime's thread must not.
    drop(runtime);
    telemetry.stop();
    served
}

/// The problems as one text, one below the other.
pub(crate) fn list_of(problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{problem}");
    }
    text.truncate(text.trim_end().len());
    text
}

async fn serve(loader: Loader, loaded: Loaded, file: &Path) -> Result<(), String> {
    // From the first moment on, so that a stop during a slow start is not lost.
    let mut signals = Signals::listen().map_err(|error| format!("signals: {error}"))?;
    for warning in &loaded.warnings {
        warning.log();
    }
    let master = master_key(&loaded.config, loader.secrets.as_ref())?;
    let stores: Arc<dyn Stores> = Arc::new(
        SqliteStores::open(SqliteOptions::new(loaded.config.store.clone()))
            .map_err(|error| error.to_string())?,
    );
    let broker = Arc::new(Broker::new(Parts {
        stores: Arc::clone(&stores),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        secrets: Arc::clone(&loader.secrets),
        http: Arc::new(NoEgress),
        master,
    }));
    let served = serve_with(loader, loaded, file, broker, &stores, &mut signals).await;
    // Whatever happened: what was accepted is on disk before the process ends.
    stores.close().await;
    served
}

async fn serve_with(
    loader: Loader,
    loaded: Loaded,
    file: &Path,
    broker: Arc<Broker>,
    stores: &Arc<dyn Stores>,
    signals: &mut Signals,
) -> Result<(), String> {
    broker.unlock().await.map_err(|error| why_unresolved(&error))?;
    let projects = broker
        .build(&loader.registry, loaded.specs.clone())
        .map_err(|problems| list_of(&loaded.explain(problems)))?;
    broker.install(projects);
    let public = bind(loaded.config.listen, "server.listen").await?;
    let admin = bind(loaded.config.admin, "admin.listen").await?;
    announce(&loaded, &public, &admin);
    let max_connections = room_for_connections(loaded.config.max_connections);
    let settings = Settings { max_connections, ..settings(&loaded.config) };
    let server = Server::new(Arc::clone(&broker), Arc::clone(stores), settings)
        .map_err(|error| format!("the server: {error}"))?;
    let reloader = Reloader::new(loader, file, loaded, broker, server.clone());
    let reloading = tokio::spawn(reloader.run());
    server.run(public, admin, signals.stop()).await;
    reloading.abort();
    // An aborted task answers with an error, which says nothing new.
    let _ = reloading.await;
    Ok(())
}

fn master_key(
    config: &Config,
    secrets: &dyn Secrets,
) -> Result<vestibule_broker::MasterKey, String> {
    let entropy: &dyn Entropy = &OsEntropy;
    let store = StoreState::of(&config.store);
    let obtained = master_key::obtain(&config.master, store, entropy, secrets)?;
    if let Some(made) = obtained.made {
        tracing::info!(
            file = %made.display(),
            "made a new master key: back it up together with the database, which nobody can \
             read without it",
        );
    }
    if let Some(exposed) = obtained.exposed {
        tracing::warn!(
            file = %exposed.display(),
            "the master key can be read by others than its owner: chmod 600 it",
        );
    }
    Ok(obtained.key)
}

async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                ": another process has this port; stop it or choose another port"
            }
            std::io::ErrorKind::PermissionDenied => {
                ": this user may not open this port; choose one above 1023"
            }
            std::io::ErrorKind::AddrNotAvailable => ": this machine has no such address",
            _ => "",
        };
        format!("{setting} = \"{address}\" cannot be opened: {error}{advice}")
    })
}

fn announce(loaded: &Loaded, public: &TcpListener, admin: &TcpListener) {
    // Port 0 has the system choose one, so the listener is asked and not the configuration.
    let at = |listener: &TcpListener, asked: SocketAddr| listener.local_addr().unwrap_or(asked);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        projects = loaded.specs.len(),
        providers = loaded.providers(),
        public_url = loaded.config.public_url,
        public = %at(public, loaded.config.listen),
        admin = %at(admin, loaded.config.admin),
        "listening on http://{}; health and metrics on http://{}",
        at(public, loaded.config.listen),
        at(admin, loaded.config.admin),
    );
}

/// How many connections the process can hold. Each takes a descriptor, and the store, the
/// operator's face and the log need some too: without a reserve, a crowd at the public door would
/// lock the operator out.
fn room_for_connections(wanted: usize) -> usize {
    const RESERVE: u64 = 160;
    let needed = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_add(RESERVE);
    let Ok(limit) = rlimit::increase_nofile_limit(needed) else { return wanted };
    let room = usize::try_from(limit.saturating_sub(RESERVE)).unwrap_or(usize::MAX).max(1);
    if room < wanted {
        tracing::warn!(
            wanted,
            room,
            "the system allows fewer open files than server.max_connections needs; raise the \
             limit (ulimit -n) or lower the setting",
        );
    }
    room.min(wanted)
}

fn settings(config: &Config) -> Settings {
    Settings {
        public_url: config.public_url.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        limits: config.limits,
        max_connections: config.max_connections,
        max_in_flight: config.max_in_flight,
        drain: config.drain,
    }
}
