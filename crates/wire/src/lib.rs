#![doc = include_str!("../README.md")]

pub mod errors;
pub mod messages;
pub mod parse;
mod providers;
mod quirks;
pub mod render;
pub mod strict;

pub use errors::{Failure, failure, row};
pub use parse::Envelope;
pub use providers::{place, providers};
pub use render::{Rendered, Route, render};
