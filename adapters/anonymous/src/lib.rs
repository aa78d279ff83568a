#![doc = include_str!("../README.md")]

mod config;
mod provider;

pub use config::{AnonymousConfig, Reclaim};
pub use provider::Anonymous;
