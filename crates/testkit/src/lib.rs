#![doc = include_str!("../README.md")]

mod conformance;
mod fake;
mod memory;
pub mod provider_rules;
mod request;
pub mod store_rules;
mod upstream;

pub use conformance::{Broken, Rule, StoreUnderTest, block_on, hold};
pub use fake::{FixedClock, MapSecrets, NoAccounts, NoSecrets, SeededEntropy};
pub use memory::MemoryStores;
pub use provider_rules::{Person, ProviderHarness};
pub use request::{Outcome, Request};
pub use upstream::{FakeHttp, Reply};
