//! Environment variables over the file: `VESTIBULE__SECTION__KEY`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::key_path::KeyPath;
use super::problem::Problem;
use super::source::plain_value;

const PREFIX: &str = "VESTIBULE__";

/// How variables begin that were probably meant to set something.
const NEAR_PREFIX: &str = "VESTIBULE_";

/// Variables of that beginning with a meaning of their own: the file, and what the scripts of
/// the repository take.
const KNOWN: &[&str] = &["VESTIBULE_CONFIG", "VESTIBULE_BIN", "VESTIBULE_CACHE"];

/// The variable in which OpenTelemetry's own tools look for a collector.
const OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The environment variables that concern the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, Option<String>>);

impl Environment {
    /// Those of this process.
    #[expect(clippy::disallowed_methods, reason = "this is where settings come from")]
    pub(crate) fn of_process() -> Self {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            // What sets nothing is only named, and its value could be a secret.
            let value = Self::sets(&name).then(|| value.into_string().ok()).flatten();
            (Self::sets(&name) || name.starts_with(NEAR_PREFIX)).then_some((name, value))
        });
        Self(variables.collect())
    }

    /// Variables that look like settings and are none: one underscore where two belong.
    pub(crate) fn strays(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| {
            let near = name.starts_with(NEAR_PREFIX) && !name.starts_with(PREFIX);
            // Kubernetes describes a service named vestibule to every container beside it.
            let described =
                name.starts_with("VESTIBULE_SERVICE_") || name.starts_with("VESTIBULE_PORT");
            let known = described || KNOWN.contains(name) || self.refers_to(name);
            near && !known
        })
    }

    /// Whether one of the settings is a reference to this variable.
    fn refers_to(&self, name: &str) -> bool {
        let reference = format!("env:{name}");
        self.0.values().flatten().any(|value| value.contains(&reference))
    }

    fn sets(name: &str) -> bool {
        name.starts_with(PREFIX) || name == OTLP_ENDPOINT
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        let pairs = pairs.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
        Self(pairs.into_iter().collect())
    }
}

/// What the environment sets.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    variable: String,
    section: String,
    key: String,
    value: Value,
}

impl Entry {
    fn path(&self) -> KeyPath {
        KeyPath::default().key(&self.section).key(&self.key)
    }
}

impl Overlay {
    /// Reads the variables. Those that cannot name a setting are problems.
    pub(crate) fn of(environment: &Environment) -> (Self, Vec<Problem>) {
        let mut overlay = Self::default();
        let mut problems = Vec::new();
        for (variable, value) in &environment.0 {
            let Some(name) = variable.strip_prefix(PREFIX) else {
                continue;
            };
            match entry(variable, name, value.as_deref()) {
                Ok(entry) => overlay.entries.push(entry),
                Err(problem) => problems.push(problem),
            }
        }
        overlay.add_standard_endpoint(environment);
        (overlay, problems)
    }

    /// Puts the values into the tree of the file.
    pub(crate) fn apply(&self, tree: &mut Value) {
        let Some(root) = tree.as_object_mut() else {
            return;
        };
        for entry in &self.entries {
            // The standard variable yields to the broker's own setting, wherever that stands.
            if entry.variable == OTLP_ENDPOINT && has_endpoint(root) {
                continue;
            }
            let section =
                root.entry(entry.section.clone()).or_insert_with(|| Value::Object(Map::new()));
            // A section that is not a table is reported when the tree is decoded.
            if let Some(section) = section.as_object_mut() {
                section.insert(entry.key.clone(), entry.value.clone());
            }
        }
    }

    /// The variables that set what is at, above or below a path.
    pub(crate) fn variables(&self, path: &KeyPath) -> Vec<&str> {
        self.entries
            .iter()
            .filter(|entry| {
                let own = entry.path();
                own.is_prefix_of(path) || path.is_prefix_of(&own)
            })
            .map(|entry| entry.variable.as_str())
            .collect()
    }

    /// Whether a variable set exactly this or what it is part of.
    pub(crate) fn sets(&self, path: &KeyPath) -> bool {
        self.entries.iter().any(|entry| entry.path().is_prefix_of(path))
    }

    fn add_standard_endpoint(&mut self, environment: &Environment) {
        let value = environment.0.get(OTLP_ENDPOINT).and_then(Option::as_deref);
        let ours = KeyPath::parse("telemetry.otlp_endpoint");
        if let Some(value) = value.filter(|value| !value.is_empty() && !self.sets(&ours)) {
            self.entries.push(Entry {
                variable: OTLP_ENDPOINT.into(),
                section: "telemetry".into(),
                key: "otlp_endpoint".into(),
                value: Value::String(value.to_owned()),
            });
        }
    }
}

fn has_endpoint(root: &Map<String, Value>) -> bool {
    root.get("telemetry").is_some_and(|telemetry| telemetry.get("otlp_endpoint").is_some())
}

fn entry(variable: &str, name: &str, value: Option<&str>) -> Result<Entry, Problem> {
    let refuse = |message: &str, help: &str| {
        Err(Problem::of_variable(variable, message.to_owned(), Some(help.to_owned())))
    };
    let lower = name.to_ascii_lowercase();
    let parts: Vec<&str> = lower.split("__").collect();
    let [section, key] = parts.as_slice() else {
        return refuse(
            "names no setting",
            "the form is VESTIBULE__SECTION__KEY, for instance VESTIBULE__SERVER__LISTEN",
        );
    };
    if *section == "project" {
        return refuse(
            "projects cannot be set from the environment",
            "write them into the file, or one file each into the directory that [projects] names",
        );
    }
    let Some(value) = value else {
        return refuse("is not UTF-8", "set it to text");
    };
    Ok(Entry {
        variable: variable.to_owned(),
        section: (*section).to_owned(),
        key: (*key).to_owned(),
        value: read(value),
    })
}

/// A value that is written as in the file is taken as such; anything else is text, so that
/// nobody has to put quotes inside quotes.
fn read(text: &str) -> Value {
    use toml_edit::Value as Toml;
    match text.trim().parse::<Toml>() {
        Ok(value @ (Toml::String(_) | Toml::Integer(_) | Toml::Boolean(_) | Toml::Array(_))) => {
            plain_value(&value)
        }
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_as_in_the_file_or_else_as_text() {
        assert_eq!(read("8080"), json!(8080));
        assert_eq!(read("[\"10.0.0.0/8\"]"), json!(["10.0.0.0/8"]));
        assert_eq!(read("127.0.0.1:9090"), json!("127.0.0.1:9090"));
        assert_eq!(read("60/min"), json!("60/min"));
        assert_eq!(read("2024-01-01"), json!("2024-01-01"));
        assert_eq!(read(""), json!(""));
    }

    #[test]
    fn the_file_wins_over_the_standard_endpoint() {
        let environment = Environment::from([(OTLP_ENDPOINT, "http://standard:4318")]);
        let (overlay, problems) = Overlay::of(&environment);
        assert_eq!(problems, []);
        let mut tree = json!({ "telemetry": { "otlp_endpoint": "http://file:4318" } });
        overlay.apply(&mut tree);
        assert_eq!(tree["telemetry"]["otlp_endpoint"], "http://file:4318");
        let mut tree = json!({});
        overlay.apply(&mut tree);
        assert_eq!(tree["telemetry"]["otlp_endpoint"], "http://standard:4318");
    }
}
