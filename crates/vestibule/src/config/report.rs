//! Gathers what is wrong with one file.

use super::decode::Fault;
use super::explain::{Said, example, explain};
use super::key_path::KeyPath;
use super::overlay::Overlay;
use super::problem::{Problem, Severity};
use super::source::Source;

/// The findings about one file so far.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    source: &'a Source,
    overlay: Option<&'a Overlay>,
    /// Where decoding failed. What stands there is a default, about which there is nothing to
    /// say.
    faulty: Vec<KeyPath>,
    problems: Vec<Problem>,
}

impl<'a> Report<'a> {
    /// An empty report about a file and, for the main file, the environment over it.
    pub(crate) fn new(source: &'a Source, overlay: Option<&'a Overlay>) -> Self {
        Self { source, overlay, faulty: Vec::new(), problems: Vec::new() }
    }

    /// Notes what could not be decoded.
    pub(crate) fn faults(&mut self, faults: Vec<Fault>) {
        for Fault { path, text } in faults {
            let mut said = explain(&text);
            if said.help.is_none() {
                said.help = example(&path.to_string()).map(str::to_owned);
            }
            self.put(Severity::Error, &path, said);
            self.faulty.push(path);
        }
    }

    /// Notes a mistake.
    pub(crate) fn error(&mut self, path: &KeyPath, said: Said) {
        self.note(Severity::Error, path, said);
    }

    /// Notes a risk.
    pub(crate) fn warning(&mut self, path: &KeyPath, said: Said) {
        self.note(Severity::Warning, path, said);
    }

    /// Whether the file or the environment sets this.
    pub(crate) fn is_set(&self, path: &KeyPath) -> bool {
        self.source.holds(path) || self.overlay.is_some_and(|overlay| overlay.sets(path))
    }

    /// Everything that was noted.
    pub(crate) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    fn note(&mut self, severity: Severity, path: &KeyPath, said: Said) {
        if !self.faulty.iter().any(|faulty| faulty.is_prefix_of(path)) {
            self.put(severity, path, said);
        }
    }

    fn put(&mut self, severity: Severity, path: &KeyPath, said: Said) {
        let variables = match self.overlay {
            Some(overlay) if overlay.sets(path) || !self.source.holds(path) => {
                overlay.variables(path)
            }
            _ => Vec::new(),
        };
        for variable in &variables {
            self.problems.push(Problem {
                severity,
                ..Problem::of_variable(variable, said.message.clone(), said.help.clone())
            });
        }
        if variables.is_empty() {
            self.problems.push(self.source.problem(severity, path, said));
        }
    }
}
