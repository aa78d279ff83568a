//! The SQLite store keeps every rule of the contract.
#![allow(clippy::unwrap_used, reason = "a test ends where its setup fails")]

use std::sync::Arc;

use vestibule_store_sqlite::{SqliteOptions, SqliteStores};
use vestibule_testkit::StoreUnderTest;

async fn fresh() -> StoreUnderTest {
    let dir = tempfile::tempdir().unwrap();
    let stores = SqliteStores::open(SqliteOptions::new(dir.path().join("vestibule.db"))).unwrap();
    StoreUnderTest::new(Arc::new(stores), dir)
}

vestibule_testkit::store_conformance!(sqlite, fresh);
