#![doc = include_str!("../README.md")]
//!
//! # Where to start
//!
//! * writing an adapter: [`Provider`], [`ProviderConfig`], [`Identity`]
//! * what a request carries: [`request`], [`Payload`], [`Call`]
//! * what went wrong: [`Error`], [`ErrorKind`]
//! * what a store must promise: [`store`]

pub mod answer;
pub mod deps;
pub mod error;
pub mod identity;
pub mod ids;
pub mod operation;
pub mod payload;
pub mod ports;
pub mod project;
pub mod provider;
pub mod registry;
pub mod request;
pub mod store;

pub use answer::Answer;
pub use deps::{Accounts, Call, Deps, KnownIdentity};
pub use error::{Actor, Error, ErrorKind, Result};
pub use identity::{AdapterData, Attributes, Identity, Issuer, Subject, Tokens};
pub use ids::{DeviceId, ExternalId, InstanceId, ProjectId, RequestId, UserId};
pub use operation::{Capabilities, Credential, Field, FieldKind, Offer, Operation};
pub use payload::{AppProfile, Payload, Username};
pub use ports::{Clock, Entropy, HttpClient, SecretRef, Secrets, Timestamp};
pub use project::{ProjectSpec, ProviderSpec, SignatureAlgorithm, SignatureSpec};
pub use provider::{Provider, ProviderConfig};
pub use registry::Registry;
