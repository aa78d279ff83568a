//! What is wrong with a configuration, and where.

use std::fmt;
use std::path::PathBuf;

use crate::text::on_one_line;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The configuration is not used.
    Error,
    /// The configuration works and carries a risk that the operator should know.
    Warning,
}

/// One finding.
///
/// Its text reads
/// `config/vestibule.toml:12:3: project[0].id: must be …`, with what to do on a second line.
/// It never repeats a value that could be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// How bad it is.
    pub(crate) severity: Severity,
    /// In which file; `environment` for a variable.
    pub(crate) file: PathBuf,
    /// In which line, from 1.
    pub(crate) line: Option<u32>,
    /// At which character of the line, from 1.
    pub(crate) column: Option<u32>,
    /// Which setting; empty for the file as a whole.
    pub(crate) path: String,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) help: Option<String>,
}

impl Problem {
    /// A finding about a whole file.
    pub(crate) fn of_file(file: impl Into<PathBuf>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            file: file.into(),
            line: None,
            column: None,
            path: String::new(),
            message: message.into(),
            help: None,
        }
    }

    /// A finding about an environment variable.
    pub(crate) fn of_variable(variable: &str, message: String, help: Option<String>) -> Self {
        Self { path: variable.to_owned(), help, ..Self::of_file("environment", message) }
    }

    /// The same as a risk and no mistake.
    pub(crate) fn warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }

    /// Writes it into the log: a message of one line, and where it is and what to do as fields,
    /// since a line of the log has no second one.
    pub(crate) fn log(&self) {
        let file = self.file.display();
        let (line, column, help) = (self.line, self.column, self.help.as_deref());
        let key = (!self.path.is_empty()).then_some(self.path.as_str());
        let message = match key {
            Some(key) => format!("{key}: {}", self.message),
            None => self.message.clone(),
        };
        match self.severity {
            Severity::Error => tracing::error!(%file, line, column, key, help, "{message}"),
            Severity::Warning => tracing::warn!(%file, line, column, key, help, "{message}"),
        }
    }

    /// The same with what to do about it.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&on_one_line(&self.file.to_string_lossy()))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        f.write_str(": ")?;
        if self.severity == Severity::Warning {
            f.write_str("warning: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", on_one_line(&self.path))?;
        }
        f.write_str(&on_one_line(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, "\n    help: {}", on_one_line(help))?;
        }
        Ok(())
    }
}
