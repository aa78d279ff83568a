//! The guest provider.

use async_trait::async_trait;
use serde::Deserialize;
use vestibule_core::identity::Existing;
use vestibule_core::payload::DevicePair;
use vestibule_core::request::{Erase, Login, Register};
use vestibule_core::{
    Call, Capabilities, Credential, DeviceId, Error, ErrorKind, Field, FieldKind, Identity, Issuer,
    Operation, Payload, Provider, Result, Subject,
};

use crate::config::Reclaim;

/// Guests by device.
#[derive(Debug)]
pub struct Anonymous {
    reclaim: Reclaim,
}

impl Anonymous {
    /// A provider with this rule for known devices.
    #[must_use]
    pub fn new(reclaim: Reclaim) -> Self {
        Self { reclaim }
    }
}

/// Between the digest of the device and that of the device with its additional id.
const SEPARATOR: char = '.';

fn issuer() -> Issuer {
    Issuer::new("anonymous")
}

fn device_part(device: DeviceId) -> Subject {
    Subject::digest(&[b"device", device.uuid().as_bytes()])
}

/// A guest's subject: a digest of the device, so that a login can be held against it, and one
/// of device and additional id, so that players of one device differ. Neither id can be read
/// back from it.
fn subject(device: DeviceId, additional: Option<&str>) -> Result<Subject> {
    let player = match additional {
        Some(id) => Subject::digest(&[b"player", device.uuid().as_bytes(), id.as_bytes()]),
        None => Subject::digest(&[b"only player", device.uuid().as_bytes()]),
    };
    let text = format!("{}{SEPARATOR}{}", device_part(device).as_str(), player.as_str());
    Subject::parse(&text).ok_or_else(|| Error::new(ErrorKind::Internal).step("subject"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    additional_id: Option<String>,
}

#[async_trait]
impl Provider for Anonymous {
    fn capabilities(&self) -> Capabilities {
        let pair = || {
            [
                Field::required("externalId", FieldKind::Text),
                Field::required("deviceId", FieldKind::Uuid),
            ]
        };
        Capabilities::none()
            .offer(
                Operation::Register,
                Credential::None,
                [
                    Field::optional("deviceId", FieldKind::Uuid),
                    Field::optional("additionalId", FieldKind::Text),
                ],
            )
            .offer(Operation::Login, Credential::Device, pair())
            .offer(Operation::Erase, Credential::Device, pair())
    }

    async fn register(&self, _: &Call<'_>, request: Register) -> Result<Identity> {
        let data: Registration = request.payload.parse()?;
        let additional = data.additional_id.as_deref();
        if additional.is_some_and(|id| !(1..=255).contains(&id.len())) {
            return Err(Error::field("data.additionalId", "must be 1 to 255 bytes"));
        }
        let existing = match self.reclaim {
            Reclaim::Device => Existing::SignIn,
            Reclaim::Never => Existing::Refuse,
        };
        let subject = subject(request.device_id, additional)?;
        Ok(Identity::new(issuer(), subject).existing(existing))
    }

    async fn login(&self, call: &Call<'_>, request: Login) -> Result<Identity> {
        prove(call, &request.payload)
    }

    async fn erase(&self, call: &Call<'_>, request: Erase) -> Result<Identity> {
        prove(call, &request.payload)
    }
}

/// External id and device id must name one guest. Which of the two is wrong is not told.
fn prove(call: &Call<'_>, payload: &Payload) -> Result<Identity> {
    let pair: DevicePair = payload.parse()?;
    let device = device_part(pair.device_id);
    call.account
        .filter(|known| {
            let part = known.subject.as_str().split(SEPARATOR).next();
            part == Some(device.as_str())
        })
        .map(|known| Identity::new(known.issuer.clone(), known.subject.clone()))
        .ok_or_else(|| Error::new(ErrorKind::InvalidCredential))
}
