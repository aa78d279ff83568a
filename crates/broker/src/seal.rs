//! Encryption at rest: AES-256-GCM (NIST SP 800-38D) under the master key.
//!
//! The associated data binds a ciphertext to its project, table and row, so that a row moved
//! to another project does not open there.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use vestibule_core::store::Sealed;
use vestibule_core::{Entropy, Error, ErrorKind, ProjectId, Result};
use zeroize::Zeroizing;

/// The key that wraps every secret at rest: 256 bits.
#[derive(Clone)]
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Wraps key bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Where a sealed value stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) project: ProjectId,
    pub(crate) table: &'static str,
    pub(crate) id: &'a str,
}

impl Row<'_> {
    fn aad(&self) -> Vec<u8> {
        length_prefixed(&[
            self.project.uuid().as_bytes(),
            self.table.as_bytes(),
            self.id.as_bytes(),
        ])
    }
}

/// Joins parts, each preceded by its length: no two lists of parts join alike.
pub(crate) fn length_prefixed(parts: &[&[u8]]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        joined.extend_from_slice(&(part.len() as u64).to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

/// The format of a sealed value: this byte, the nonce, the ciphertext with its tag.
const FORMAT: u8 = 1;

/// Seals and opens values.
pub(crate) struct Vault {
    /// `None` only if the library refuses a 32-byte key; then nothing can be sealed or opened.
    key: Option<LessSafeKey>,
    entropy: Arc<dyn Entropy>,
}

impl Vault {
    pub(crate) fn new(master: &MasterKey, entropy: Arc<dyn Entropy>) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, master.0.as_slice()).ok().map(LessSafeKey::new);
        Self { key, entropy }
    }

    pub(crate) fn seal(&self, row: &Row<'_>, secret: &[u8]) -> Result<Sealed> {
        let key = self.key.as_ref().ok_or_else(failed)?;
        // A random 96-bit nonce under one key is good for 2^32 values (SP 800-38D §8.3).
        let mut nonce = [0; NONCE_LEN];
        self.entropy.fill(&mut nonce);
        let mut text = secret.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        key.seal_in_place_append_tag(unique, Aad::from(row.aad()), &mut text)
            .map_err(|_| failed())?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + text.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut text);
        Ok(Sealed(sealed))
    }

    pub(crate) fn open(&self, row: &Row<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>> {
        let key = self.key.as_ref().ok_or_else(failed)?;
        let (format, rest) = sealed.0.split_first().ok_or_else(failed)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_LEN>().ok_or_else(failed)?;
        if *format != FORMAT {
            return Err(failed());
        }
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length =
            key.open_in_place(nonce, Aad::from(row.aad()), &mut text).map_err(|_| failed())?.len();
        text.truncate(length);
        Ok(text)
    }
}

fn failed() -> Error {
    Error::new(ErrorKind::Internal)
        .step("seal")
        .context("reason", "a sealed value does not open with this master key in this place")
}

#[cfg(test)]
mod tests {
    use vestibule_testkit::SeededEntropy;

    use super::*;

    fn vault(byte: u8) -> Vault {
        Vault::new(&MasterKey::new([byte; 32]), Arc::new(SeededEntropy::new(7)))
    }

    fn row(project: &str) -> Row<'_> {
        Row { project: ProjectId::parse(project).unwrap(), table: "identity", id: "1" }
    }

    const A: &str = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5";
    const B: &str = "a69a31e9-f2e6-4d5f-b080-6138c6a721b7";

    #[test]
    fn x03_a_sealed_value_opens_only_in_its_place() {
        let vault = vault(1);
        let sealed = vault.seal(&row(A), b"canary").unwrap();
        assert!(!sealed.0.windows(6).any(|bytes| bytes == b"canary"));
        assert_eq!(vault.open(&row(A), &sealed).unwrap().as_slice(), b"canary");
        assert!(vault.open(&row(B), &sealed).is_err());
        assert!(vault.open(&Row { table: "session", ..row(A) }, &sealed).is_err());
        assert!(vault.open(&Row { id: "2", ..row(A) }, &sealed).is_err());
    }

    #[test]
    fn x03_another_master_key_opens_nothing() {
        let sealed = vault(1).seal(&row(A), b"canary").unwrap();
        assert!(vault(2).open(&row(A), &sealed).is_err());
    }

    #[test]
    fn a_damaged_value_is_refused() {
        let vault = vault(1);
        let sealed = vault.seal(&row(A), b"canary").unwrap();
        for at in 0..sealed.0.len() {
            let mut damaged = sealed.clone();
            damaged.0[at] ^= 1;
            assert!(vault.open(&row(A), &damaged).is_err(), "byte {at}");
        }
        for length in 0..sealed.0.len() {
            assert!(vault.open(&row(A), &Sealed(sealed.0[..length].to_vec())).is_err());
        }
    }

    #[test]
    fn equal_secrets_do_not_look_alike() {
        let vault = vault(1);
        assert_ne!(vault.seal(&row(A), b"x").unwrap(), vault.seal(&row(A), b"x").unwrap());
    }
}
