//! One operation, from a checked request to an answer.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use tokio::time::Instant;
use vestibule_core::request::{
    Check, ConfirmForgotPassword, ForgotPassword, Logout, Profile, Update, Vouch,
};
use vestibule_core::store::Found;
use vestibule_core::{
    Answer, Call, Credential, DeviceId, Error, ErrorKind, ExternalId, KnownIdentity, Offer,
    Operation, Payload, RequestId, Result,
};

use crate::keys::ProjectKeys;
use crate::{Broker, Instance, Project, accounts, guard};

/// What is known about a call beside its content.
#[derive(Clone, Debug)]
pub struct Context {
    /// Names the request.
    pub request_id: RequestId,
    /// How long the operation may take.
    pub within: Duration,
    /// Where the user calls from.
    pub client_ip: Option<IpAddr>,
    /// The user's `Accept-Language`.
    pub locale: Option<String>,
}

/// What a request carries, parsed.
#[derive(Debug, Default)]
pub struct Input {
    /// `deviceId` of the top level or the query.
    pub device_id: Option<DeviceId>,
    /// `externalId` of the header, the top level or the query.
    pub external_id: Option<ExternalId>,
    /// The bearer token.
    pub bearer: Option<SecretString>,
    /// `refreshToken` of the top level.
    pub refresh_token: Option<SecretString>,
    /// `accessToken` of the query.
    pub access_token: Option<SecretString>,
    /// `userId` of the query: the provider's id of the user.
    pub user_id: Option<String>,
    /// `data`.
    pub data: Option<Payload>,
}

/// Ids that `data` may carry for any operation.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ids {
    device_id: Option<DeviceId>,
    external_id: Option<ExternalId>,
}

/// One operation under way.
pub(crate) struct Job<'a> {
    started: Instant,
    pub(crate) broker: &'a Broker,
    pub(crate) project: &'a Project,
    pub(crate) instance: &'a Instance,
    pub(crate) keys: &'a ProjectKeys,
    pub(crate) context: &'a Context,
    pub(crate) device_id: Option<DeviceId>,
    pub(crate) external_id: Option<ExternalId>,
    pub(crate) found: Option<Found>,
    pub(crate) known: Option<KnownIdentity>,
}

impl Broker {
    /// Performs an operation that the provider offers, for a caller within the rate limit.
    ///
    /// Demands the credential, then checks `data`, then asks the adapter, then records and
    /// answers: the last four of the contract's checks, in their order.
    ///
    /// # Errors
    /// Whatever stands in the way, as one kind; see [`ErrorKind`].
    pub async fn perform(
        &self,
        (project, instance): (&Project, &Instance),
        operation: Operation,
        context: &Context,
        mut input: Input,
    ) -> Result<Answer> {
        let offer = instance.offer(operation)?;
        if offer.credential == Credential::Bearer && input.bearer.is_none() {
            return Err(Error::new(ErrorKind::MissingCredential));
        }
        let payload = input.data.take().unwrap_or_else(Payload::empty);
        let ids = match payload.is_empty() {
            true => {
                offer.check(&payload)?;
                Ids::default()
            }
            false => {
                guard::data(offer, &payload)?;
                offer.check(&payload)?;
                payload.parse()?
            }
        };
        let keys = project.keys(&self.vault, self.entropy.as_ref()).await?;
        let mut job = Job {
            started: Instant::now(),
            broker: self,
            project,
            instance,
            keys,
            context,
            device_id: agreed(input.device_id, ids.device_id, "deviceId")?,
            external_id: agreed(input.external_id.take(), ids.external_id, "externalId")?,
            found: None,
            known: None,
        };
        job.look_up(offer).await?;
        job.dispatch(operation, input, payload).await
    }
}

impl Job<'_> {
    /// Finds whom the external id names, where the offer makes it part of the proof.
    async fn look_up(&mut self, offer: &Offer) -> Result<()> {
        let alone = match offer.credential {
            Credential::ExternalId => true,
            Credential::Device => false,
            _ => return Ok(()),
        };
        let Some(id) = &self.external_id else {
            return Err(match alone {
                true => Error::field("externalId", "is required: send it in X-External-Id"),
                false => Error::field("data.externalId", "is required"),
            });
        };
        if !alone && self.device_id.is_none() {
            return Err(Error::field("data.deviceId", "is required"));
        }
        let key = self.keys.external_key(id);
        let found = self.project.accounts.find_by_external(self.instance.id(), &key).await?;
        match found {
            Some(found) => {
                let known = accounts::known(self.project.id(), &found, &self.broker.vault)?;
                self.known = Some(known);
                self.found = Some(found);
                Ok(())
            }
            None if alone => Err(Error::new(ErrorKind::UnknownUser)),
            None => Ok(()),
        }
    }

    async fn dispatch(
        self,
        operation: Operation,
        input: Input,
        payload: Payload,
    ) -> Result<Answer> {
        let provider = self.instance.provider.as_ref();
        match operation {
            Operation::Register => self.register(payload).await,
            Operation::Login => self.login(payload).await,
            Operation::Refresh => self.refresh(input.refresh_token).await,
            Operation::ChangePassword => {
                self.change_password(required(input.bearer)?, payload).await
            }
            Operation::Check => {
                let request = Check::new(required(input.bearer)?);
                let who = self.ask(provider.check(&self.call(), request)).await?;
                self.profile(who, true).await
            }
            Operation::Profile => {
                let request = Profile::new(input.bearer);
                let who = self.ask(provider.profile(&self.call(), request)).await?;
                self.profile(who, false).await
            }
            Operation::Vouch => {
                let token = input.access_token.or(input.bearer).ok_or_else(|| {
                    Error::field("accessToken", "is required, here or as a bearer token")
                })?;
                let who = self.ask(provider.vouch(&self.call(), Vouch::new(token))).await?;
                // A subject named beside the token must be the token's own.
                if input.user_id.is_some_and(|user| user != who.subject.as_str()) {
                    return Err(Error::new(ErrorKind::InvalidCredential));
                }
                self.profile(who, true).await
            }
            Operation::Update => {
                let request = Update::new(input.bearer, payload);
                let who = self.ask(provider.update(&self.call(), request)).await?;
                self.update(who).await
            }
            Operation::Logout => {
                let request = Logout::new(required(input.bearer)?);
                self.ask(provider.logout(&self.call(), request)).await.map(|()| Answer::Done)
            }
            Operation::ForgotPassword => {
                let request = ForgotPassword::new(payload);
                self.ask(provider.forgot_password(&self.call(), request)).await?;
                Ok(Answer::Done)
            }
            Operation::ConfirmForgotPassword => {
                let request = ConfirmForgotPassword::new(payload);
                self.ask(provider.confirm_forgot_password(&self.call(), request)).await?;
                Ok(Answer::Done)
            }
            Operation::Erase => self.erase(input.bearer, payload).await,
            _ => Err(Error::new(ErrorKind::Unsupported)),
        }
    }

    /// What the adapter is told about this call.
    pub(crate) fn call(&self) -> Call<'_> {
        Call::new(self.context.request_id, self.remaining())
            .client(self.context.client_ip, self.context.locale.as_deref())
            .account(self.known.as_ref())
    }

    fn remaining(&self) -> Duration {
        self.context.within.saturating_sub(self.started.elapsed())
    }

    /// Waits for the adapter, but no longer than the call may take.
    pub(crate) async fn ask<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::time::timeout(self.remaining(), answer).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::UpstreamTimeout)
                .step("provider")
                .context("provider.kind", self.instance.kind()))
        })
    }
}

/// An id that may stand at the top level and in `data`, but not as two different ones: the adapter
/// would look at one and the broker at the other.
fn agreed<T: PartialEq>(outer: Option<T>, inner: Option<T>, field: &str) -> Result<Option<T>> {
    match (&outer, &inner) {
        (Some(one), Some(other)) if one != other => {
            Err(Error::field(field, "is given twice with different values"))
        }
        _ => Ok(outer.or(inner)),
    }
}

/// A bearer that the offer may not have asked for, although the operation cannot do without.
pub(crate) fn required(token: Option<SecretString>) -> Result<SecretString> {
    token.ok_or_else(|| Error::new(ErrorKind::MissingCredential))
}
