//! The store in memory keeps every rule of the contract.

use std::sync::Arc;

use vestibule_testkit::{MemoryStores, StoreUnderTest};

async fn fresh() -> StoreUnderTest {
    StoreUnderTest::new(Arc::new(MemoryStores::new()), ())
}

vestibule_testkit::store_conformance!(memory, fresh);
