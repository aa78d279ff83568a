#![doc = include_str!("../README.md")]

mod config;
mod provider;

pub use config::NoLoginConfig;
pub use provider::NoLogin;
