//! The configuration: one TOML file, environment variables over it, and one more file a project.
//!
//! It goes through four steps, each in its own file: [`source`] parses TOML and remembers where
//! everything stands; [`overlay`] puts the environment over it; [`decode`] turns the tree into
//! the [`model`], which refuses unknown keys; [`validate`] and [`project`] check what the types
//! cannot say. Every step reports [`Problem`]s with file and line, and all of them, so that an
//! operator mends a file in one go.

mod addresses;
mod decode;
mod explain;
mod key_path;
mod kinds;
mod load;
mod model;
mod overlay;
mod problem;
mod project;
mod report;
mod schema;
mod source;
mod validate;
mod values;
mod watch;

pub(crate) use kinds::kind_to_write;
pub(crate) use load::{Loaded, Loader};
pub(crate) use model::LogFormat;
pub(crate) use problem::Problem;
pub(crate) use schema::schema;
pub(crate) use validate::{Config, Telemetry};
pub(crate) use values::origin;
pub(crate) use watch::Watch;

#[cfg(test)]
pub(crate) use overlay::Environment;

#[cfg(test)]
mod tests;
