#![doc = include_str!("../README.md")]

mod address;
mod admin;
mod admit;
mod cors;
mod framing;
mod front;
mod guarded_io;
mod limits;
mod listener;
mod metrics;
mod openapi;
mod reply;
mod routes;
mod scope;
mod server;
mod state;

pub use limits::{Limits, Rate, RateError};
pub use openapi::document as openapi_document;
pub use scope::current_request;
pub use server::Server;
pub use state::Settings;
