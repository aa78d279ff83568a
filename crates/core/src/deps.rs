//! What an adapter is given: once when it is built, and once per call.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;
use crate::identity::{AdapterData, Attributes, Issuer, Subject};
use crate::ids::{RequestId, UserId};
use crate::ports::{Clock, Entropy, HttpClient, Secrets};

/// What an adapter is built with. Everything is already scoped to one provider of one project.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Deps {
    /// The one way out.
    pub http: Arc<dyn HttpClient>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Turns `env:` and `file:` references into secrets, at build.
    pub secrets: Arc<dyn Secrets>,
    /// What the broker knows about users of this provider.
    pub accounts: Arc<dyn Accounts>,
}

impl Deps {
    /// Puts the parts together.
    #[must_use]
    pub fn new(
        http: Arc<dyn HttpClient>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        secrets: Arc<dyn Secrets>,
        accounts: Arc<dyn Accounts>,
    ) -> Self {
        Self { http, clock, entropy, secrets, accounts }
    }
}

/// Read access to the identities of one provider of one project. Nothing else can be reached
/// through it.
#[async_trait]
pub trait Accounts: fmt::Debug + Send + Sync {
    /// The identity of a subject, if it ever registered.
    ///
    /// # Errors
    /// [`crate::ErrorKind::StoreUnavailable`].
    async fn find(&self, issuer: &Issuer, subject: &Subject) -> Result<Option<KnownIdentity>>;
}

/// An identity that the broker has on record.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KnownIdentity {
    /// Whose it is.
    pub user_id: UserId,
    /// Who vouches.
    pub issuer: Issuer,
    /// For whom.
    pub subject: Subject,
    /// What the provider said last.
    pub attributes: Attributes,
    /// What the adapter asked to remember.
    pub adapter_data: Option<AdapterData>,
}

impl KnownIdentity {
    /// Puts the parts together.
    #[must_use]
    pub fn new(user_id: UserId, issuer: Issuer, subject: Subject) -> Self {
        Self { user_id, issuer, subject, attributes: Attributes::new(), adapter_data: None }
    }
}

/// What an adapter is told about one call.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Call<'a> {
    /// Names the request in logs, and upstream where the vendor takes such an id.
    pub request_id: RequestId,
    /// How long the whole operation may still take.
    pub within: Duration,
    /// The end user's address, to be forwarded where the vendor documents it.
    pub client_ip: Option<IpAddr>,
    /// The end user's `Accept-Language`, where one came.
    pub locale: Option<&'a str>,
    /// The identity that the request's external id names, looked up by the broker; `None` when
    /// the request names none or nobody has it. **Not a proof** unless the offer says that the
    /// external id is the credential.
    pub account: Option<&'a KnownIdentity>,
}

impl<'a> Call<'a> {
    /// A call that nothing is known about but its id and its time.
    #[must_use]
    pub const fn new(request_id: RequestId, within: Duration) -> Self {
        Self { request_id, within, client_ip: None, locale: None, account: None }
    }

    /// Adds where the user calls from.
    #[must_use]
    pub const fn client(mut self, ip: Option<IpAddr>, locale: Option<&'a str>) -> Self {
        self.client_ip = ip;
        self.locale = locale;
        self
    }

    /// Adds the identity that the external id names.
    #[must_use]
    pub const fn account(mut self, account: Option<&'a KnownIdentity>) -> Self {
        self.account = account;
        self
    }
}
