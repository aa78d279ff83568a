//! One TOML file: its content as a tree, and where everything in it stands.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Number, Value};
use toml_edit::{Document, Item, TableLike};

use super::explain::Said;
use super::key_path::{KeyPath, Segment};
use super::problem::{Problem, Severity};

/// A parsed file.
pub(crate) struct Source {
    file: PathBuf,
    document: Document<String>,
}

impl fmt::Debug for Source {
    // Not the text: a secret could stand in it by mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.file).finish()
    }
}

impl Source {
    /// Reads and parses a file.
    pub(crate) fn read(file: &Path) -> Result<Self, Problem> {
        #[expect(clippy::disallowed_methods, reason = "this is the configuration")]
        let text = std::fs::read_to_string(file);
        match text {
            Ok(text) => Self::parse(file, text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Problem::of_file(
                file,
                "there is no such file",
            )
            .help("write one (`vestibule project new` prints a project to start with), or name another with --config PATH")),
            Err(error) => Err(Problem::of_file(file, format!("cannot be read: {error}"))),
        }
    }

    /// Parses the text of a file.
    pub(crate) fn parse(file: &Path, text: String) -> Result<Self, Problem> {
        // The parser's whole text quotes the line, in which a secret could stand by mistake. So
        // only its message is passed on.
        let parsed = Document::parse(text.clone());
        parsed.map(|document| Self { file: file.to_owned(), document }).map_err(|error| {
            let place = error.span().map(|span| line_and_column(&text, span.start));
            Problem {
                line: place.map(|(line, _)| line),
                column: place.map(|(_, column)| column),
                ..Problem::of_file(
                    file,
                    format!("is not TOML: {}", error.message().trim().replace('\n', ", ")),
                )
            }
        })
    }

    /// The content as a tree. Dates become text: no setting is one.
    pub(crate) fn tree(&self) -> Value {
        item_value(self.document.as_item())
    }

    /// Whether the file itself holds something at this path.
    pub(crate) fn holds(&self, path: &KeyPath) -> bool {
        self.walk(path).1 == path.segments().len()
    }

    /// Whether a text stands anywhere in the file.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.document.raw().contains(text)
    }

    /// A finding about a setting of this file.
    pub(crate) fn problem(&self, severity: Severity, path: &KeyPath, said: Said) -> Problem {
        let place = self.walk(path).0.map(|offset| line_and_column(self.document.raw(), offset));
        Problem {
            severity,
            file: self.file.clone(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            path: path.to_string(),
            message: said.message,
            help: said.help,
        }
    }

    /// Follows a path as far as the file goes along: where the last step begins, and how many
    /// steps were found.
    fn walk(&self, path: &KeyPath) -> (Option<usize>, usize) {
        let mut place = None;
        let mut here = Here::Item(self.document.as_item());
        for (taken, segment) in path.segments().iter().enumerate() {
            let Some((offset, next)) = here.step(segment) else {
                return (place, taken);
            };
            place = offset.or(place);
            here = next;
        }
        (place, path.segments().len())
    }
}

/// Something in a document that can be stepped into.
#[derive(Clone, Copy)]
enum Here<'a> {
    Item(&'a Item),
    Table(&'a dyn TableLike),
    Value(&'a toml_edit::Value),
}

impl<'a> Here<'a> {
    fn step(self, segment: &Segment) -> Option<(Option<usize>, Here<'a>)> {
        match segment {
            Segment::Key(key) => {
                let (key, item) = self.table()?.get_key_value(key)?;
                let span = key.span().or_else(|| item.span());
                Some((span.map(|span| span.start), Here::Item(item)))
            }
            Segment::Index(index) => self.element(*index),
        }
    }

    fn table(self) -> Option<&'a dyn TableLike> {
        match self {
            Here::Item(item) => item.as_table_like(),
            Here::Table(table) => Some(table),
            Here::Value(value) => value.as_inline_table().map(|table| table as &dyn TableLike),
        }
    }

    fn element(self, index: usize) -> Option<(Option<usize>, Here<'a>)> {
        if let Here::Item(Item::ArrayOfTables(tables)) = self {
            let table = tables.get(index)?;
            return Some((table.span().map(|span| span.start), Here::Table(table)));
        }
        let list = match self {
            Here::Item(item) => item.as_array(),
            Here::Value(value) => value.as_array(),
            Here::Table(_) => None,
        }?;
        let value = list.get(index)?;
        Some((value.span().map(|span| span.start), Here::Value(value)))
    }
}

fn item_value(item: &Item) -> Value {
    match item {
        Item::None => Value::Null,
        Item::Value(value) => plain_value(value),
        Item::Table(table) => table_value(table),
        Item::ArrayOfTables(tables) => {
            Value::Array(tables.iter().map(|table| table_value(table)).collect())
        }
    }
}

/// A TOML value as a JSON value.
pub(crate) fn plain_value(value: &toml_edit::Value) -> Value {
    use toml_edit::Value as Toml;
    match value {
        Toml::String(text) => Value::String(text.value().clone()),
        Toml::Integer(number) => Value::from(*number.value()),
        Toml::Float(number) => Number::from_f64(*number.value())
            .map_or_else(|| Value::String(number.value().to_string()), Value::Number),
        Toml::Boolean(flag) => Value::Bool(*flag.value()),
        Toml::Datetime(date) => Value::String(date.value().to_string()),
        Toml::Array(list) => Value::Array(list.iter().map(plain_value).collect()),
        Toml::InlineTable(table) => table_value(table),
    }
}

fn table_value(table: &dyn TableLike) -> Value {
    let pairs = table.iter().map(|(key, item)| (key.to_owned(), item_value(item)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
    let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    (short(line), short(column))
}
