//! Accounts that were read lately.
//!
//! Only this process writes the file, so a cached account is as good as a read one as long as
//! nobody has written it since. Every commit takes a number; an entry remembers the last number
//! that was given out *before* it was read, and is used only while its account was not written
//! under a later one. So an entry that was read beside a write is never used after that write
//! was acknowledged, however the two were interleaved.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use uuid::Uuid;
use vestibule_core::ids::UserId;
use vestibule_core::store::{ExternalKey, Found};

/// The memory that entries may take, in bytes, about.
const CAPACITY: u64 = 32 * 1024 * 1024;

/// What an entry costs beside its texts.
const OVERHEAD: usize = 512;

/// What an attribute is reckoned at.
const ATTRIBUTE: usize = 256;

/// How long an entry is used at most: so long may a change that was made to the file by hand stay
/// unseen.
const KEPT: Duration = Duration::from_secs(60);

/// Accounts share these places; a neighbour's write costs a read of the file, nothing else.
const PLACES: usize = 4096;

type Key = (Uuid, ExternalKey);

#[derive(Clone)]
struct Entry {
    found: Arc<Found>,
    as_of: u64,
}

/// Accounts by project and external key.
pub(crate) struct Accounts {
    entries: Cache<Key, Entry>,
    commits: AtomicU64,
    written: Box<[AtomicU64]>,
    closed: AtomicBool,
}

impl Accounts {
    pub(crate) fn new() -> Self {
        let entries = Cache::builder()
            .max_capacity(CAPACITY)
            .weigher(|_: &Key, entry: &Entry| {
                let account = &entry.found.account;
                let attributes = entry.found.identity.attributes.len() * ATTRIBUTE;
                let size = OVERHEAD + account.app_profile.as_json().len() + attributes;
                u32::try_from(size).unwrap_or(u32::MAX)
            })
            .time_to_live(KEPT)
            .build();
        let written = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Self { entries, commits: AtomicU64::new(0), written, closed: AtomicBool::new(false) }
    }

    /// What is cached and still true.
    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Found>> {
        if self.closed.load(Ordering::Relaxed) {
            return None;
        }
        let entry = self.entries.get(key)?;
        let written = self.place(entry.found.account.id)?.load(Ordering::Acquire);
        (written <= entry.as_of).then_some(entry.found)
    }

    /// The number to be taken before a read whose result is to be kept.
    pub(crate) fn now(&self) -> u64 {
        self.commits.load(Ordering::Acquire)
    }

    /// Keeps what was read after [`Accounts::now`] gave the number.
    pub(crate) fn keep(&self, key: Key, found: Arc<Found>, as_of: u64) {
        self.entries.insert(key, Entry { found, as_of });
    }

    /// To be called by the writer between the commit of a write and its acknowledgement.
    pub(crate) fn written(&self, id: UserId) {
        let number = self.commits.fetch_add(1, Ordering::AcqRel) + 1;
        if let Some(place) = self.place(id) {
            place.fetch_max(number, Ordering::AcqRel);
        }
    }

    /// Answers nothing any more, as the file does not.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.entries.invalidate_all();
    }

    /// The last bytes of a UUIDv7 are random.
    fn place(&self, id: UserId) -> Option<&AtomicU64> {
        let [.., high, low] = *id.uuid().as_bytes();
        self.written.get(usize::from(u16::from_be_bytes([high, low])) % PLACES)
    }
}

#[cfg(test)]
mod tests {
    use vestibule_core::payload::AppProfile;
    use vestibule_core::ports::Timestamp;
    use vestibule_core::store::{Account, IdentityKey, StoredIdentity};
    use vestibule_core::{InstanceId, Issuer, Subject};

    use super::*;

    fn found(id: u128) -> Arc<Found> {
        let at = Timestamp::from_secs(1);
        Arc::new(Found {
            account: Account {
                id: UserId::new(Uuid::from_u128(id)),
                username: None,
                app_profile: AppProfile::empty(),
                sign_up: at,
                updated_at: at,
                logins: Vec::new(),
                revision: 0,
            },
            identity: StoredIdentity {
                key: IdentityKey {
                    instance: InstanceId::new("s", "p").unwrap(),
                    issuer: Issuer::new("i"),
                    subject: Subject::parse("1").unwrap(),
                },
                external: ExternalKey([0; 32]),
                attributes: Default::default(),
                adapter_data: None,
            },
        })
    }

    const KEY: Key = (Uuid::nil(), ExternalKey([0; 32]));

    #[test]
    fn an_entry_read_beside_a_write_is_not_used_after_it() {
        let cache = Accounts::new();
        let as_of = cache.now();
        // The read happens here, and sees the state before the write that follows.
        cache.written(UserId::new(Uuid::from_u128(1)));
        cache.keep(KEY, found(1), as_of);
        assert!(cache.get(&KEY).is_none());
        cache.keep(KEY, found(1), cache.now());
        assert!(cache.get(&KEY).is_some());
    }

    #[test]
    fn a_write_of_another_account_leaves_an_entry() {
        let cache = Accounts::new();
        cache.keep(KEY, found(1), cache.now());
        cache.written(UserId::new(Uuid::from_u128(2)));
        assert!(cache.get(&KEY).is_some());
        cache.written(UserId::new(Uuid::from_u128(1)));
        assert!(cache.get(&KEY).is_none());
    }

    #[test]
    fn p05_projects_do_not_share_entries() {
        let cache = Accounts::new();
        cache.keep(KEY, found(1), cache.now());
        assert!(cache.get(&(Uuid::from_u128(1), KEY.1)).is_none());
    }
}
