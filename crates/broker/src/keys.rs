//! What is derived from a project's keys: external ids, lookup keys and signatures.

use std::fmt;

use aws_lc_rs::hmac;
use secrecy::ExposeSecret;
use vestibule_core::ids::hex;
use vestibule_core::store::{DeviceKey, ExternalKey, IdentityKey, KeyName, KeyStore};
use vestibule_core::{
    DeviceId, Entropy, ExternalId, ProjectId, Result, SignatureAlgorithm, SignatureSpec, Timestamp,
    UserId,
};

use crate::seal::{Row, Vault, length_prefixed};

/// The keys of one project, parsed.
pub(crate) struct ProjectKeys {
    identity: hmac::Key,
    signature: hmac::Key,
}

impl fmt::Debug for ProjectKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProjectKeys(…)")
    }
}

impl ProjectKeys {
    /// Loads the project's keys from the store, making those that are not there yet.
    pub(crate) async fn load(
        project: ProjectId,
        signature: &SignatureSpec,
        store: &dyn KeyStore,
        vault: &Vault,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let kept = async |name: KeyName| -> Result<_> {
            let row = Row { project, table: "project_key", id: name.as_str() };
            if let Some(sealed) = store.find(name).await? {
                return vault.open(&row, &sealed);
            }
            let mut fresh = zeroize::Zeroizing::new([0; 32]);
            entropy.fill(fresh.as_mut_slice());
            let candidate = vault.seal(&row, fresh.as_slice())?;
            vault.open(&row, &store.find_or_create(name, candidate).await?)
        };
        let identity = kept(KeyName::Identity).await?;
        let algorithm = match signature.algorithm {
            SignatureAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
            SignatureAlgorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        };
        let signature = match &signature.key {
            Some(key) => hmac::Key::new(algorithm, key.expose_secret().as_bytes()),
            None => hmac::Key::new(algorithm, &kept(KeyName::Signature).await?),
        };
        Ok(Self { identity: hmac::Key::new(hmac::HMAC_SHA256, &identity), signature })
    }

    /// The external id of an identity: `HMAC-SHA-256(project key, length-prefixed(instance,
    /// issuer, subject))`. Not derivable without the key.
    pub(crate) fn external_id(&self, key: &IdentityKey) -> ExternalId {
        ExternalId::from_bytes(&self.tag(&[
            key.instance.as_str().as_bytes(),
            key.issuer.as_str().as_bytes(),
            key.subject.as_str().as_bytes(),
        ]))
    }

    /// What an external id is found by in the store. Two parts where [`Self::external_id`] has
    /// three, and no instance is named `external`, so the two never meet.
    pub(crate) fn external_key(&self, id: &ExternalId) -> ExternalKey {
        ExternalKey(self.tag(&[b"external", id.reveal().as_bytes()]))
    }

    /// What a device is found by in the store.
    pub(crate) fn device_key(&self, id: DeviceId) -> DeviceKey {
        DeviceKey(self.tag(&[b"device", id.uuid().as_bytes()]))
    }

    fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let tag = hmac::sign(&self.identity, &length_prefixed(parts));
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        bytes
    }

    /// Upper-case hexadecimal MAC over `userId,timeStamp`.
    pub(crate) fn sign(&self, user: UserId, at: Timestamp) -> String {
        let tag = hmac::sign(&self.signature, message(user, at).as_bytes());
        hex(tag.as_ref()).to_ascii_uppercase()
    }

    /// Whether a signature is the project's, in constant time (RFC 2104 §6 on truncation: none
    /// is accepted).
    pub(crate) fn verify(&self, user: UserId, at: Timestamp, signature: &str) -> bool {
        unhex(signature).is_some_and(|tag| {
            hmac::verify(&self.signature, message(user, at).as_bytes(), &tag).is_ok()
        })
    }
}

fn message(user: UserId, at: Timestamp) -> String {
    format!("{user},{}", at.secs())
}

/// The bytes of upper-case hexadecimal text; `None` for anything else.
fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || text.len() > 64 {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    };
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(algorithm: hmac::Algorithm) -> ProjectKeys {
        ProjectKeys {
            identity: hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]),
            signature: hmac::Key::new(algorithm, b"s3cret"),
        }
    }

    const USER: &str = "99b5e0ae-60b8-4667-8741-f4e1486d2b3a";
    const AT: Timestamp = Timestamp::from_secs(1_614_788_100);

    #[test]
    fn the_published_vectors_hold() {
        let user = UserId::parse(USER).unwrap();
        for (algorithm, expected) in [
            (hmac::HMAC_SHA256, "3743F8CBD8A40B0EE2C7DC62263990727FBF2D4718221E1B5E5053F46EC6996F"),
            (hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, "FF17E7F9767A5E6BDB8779FBB08B72BC31E3E0B3"),
        ] {
            assert_eq!(keys(algorithm).sign(user, AT), expected);
            assert!(keys(algorithm).verify(user, AT, expected));
        }
    }

    #[test]
    fn g10_a_changed_part_does_not_verify() {
        let keys = keys(hmac::HMAC_SHA256);
        let user = UserId::parse(USER).unwrap();
        let other = UserId::parse("99b5e0ae-60b8-4667-8741-f4e1486d2b3b").unwrap();
        let good = keys.sign(user, AT);
        assert!(!keys.verify(other, AT, &good));
        assert!(!keys.verify(user, Timestamp::from_secs(AT.secs() + 1), &good));
        for at in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[at] = if bad[at] == b'0' { b'1' } else { b'0' };
            assert!(!keys.verify(user, AT, std::str::from_utf8(&bad).unwrap()));
        }
        for bad in ["", "00", &good[..62], &good.to_lowercase(), &format!("{good}00"), "zz"] {
            assert!(!keys.verify(user, AT, bad), "{bad}");
        }
    }

    #[test]
    fn g01_external_ids_differ_by_every_part_of_the_key() {
        use vestibule_core::{InstanceId, Issuer, Subject};
        let keys = keys(hmac::HMAC_SHA256);
        let id = |strategy: &str, issuer: &str, subject: &str| {
            keys.external_id(&IdentityKey {
                instance: InstanceId::new(strategy, "p").unwrap(),
                issuer: Issuer::new(issuer),
                subject: Subject::parse(subject).unwrap(),
            })
        };
        let base = id("s", "ab", "c");
        assert_eq!(base.reveal().len(), 64);
        assert_eq!(base, id("s", "ab", "c"));
        for other in [id("t", "ab", "c"), id("s", "a", "bc"), id("s", "ab", "d")] {
            assert_ne!(base, other);
        }
    }
}
