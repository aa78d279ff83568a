//! What a project's owner configured, in a form that no file format shows through.

use secrecy::SecretString;
use serde_json::Value;

use crate::ids::{InstanceId, ProjectId};

/// A project and its providers.
#[derive(Clone, Debug)]
pub struct ProjectSpec {
    /// The tenant.
    pub id: ProjectId,
    /// For people: logs of the operator, never an answer.
    pub name: String,
    /// A disabled project answers as if it were unknown.
    pub enabled: bool,
    /// Which web origins may call (RFC 6454 §6.2 serialisation, exact).
    pub origins: Vec<String>,
    /// How `signature` is made.
    pub signature: SignatureSpec,
    /// The providers, in the order of the configuration.
    pub providers: Vec<ProviderSpec>,
}

/// One provider of a project.
#[derive(Clone, Debug)]
pub struct ProviderSpec {
    /// Strategy and name on the wire.
    pub instance: InstanceId,
    /// Which adapter.
    pub kind: String,
    /// The adapter's settings, not yet checked.
    pub settings: Value,
}

/// How a project signs `userId,timeStamp`.
#[derive(Clone, Debug)]
pub struct SignatureSpec {
    /// Which MAC.
    pub algorithm: SignatureAlgorithm,
    /// The key; `None` has one made and kept in the store.
    pub key: Option<SecretString>,
}

/// The MAC of `signature`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// HMAC-SHA-256 (RFC 2104, FIPS 180-4): 64 characters.
    #[default]
    HmacSha256,
    /// HMAC-SHA-1: 40 characters, for integrations that expect them. Collisions of SHA-1 do not
    /// break HMAC, but choose SHA-256 where you can.
    HmacSha1,
}
