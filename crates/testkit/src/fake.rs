//! Time, randomness, secrets and accounts that a test decides.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use vestibule_core::{
    Accounts, Clock, Entropy, Error, ErrorKind, Issuer, KnownIdentity, Result, SecretRef, Secrets,
    Subject, Timestamp,
};

/// A clock that stands still until the test moves it.
#[derive(Debug)]
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock that shows a moment.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.millis()))
    }

    /// Jumps to a moment, also backwards.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.millis(), Ordering::SeqCst);
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.set(Timestamp::from_millis(self.now().millis().saturating_add(by)));
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Randomness that is the same in every run: one seed, one sequence. No eight bytes of it
/// repeat.
#[derive(Debug)]
pub struct SeededEntropy(AtomicU64);

impl SeededEntropy {
    /// The sequence of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let number = mix(self.0.fetch_add(1, Ordering::SeqCst));
            for (byte, random) in chunk.iter_mut().zip(number.to_be_bytes()) {
                *byte = random;
            }
        }
    }
}

/// The finalizer of SplitMix64: different counts give different numbers.
const fn mix(count: u64) -> u64 {
    let mut z = count.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Secrets from a table.
#[derive(Clone, Default)]
pub struct MapSecrets(BTreeMap<String, String>);

impl MapSecrets {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the secret behind a reference such as `env:NAME`.
    #[must_use]
    pub fn with(mut self, reference: &str, secret: &str) -> Self {
        self.0.insert(reference.to_owned(), secret.to_owned());
        self
    }
}

impl fmt::Debug for MapSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secrets for MapSecrets {
    fn resolve(&self, reference: &SecretRef) -> Result<SecretString> {
        self.0
            .get(&reference.to_string())
            .map(|secret| SecretString::from(secret.clone()))
            .ok_or_else(|| unknown(reference))
    }
}

/// Knows no secret.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, reference: &SecretRef) -> Result<SecretString> {
        Err(unknown(reference))
    }
}

fn unknown(reference: &SecretRef) -> Error {
    Error::new(ErrorKind::Misconfigured).detail("reason", format!("{reference} is not set"))
}

/// Knows no user.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAccounts;

#[async_trait]
impl Accounts for NoAccounts {
    async fn find(&self, _issuer: &Issuer, _subject: &Subject) -> Result<Option<KnownIdentity>> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_without_repeats() {
        let (one, same, other) =
            (SeededEntropy::new(7), SeededEntropy::new(7), SeededEntropy::new(1 << 40));
        let draw = |entropy: &SeededEntropy| {
            let mut bytes = [0; 20];
            entropy.fill(&mut bytes);
            bytes
        };
        let first = draw(&one);
        assert_eq!(first, draw(&same));
        assert_ne!(first, draw(&other));
        assert_ne!(first, draw(&one));
        assert_ne!(first[..8], first[8..16]);
    }

    #[test]
    fn secrets_do_not_show() {
        let secrets = MapSecrets::new().with("env:KEY", "canary");
        assert_eq!(format!("{secrets:?}"), "{\"env:KEY\"}");
    }
}
