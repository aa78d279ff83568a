//! The JSON Schema of the file, for editors, with the settings of every kind of provider.

use serde_json::{Map, Value, json};
use vestibule_core::Registry;

use super::kinds;
use super::model::ConfigFile;

/// The schema as text, the same for the same kinds on every machine.
pub(crate) fn schema(registry: &Registry) -> String {
    let mut root = schemars::schema_for!(ConfigFile).to_value();
    tidy(&mut root);
    if let Some(root) = root.as_object_mut() {
        root.insert("title".into(), "Vestibule configuration".into());
    }
    require(&mut root, "Project", &["id"]);
    require(&mut root, "Provider", &["strategy", "provider"]);
    let mut rules = Vec::new();
    for kind in registry.kinds() {
        let needs_settings = add_settings(&mut root, registry, kind);
        rules.push(rule(kind, needs_settings));
    }
    if let Some(provider) = definition(&mut root, "Provider") {
        provider.insert("allOf".into(), Value::Array(rules));
    }
    let kinds: Vec<&str> = registry.kinds().collect();
    let kind = root.pointer_mut("/$defs/Provider/properties/kind").and_then(Value::as_object_mut);
    if let Some(kind) = kind {
        kind.insert("enum".into(), json!(kinds));
    }
    // The order of keys must not depend on how serde_json was built.
    let text = serde_json::to_string_pretty(&sorted(root)).unwrap_or_default();
    format!("{text}\n")
}

fn definition<'a>(root: &'a mut Value, name: &str) -> Option<&'a mut Map<String, Value>> {
    root.get_mut("$defs")?.get_mut(name)?.as_object_mut()
}

/// The model has everything optional so that it can report all that is missing at once.
fn require(root: &mut Value, name: &str, keys: &[&str]) {
    if let Some(definition) = definition(root, name) {
        definition.insert("required".into(), json!(keys));
    }
}

/// Puts the schema of a kind's settings among the definitions and says whether they have to be
/// given.
fn add_settings(root: &mut Value, registry: &Registry, kind: &str) -> bool {
    let mut settings = registry.schema(kind).unwrap_or_else(|| json!({}));
    tidy(&mut settings);
    prefix_references(&mut settings, kind);
    let Some(table) = settings.as_object_mut() else {
        return false;
    };
    table.remove("$schema");
    let inner = table.remove("$defs");
    let needed =
        table.get("required").and_then(Value::as_array).is_some_and(|keys| !keys.is_empty());
    if let Some(definitions) = root.get_mut("$defs").and_then(Value::as_object_mut) {
        definitions.insert(format!("settings.{kind}"), settings);
        if let Some(Value::Object(inner)) = inner {
            let renamed =
                inner.into_iter().map(|(name, schema)| (format!("settings.{kind}.{name}"), schema));
            definitions.extend(renamed);
        }
    }
    needed
}

/// If the provider is of this kind, written or implied by its name, then these are its settings.
fn rule(kind: &str, needs_settings: bool) -> Value {
    let written = json!({
        "properties": { "kind": { "const": kind } },
        "required": ["kind"]
    });
    let names = kinds::names_of(kind);
    let condition = if names.is_empty() {
        written
    } else {
        let implied = json!({
            "properties": { "provider": { "enum": names } },
            "required": ["provider"],
            "not": { "required": ["kind"] }
        });
        json!({ "anyOf": [written, implied] })
    };
    let required: &[&str] = if needs_settings { &["settings"] } else { &[] };
    let then = json!({
        "properties": { "settings": { "$ref": format!("#/$defs/settings.{kind}") } },
        "required": required
    });
    json!({ "if": condition, "then": then })
}

fn prefix_references(value: &mut Value, kind: &str) {
    if let Some(reference) = value.get_mut("$ref")
        && let Some(name) = reference.as_str().and_then(|r| r.strip_prefix("#/$defs/"))
    {
        *reference = format!("#/$defs/settings.{kind}.{name}").into();
    }
    for_each_child(value, &mut |child| prefix_references(child, kind));
}

/// TOML has no null, so an optional key is one that may be left out.
fn tidy(value: &mut Value) {
    if let Some(table) = value.as_object_mut() {
        if table.get("default").is_some_and(Value::is_null) {
            table.remove("default");
        }
        let kept = table
            .get("type")
            .and_then(Value::as_array)
            .and_then(|types| types.iter().find(|name| name.as_str() != Some("null")).cloned());
        if let Some(kept) = kept {
            table.insert("type".into(), kept);
        }
        drop_null_branch(table);
    }
    for_each_child(value, &mut |child| tidy(child));
}

fn drop_null_branch(table: &mut Map<String, Value>) {
    let is_null = |branch: &Value| branch.get("type").and_then(Value::as_str) == Some("null");
    let Some(branches) = table.get_mut("anyOf").and_then(Value::as_array_mut) else {
        return;
    };
    branches.retain(|branch| !is_null(branch));
    if let [Value::Object(only)] = branches.as_slice() {
        let only = only.clone();
        table.remove("anyOf");
        table.extend(only);
    }
}

fn for_each_child(value: &mut Value, act: &mut dyn FnMut(&mut Value)) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(act),
        Value::Object(table) => table.iter_mut().for_each(|(_, child)| act(child)),
        _ => {}
    }
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        Value::Object(table) => {
            let mut pairs: Vec<(String, Value)> = table.into_iter().collect();
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
            let pairs = pairs.into_iter().map(|(key, child)| (key, sorted(child)));
            Value::Object(pairs.collect())
        }
        plain => plain,
    }
}
