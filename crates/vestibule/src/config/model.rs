//! The file as it is written: every key that exists, and no check beyond its type.
//!
//! What is required is optional here, so that a file with several mistakes is understood as far
//! as possible; [`super::validate`] and [`super::project`] ask for it. The documentation of
//! each field becomes its description in the JSON Schema.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vestibule_core::SecretRef;

/// The configuration of a broker.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConfigFile {
    /// The listener that apps call.
    pub(crate) server: Server,
    /// The listener for health and metrics. Never put it on the internet.
    pub(crate) admin: Admin,
    /// Where users are kept.
    pub(crate) store: Store,
    /// How often a client may ask, for each project, operation and client address.
    pub(crate) limits: Limits,
    /// The key that wraps every secret at rest.
    pub(crate) keys: Keys,
    /// What the broker may reach.
    pub(crate) egress: Egress,
    /// Logs and traces.
    pub(crate) telemetry: Telemetry,
    /// Projects in files of their own.
    pub(crate) projects: Projects,
    /// The projects: one a tenant.
    pub(crate) project: Vec<Project>,
}

/// The listener that apps call.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    /// Address and port.
    pub(crate) listen: String,
    /// How clients reach the broker: the only source of links and redirect URIs.
    pub(crate) public_url: String,
    /// Networks (CIDR) whose `Forwarded` and `X-Forwarded-For` are believed.
    pub(crate) trusted_proxies: Vec<String>,
    /// How many connections may be open at once.
    pub(crate) max_connections: usize,
    /// How many requests may be under way at once; more are answered 503.
    pub(crate) max_in_flight: usize,
    /// For how many seconds `/health/ready` says 503 before the listener closes, so that a load
    /// balancer notices in time.
    pub(crate) drain_seconds: u32,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            public_url: "http://127.0.0.1:8080".into(),
            trusted_proxies: Vec::new(),
            max_connections: 10_000,
            max_in_flight: 1024,
            drain_seconds: 1,
        }
    }
}

/// The listener for health and metrics.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Admin {
    /// Address and port.
    pub(crate) listen: String,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8081".into() }
    }
}

/// Where users are kept.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Store {
    /// `sqlite://` and the path of the file, from the working directory.
    pub(crate) url: String,
}

impl Default for Store {
    fn default() -> Self {
        Self { url: "sqlite://data/vestibule.db".into() }
    }
}

/// How often a client may ask. Each is a count and a unit, `60/min`, `10/s` or `1000/h`; `off`
/// turns one off.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Registering.
    pub(crate) register: String,
    /// Logging in.
    pub(crate) login: String,
    /// Passwords and codes.
    pub(crate) password: String,
    /// Everything else.
    pub(crate) read: String,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            register: "60/min".into(),
            login: "60/min".into(),
            password: "10/min".into(),
            read: "1200/min".into(),
        }
    }
}

/// The key that wraps every secret at rest.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Keys {
    /// 64 hexadecimal characters. A file that is absent is made on the first start.
    pub(crate) master: SecretRef,
}

impl Default for Keys {
    fn default() -> Self {
        Self { master: SecretRef::File("data/master.key".into()) }
    }
}

/// What the broker may reach.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Egress {
    /// `host` or `host:port` that may be private or plain HTTP.
    pub(crate) allow: Vec<String>,
    /// Files (PEM) with further root certificates.
    pub(crate) roots: Vec<String>,
}

/// Logs and traces.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    /// Where an OpenTelemetry collector takes OTLP over HTTP, for instance
    /// `http://127.0.0.1:4318`. Left out: nothing is exported.
    pub(crate) otlp_endpoint: Option<String>,
    /// How log lines look.
    pub(crate) log_format: LogFormat,
    /// What is logged: `info`, or a filter such as `info,vestibule_broker=debug`.
    pub(crate) log: String,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self { otlp_endpoint: None, log_format: LogFormat::Auto, log: "info".into() }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Projects in files of their own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Projects {
    /// A directory, from the working directory: each `*.toml` in it is one project, with the
    /// keys of a `[[project]]` at its top.
    pub(crate) dir: Option<String>,
}

/// A project: the tenant of its users.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Project {
    /// A UUID in lower case: the `projectId` that apps send.
    pub(crate) id: Option<String>,
    /// For people.
    pub(crate) name: String,
    /// `false`: answers as if the project were unknown.
    pub(crate) enabled: bool,
    /// Web origins that may call, exactly as a browser sends them: `https://game.example`.
    pub(crate) origins: Vec<String>,
    /// How `signature` is made.
    pub(crate) signature: Signature,
    /// The ways to log in.
    pub(crate) provider: Vec<Provider>,
}

impl Default for Project {
    fn default() -> Self {
        Self {
            id: None,
            name: String::new(),
            enabled: true,
            origins: Vec::new(),
            signature: Signature::default(),
            provider: Vec::new(),
        }
    }
}

/// How `signature` is made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Signature {
    /// Which MAC.
    pub(crate) algorithm: Algorithm,
    /// Its key. Left out: one is made and kept in the store.
    pub(crate) key: Option<SecretRef>,
}

/// The MAC of `signature`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub(crate) enum Algorithm {
    /// HMAC-SHA-256.
    #[default]
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    /// HMAC-SHA-1, for integrations that expect it.
    #[serde(rename = "hmac-sha1")]
    HmacSha1,
}

/// A way to log in.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Provider {
    /// The strategy on the wire, for instance `simplified`.
    pub(crate) strategy: Option<String>,
    /// The name on the wire, for instance `anonymous`.
    pub(crate) provider: Option<String>,
    /// The adapter. Left out where the name says it.
    pub(crate) kind: Option<String>,
    /// The adapter's own settings.
    pub(crate) settings: Map<String, Value>,
}
