//! What happens when the file, the disk or the operator misbehaves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where its setup fails"
)]

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tempfile::TempDir;
use uuid::Uuid;
use vestibule_core::identity::{Attributes, Existing, Issuer, Subject};
use vestibule_core::ids::{InstanceId, ProjectId, UserId};
use vestibule_core::ports::Timestamp;
use vestibule_core::store::{
    DeviceKey, ExternalKey, Found, IdentityKey, NewAccount, StoreError, StoreResult,
    StoredIdentity, Stores,
};
use vestibule_store_sqlite::{OpenError, SqliteOptions, SqliteStores};

const FRAME: u64 = 24 + 4096;

struct Place {
    dir: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data").join("vestibule.db");
        Self { dir, path }
    }

    fn open(&self) -> Result<SqliteStores, OpenError> {
        SqliteStores::open(SqliteOptions::new(&self.path))
    }

    /// The store with some accounts, closed again.
    async fn filled(accounts: u8) -> Self {
        let place = Self::new();
        let stores = place.open().unwrap();
        for n in 0..accounts {
            register(&stores, n, 1_000).await.unwrap();
        }
        stores.close().await;
        place
    }

    /// A copy of database and log as they lie on the disk now, as a crash would leave them.
    fn crash(&self) -> Self {
        let copy = Self::new();
        std::fs::create_dir(copy.path.parent().unwrap()).unwrap();
        std::fs::copy(&self.path, &copy.path).unwrap();
        std::fs::copy(log(&self.path), log(&copy.path)).unwrap();
        copy
    }

    fn refusal(&self) -> OpenError {
        self.open().expect_err("the file must be refused")
    }
}

fn log(path: &Path) -> PathBuf {
    path.with_file_name("vestibule.db-wal")
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(bytes).unwrap();
}

fn cut(path: &Path, length: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn project() -> ProjectId {
    ProjectId::new(Uuid::from_u128(1))
}

fn key(n: u8) -> IdentityKey {
    IdentityKey {
        instance: InstanceId::new("simplified", "anonymous").unwrap(),
        issuer: Issuer::new("faults"),
        subject: Subject::parse(&format!("subject-{n}")).unwrap(),
    }
}

fn new_account(n: u8, at: i64) -> NewAccount {
    NewAccount {
        id: UserId::new(Uuid::from_u128(u128::from(n) + 100)),
        identity: StoredIdentity {
            key: key(n),
            external: ExternalKey([n; 32]),
            attributes: Attributes::new(),
            adapter_data: None,
        },
        device: Some((DeviceKey([n; 32]), "01234567".to_owned())),
        username: None,
        app_profile: None,
        existing: Existing::SignIn,
        at: Timestamp::from_millis(at),
    }
}

async fn register(stores: &SqliteStores, n: u8, at: i64) -> StoreResult<()> {
    stores.accounts(project()).find_or_create(new_account(n, at)).await.map(|_| ())
}

async fn find(stores: &SqliteStores, n: u8) -> Option<Found> {
    stores.accounts(project()).find(&key(n)).await.unwrap()
}

#[tokio::test]
async fn acknowledged_writes_survive_reopen() {
    let place = Place::filled(20).await;
    let stores = place.open().unwrap();
    assert!(!stores.created());
    for n in 0..20 {
        assert!(find(&stores, n).await.is_some(), "account {n}");
    }
}

#[tokio::test]
async fn d01_acknowledged_writes_survive_a_crash() {
    let place = Place::new();
    let stores = place.open().unwrap();
    assert!(stores.created());
    for n in 0..20 {
        register(&stores, n, 1_000).await.unwrap();
    }
    let copy = place.crash();
    let stores = copy.open().unwrap();
    for n in 0..20 {
        assert!(find(&stores, n).await.is_some(), "account {n}");
    }
}

#[tokio::test]
async fn a_store_that_was_only_dropped_can_be_opened_again() {
    let place = Place::new();
    let stores = place.open().unwrap();
    register(&stores, 1, 1_000).await.unwrap();
    drop(stores);
    assert!(find(&place.open().unwrap(), 1).await.is_some());
}

#[tokio::test]
async fn d04_a_corrupt_file_is_refused_with_a_clear_text() {
    let place = Place::filled(20).await;
    let size = place.path.metadata().unwrap().len();
    for page in 1..size / 4096 {
        overwrite(&place.path, page * 4096, &[0xff; 4096]);
    }
    let error = place.refusal();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("damaged") && text.contains("restore it from a backup"), "{text}");
}

#[tokio::test]
async fn d04_a_file_with_a_broken_header_is_refused() {
    let place = Place::filled(1).await;
    overwrite(&place.path, 0, b"not SQLite");
    let error = place.refusal();
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error:?}");
}

#[tokio::test]
async fn d04_a_truncated_file_is_refused() {
    let place = Place::filled(20).await;
    cut(&place.path, place.path.metadata().unwrap().len() / 2);
    let error = place.refusal();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn d04_an_empty_file_is_never_a_new_store() {
    let place = Place::filled(1).await;
    cut(&place.path, 0);
    assert!(matches!(place.refusal(), OpenError::Empty { .. }));
    assert_eq!(place.path.metadata().unwrap().len(), 0, "the refused file must stay as it is");
}

#[tokio::test]
async fn d04_a_missing_file_beside_its_log_is_refused() {
    let place = Place::new();
    let stores = place.open().unwrap();
    register(&stores, 1, 1_000).await.unwrap();
    let copy = place.crash();
    std::fs::remove_file(&copy.path).unwrap();
    assert!(matches!(copy.refusal(), OpenError::Lost { .. }));
    assert!(log(&copy.path).exists(), "the log must stay for a rescue");
}

#[tokio::test]
async fn d04_a_missing_file_where_a_store_was_kept_is_refused() {
    let place = Place::new();
    let stores = place.open().unwrap();
    register(&stores, 1, 1_000).await.unwrap();
    stores.close().await;
    drop(stores);
    std::fs::remove_file(&place.path).unwrap();
    let error = place.refusal();
    assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
    // The text says how a new store is made after all.
    std::fs::remove_file(format!("{}.lock", place.path.display())).unwrap();
    assert!(place.open().unwrap().created());
}

#[tokio::test]
async fn d04_a_flipped_wal_byte_is_refused() {
    let place = Place::new();
    let stores = place.open().unwrap();
    for n in 0..5 {
        register(&stores, n, 1_000).await.unwrap();
    }
    let copy = place.crash();
    overwrite(&log(&copy.path), 32 + FRAME + 24 + 2000, b"\xa5\x5a");
    let error = copy.refusal();
    assert!(matches!(error, OpenError::DamagedLog { .. }), "{error:?}");
    assert!(error.to_string().contains("write-ahead log"), "{error}");
}

#[tokio::test]
async fn d04_a_torn_last_write_does_not_stop_the_start() {
    let place = Place::new();
    let stores = place.open().unwrap();
    for n in 0..5 {
        register(&stores, n, 1_000).await.unwrap();
    }
    let copy = place.crash();
    cut(&log(&copy.path), log(&copy.path).metadata().unwrap().len() - 100);
    let stores = copy.open().unwrap();
    assert!(find(&stores, 3).await.is_some());
    assert!(find(&stores, 4).await.is_none());
}

#[tokio::test]
async fn d05_a_second_process_on_the_same_file_is_refused() {
    let place = Place::new();
    let stores = place.open().unwrap();
    let error = place.refusal();
    let OpenError::InUse { holder, .. } = &error else {
        panic!("{error:?}");
    };
    assert!(holder.contains(&std::process::id().to_string()), "{holder}");
    stores.close().await;
    place.open().unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn d05_another_spelling_of_the_path_is_the_same_file() {
    let place = Place::new();
    let _stores = place.open().unwrap();
    let link = place.dir.path().join("link.db");
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    let error = SqliteStores::open(SqliteOptions::new(link)).err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error:?}");
}

#[tokio::test]
async fn d05_an_external_write_lock_is_bounded() {
    let place = Place::new();
    let stores = place.open().unwrap();
    let other = Connection::open(&place.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let begun = Instant::now();
    let error = register(&stores, 1, 1_000).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(find(&stores, 1).await.is_none(), "reads go on meanwhile");

    other.execute_batch("ROLLBACK").unwrap();
    register(&stores, 1, 1_000).await.unwrap();
    assert!(find(&stores, 1).await.is_some());
    assert_eq!(stores.queue_depth(), 0);
}

#[tokio::test]
async fn newer_schema_is_refused() {
    let place = Place::filled(1).await;
    Connection::open(&place.path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    let error = place.refusal();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error:?}");
}

#[tokio::test]
async fn a_database_of_another_application_is_refused_and_left_alone() {
    let place = Place::new();
    std::fs::create_dir(place.path.parent().unwrap()).unwrap();
    Connection::open(&place.path).unwrap().execute_batch("CREATE TABLE notes (n)").unwrap();
    assert!(matches!(place.refusal(), OpenError::OtherApplication { .. }));
    let tables: i64 = Connection::open(&place.path)
        .unwrap()
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn an_absent_file_is_not_made_unless_asked_for() {
    let place = Place::new();
    let options = SqliteOptions { path: place.path.clone(), create: false };
    let error = SqliteStores::open(options).err().unwrap();
    assert!(matches!(error, OpenError::Absent { .. }), "{error:?}");
    assert!(!place.path.exists());
}

#[tokio::test]
async fn an_unusable_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    File::create(&file).unwrap();
    let error = SqliteStores::open(SqliteOptions::new(file.join("vestibule.db"))).err().unwrap();
    assert!(matches!(error, OpenError::Directory { .. }), "{error:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_user_can_read_the_store() {
    use std::os::unix::fs::PermissionsExt;

    let place = Place::new();
    let stores = place.open().unwrap();
    register(&stores, 1, 1_000).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.path.parent().unwrap()), 0o700);
    assert_eq!(mode(&place.path), 0o600);
    assert_eq!(mode(&log(&place.path)), 0o600);
}

#[tokio::test]
async fn an_interrupted_creation_does_not_stop_the_next_one() {
    let place = Place::new();
    std::fs::create_dir(place.path.parent().unwrap()).unwrap();
    File::create(place.path.with_file_name("vestibule.db.new")).unwrap();
    assert!(place.open().unwrap().created());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_bad_write_does_not_fail_its_batch() {
    let place = Place::new();
    let stores = place.open().unwrap();
    register(&stores, 0, 1_000).await.unwrap();
    let mut writes = tokio::task::JoinSet::new();
    for n in 1..=50 {
        let accounts = stores.accounts(project());
        let mut new = new_account(n, 1_000);
        if n == 25 {
            // Another identity under the external key of the first.
            new.identity.external = ExternalKey([0; 32]);
        }
        writes.spawn(async move { (n, accounts.find_or_create(new).await) });
    }
    while let Some(done) = writes.join_next().await {
        match done.unwrap() {
            (25, outcome) => assert!(matches!(outcome, Err(StoreError::Conflict))),
            (n, outcome) => assert!(outcome.is_ok(), "write {n}: {outcome:?}"),
        }
    }
    assert!(find(&stores, 25).await.is_none(), "nothing of the refused write may stay");
    assert!(find(&stores, 50).await.is_some());
}

#[tokio::test]
async fn a_row_that_cannot_be_is_an_error_and_no_panic() {
    let place = Place::filled(1).await;
    Connection::open(&place.path)
        .unwrap()
        .execute_batch("UPDATE account SET app_profile = 'no JSON'")
        .unwrap();
    let stores = place.open().unwrap();
    let error = stores.accounts(project()).find(&key(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { table: "account", .. }), "{error}");
}

#[tokio::test]
async fn d07_times_before_1970_are_kept() {
    let place = Place::new();
    let stores = place.open().unwrap();
    register(&stores, 1, -1).await.unwrap();
    register(&stores, 1, i64::MIN).await.unwrap();
    register(&stores, 1, i64::MAX).await.unwrap();
    stores.close().await;
    let stores = place.open().unwrap();
    let account = find(&stores, 1).await.unwrap().account;
    assert_eq!(account.sign_up, Timestamp::from_millis(-1));
    let logins: Vec<i64> = account.logins.iter().map(|at| at.millis()).collect();
    assert_eq!(logins, [-1, i64::MIN, i64::MAX]);
}

#[tokio::test]
async fn p01_an_unknown_project_holds_nothing() {
    let place = Place::filled(1).await;
    let stores = place.open().unwrap();
    let other = stores.accounts(ProjectId::new(Uuid::from_u128(2)));
    assert!(other.find(&key(0)).await.unwrap().is_none());
}
