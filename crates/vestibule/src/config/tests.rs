//! Each kind of mistake, with the line that it is reported at.
#![expect(clippy::disallowed_methods, reason = "the tests compare with files of the repository")]

mod more;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use vestibule_core::Secrets;

use super::load::Rejected;
use super::*;
use crate::ports::FileEnvSecrets;

const ID: &str = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5";

fn loader(environment: Environment) -> Loader {
    let secrets: Arc<dyn Secrets> = Arc::new(FileEnvSecrets);
    Loader { registry: Arc::new(crate::builtins()), environment, secrets }
}

fn load_with(text: &str, environment: Environment) -> Result<Loaded, Rejected> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("v.toml");
    std::fs::write(&file, text).unwrap();
    loader(environment).load(&file)
}

fn load(text: &str) -> Result<Loaded, Rejected> {
    load_with(text, Environment::default())
}

/// The problems as `line path: message (help)`.
fn problems_of(rejected: &Rejected) -> Vec<String> {
    let short = |problem: &Problem| {
        let line = problem.line.map_or("-".to_owned(), |line| line.to_string());
        let path = &problem.path;
        let help = problem.help.as_deref().unwrap_or("");
        format!("{line} {path}: {} ({help})", problem.message)
    };
    rejected.problems.iter().map(short).collect()
}

fn problems(text: &str) -> Vec<String> {
    problems_of(&load(text).unwrap_err())
}

/// The one problem of a text.
fn problem(text: &str) -> String {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

#[track_caller]
fn assert_problem(text: &str, beginning: &str) {
    let found = problem(text);
    assert!(found.starts_with(beginning), "{found}");
}

fn project(rest: &str) -> String {
    format!("[[project]]\nid = \"{ID}\"\n{rest}")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_demo_is_sound() {
    let file = repository().join("config/vestibule.toml");
    let loaded = loader(Environment::default()).load(&file).unwrap();
    assert_eq!(loaded.warnings, []);
    let spec = &loaded.specs[0];
    assert_eq!((spec.id.to_string().as_str(), spec.name.as_str()), (ID, "demo"));
    let names: Vec<&str> = spec.providers.iter().map(|p| p.instance.as_str()).collect();
    assert_eq!(names, ["simplified/anonymous", "simplified/noLogin"]);
}

#[test]
fn the_example_of_a_project_file_is_sound() {
    let example = repository().join("config/projects/studio.toml.example");
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(example, dir.path().join("studio.toml")).unwrap();
    let loaded = load(&format!("[projects]\ndir = {:?}\n", dir.path())).unwrap();
    assert_eq!(loaded.specs.len(), 1);
}

#[test]
fn an_empty_file_is_all_defaults() {
    let loaded = load("").unwrap();
    assert_eq!(loaded.config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.config.store, PathBuf::from("data/vestibule.db"));
    assert_eq!(loaded.config.limits, vestibule_server::Limits::default());
    assert!(loaded.specs.is_empty());
}

#[test]
fn an_absent_file_says_what_to_do() {
    let rejected =
        loader(Environment::default()).load(Path::new("/nowhere/vestibule.toml")).unwrap_err();
    let text = rejected.problems[0].to_string();
    assert!(
        text.starts_with("/nowhere/vestibule.toml: there is no such file\n    help: "),
        "{text}"
    );
}

#[test]
fn a04_an_unknown_key_is_refused_with_the_nearest_one() {
    assert_eq!(
        problem("[server]\npublic_url = \"http://x\"\nlisen = \"127.0.0.1:1\"\n"),
        "3 server.lisen: unknown key \"lisen\" (did you mean \"listen\"?)"
    );
    assert_eq!(problem("[sever]\n"), "1 sever: unknown key \"sever\" (did you mean \"server\"?)");
    assert_problem(&project("colour = \"blue\"\n"), "3 project[0].colour: unknown key \"colour\"");
    let text = project(
        "[[project.provider]]\nstrategy = \"s\"\nprovider = \"anonymous\"\n\
         [project.provider.settings]\nreclam = \"device\"\n",
    );
    assert_eq!(
        problem(&text),
        "7 project[0].provider[0].settings.reclam: unknown key \"reclam\" \
         (did you mean \"reclaim\"?)"
    );
}

#[test]
fn a04_keys_of_later_parts_are_refused_until_they_work() {
    let provider = "[[project.provider]]\nstrategy = \"s\"\nprovider = \"noLogin\"\n";
    for key in ["sessions = \"broker\"", "return_to = [\"http://x\"]"] {
        let text = project(&format!("{provider}{key}\n"));
        assert_problem(&text, "6 project[0].provider[0].");
    }
}

#[test]
fn every_mistake_is_reported_at_its_line() {
    let text = "\
[server]
listen = \"nonsense\"
max_connections = \"many\"
trusted_proxies = [\"10.0.0.0/8\", \"everyone\"]

[limits]
login = \"often\"
[[project]]
id = \"X\"
origins = [
  \"http://localhost:3000\",
  \"https://game.example/\",
]
";
    let found = problems(text);
    let starts = [
        "2 server.listen: must be an IP address and a port",
        "3 server.max_connections: must be a whole number of 0 or more, not a text",
        "4 server.trusted_proxies[1]: must be a network in CIDR form",
        "7 limits.login: must be a count and a unit",
        "9 project[0].id: must be a UUID",
        "12 project[0].origins[1]: must be scheme://host",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}");
    }
}

#[test]
fn the_text_of_a_problem_begins_with_file_line_and_column() {
    let rejected = load("[server]\n  listen = \"x\"\n").unwrap_err();
    let text = rejected.problems[0].to_string();
    assert!(text.contains("v.toml:2:3: server.listen: must be"), "{text}");
    assert!(text.contains("\n    help: for instance"), "{text}");
}

#[test]
fn what_is_not_toml_is_reported_at_its_line() {
    assert_problem("[server]\nlisten = @\n", "2 : is not TOML: ");
    assert_problem("[a]\nb = 1\nb = 2\n", "3 : is not TOML: duplicate key");
}

#[test]
fn what_is_missing_is_named() {
    assert_problem("[[project]]\nname = \"x\"\n", "1 project[0].id: missing \"id\"");
    assert_problem(
        &project("[[project.provider]]\nprovider = \"noLogin\"\n"),
        "3 project[0].provider[0].strategy: missing \"strategy\"",
    );
    assert_problem(
        &project("[[project.provider]]\nstrategy = \"s\"\nprovider = \"acme\"\n"),
        "3 project[0].provider[0]: missing \"kind\"",
    );
}

#[test]
fn an_unknown_kind_gets_the_list() {
    let provider = "[[project.provider]]\nstrategy = \"s\"\nprovider = \"x\"\n";
    let found = problem(&project(&format!("{provider}kind = \"anonimous\"\n")));
    assert_eq!(
        found,
        "6 project[0].provider[0].kind: no adapter of kind \"anonimous\" \
         (did you mean \"anonymous\"? this build knows anonymous, noLogin)"
    );
    let provider = "[[project.provider]]\nstrategy = \"s\"\nprovider = \"awsCognito\"\n";
    assert_problem(
        &project(provider),
        "5 project[0].provider[0].provider: no adapter of kind \"cognito\"",
    );
}

#[test]
fn names_that_could_be_paths_are_refused() {
    let provider = "[[project.provider]]\nstrategy = \"../s\"\nprovider = \"noLogin\"\n";
    assert_problem(&project(provider), "4 project[0].provider[0].strategy: must be 1 to 64");
}

#[test]
fn duplicates_are_refused() {
    let text = project(&project(""));
    assert_problem(&text, "4 project[1].id: the same id as project[0] of ");
    let provider = "[[project.provider]]\nstrategy = \"s\"\nprovider = \"noLogin\"\n";
    let text = project(&provider.repeat(2));
    assert_problem(&text, "6 project[0].provider[1]: this project has s/noLogin already");
}

#[test]
fn a_wrong_setting_of_an_adapter_is_reported_at_its_line() {
    let text = project(
        "[[project.provider]]\nstrategy = \"s\"\nprovider = \"anonymous\"\n\
         settings = { reclaim = \"nevr\" }\n",
    );
    assert_eq!(
        problem(&text),
        "6 project[0].provider[0].settings.reclaim: unknown value \"nevr\" \
         (did you mean \"never\"?)"
    );
}

#[test]
fn the_store_and_the_public_url_are_checked() {
    assert_problem(
        "[store]\nurl = \"postgres://x/y\"\n",
        "2 store.url: this build has the SQLite store only",
    );
    assert_problem("[store]\nurl = \"data.db\"\n", "2 store.url: must be sqlite://");
    for wrong in ["ftp://x", "http://x/path", "x", "https://X"] {
        let text = format!("[server]\npublic_url = \"{wrong}\"\n");
        assert_problem(&text, "2 server.public_url: must b");
    }
}

#[test]
fn egress_is_checked_in_shape() {
    let text = "[egress]\nallow = [\"127.0.0.1:9229\", \"http://x\"]\nroots = [\"/no/such.pem\"]\n";
    let found = problems(text);
    assert!(found[0].starts_with("2 egress.allow[1]: must be host"), "{found:?}");
    assert!(found[1].starts_with("3 egress.roots[0]: there is no file"), "{found:?}");
}

#[test]
fn x01_a_literal_secret_is_refused_and_not_repeated() {
    for (text, line) in [
        (project("signature = { key = \"canary\" }\n"), 3),
        (project("signature.key = \"canary\"\n"), 3),
        ("[keys]\nmaster = \"canary\"\n".to_owned(), 2),
        ("[keys]\nmaster = [\"canary\"]\n".to_owned(), 2),
    ] {
        let rejected = load(&text).unwrap_err();
        let found = format!("{rejected:?} {}", rejected.problems[0]);
        assert!(!found.contains("canary"), "{found}");
        assert_eq!(rejected.problems[0].line, Some(line), "{found}");
    }
    let unfinished = load("[keys]\nmaster = \"canary\n").unwrap_err();
    assert!(!format!("{unfinished:?}").contains("canary"), "{unfinished:?}");
    assert_problem(
        "[keys]\nmaster = \"canary\"\n",
        "2 keys.master: must be a reference to a secret: env:NAME or file:PATH",
    );
}

#[test]
fn a_reference_that_leads_nowhere_is_named() {
    let text = project("signature = { key = \"env:VESTIBULE_TEST_THAT_NOBODY_SETS\" }\n");
    assert_problem(
        &text,
        "3 project[0].signature.key: the environment variable VESTIBULE_TEST_THAT_NOBODY_SETS \
         is not set",
    );
    let text = project("signature = { key = \"file:/no/such\" }\n");
    assert_problem(&text, "3 project[0].signature.key: the file /no/such cannot be read");
}

#[test]
fn risks_are_warnings() {
    let text = format!(
        "[server]\ntrusted_proxies = [\"0.0.0.0/0\", \"::/0\"]\n[limits]\nread = \"off\"\n{}",
        project("signature = { algorithm = \"hmac-sha1\" }\n")
    );
    let loaded = load(&text).unwrap();
    let paths: Vec<&str> = loaded.warnings.iter().map(|w| w.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "server.trusted_proxies[0]",
            "server.trusted_proxies[1]",
            "limits.read",
            "project[0].signature.algorithm"
        ]
    );
    assert!(loaded.warnings[0].to_string().contains("warning: "));
    assert_eq!(loaded.config.limits.read, None);
}

#[test]
fn the_environment_goes_over_the_file() {
    let environment = Environment::from([
        ("VESTIBULE__SERVER__LISTEN", "0.0.0.0:9090"),
        ("VESTIBULE__SERVER__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
        ("VESTIBULE__SERVER__MAX_IN_FLIGHT", "7"),
    ]);
    let loaded = load_with("[server]\nlisten = \"127.0.0.1:1\"\n", environment).unwrap();
    assert_eq!(loaded.config.listen.to_string(), "0.0.0.0:9090");
    assert_eq!(loaded.config.trusted_proxies.len(), 1);
    assert_eq!(loaded.config.max_in_flight, 7);
}

#[test]
fn a_wrong_variable_is_named() {
    for (variable, value, expected) in [
        (
            "VESTIBULE__SERVER__LISEN",
            "x",
            "- VESTIBULE__SERVER__LISEN: unknown key \"lisen\" (did you mean \"listen\"?)",
        ),
        (
            "VESTIBULE__SERVR__LISTEN",
            "x",
            "- VESTIBULE__SERVR__LISTEN: unknown key \"servr\" (did you mean \"server\"?)",
        ),
        ("VESTIBULE__SERVER__LISTEN", "x", "- VESTIBULE__SERVER__LISTEN: must be an IP"),
        ("VESTIBULE__SERVER", "x", "- VESTIBULE__SERVER: names no setting"),
        ("VESTIBULE__PROJECT__ID", "x", "- VESTIBULE__PROJECT__ID: projects cannot be set"),
        ("VESTIBULE__KEYS__MASTER", "canary", "- VESTIBULE__KEYS__MASTER: must be a reference"),
    ] {
        let rejected = load_with("", Environment::from([(variable, value)])).unwrap_err();
        let found = problems_of(&rejected);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expected), "{found:?}");
        let text = rejected.problems[0].to_string();
        assert!(text.starts_with("environment: VESTIBULE__"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn project_files_are_read_by_name_and_report_their_own_lines() {
    let dir = tempfile::tempdir().unwrap();
    let main = format!("[projects]\ndir = {:?}\n{}", dir.path(), project(""));
    std::fs::write(dir.path().join("README.md"), "not a project").unwrap();
    std::fs::write(dir.path().join("a.toml"), format!("name = \"a\"\nid = \"{ID}\"\n")).unwrap();
    std::fs::write(dir.path().join("b.toml"), "id = 5\nprovidr = []\n").unwrap();
    let rejected = load(&main).unwrap_err();
    let found = problems_of(&rejected);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].starts_with("2 id: the same id as project[0] of "), "{found:#?}");
    assert!(rejected.problems[0].file.ends_with("a.toml"));
    assert_eq!(found[1], "1 id: must be a text, not a number ()");
    assert!(found[2].starts_with("2 providr: unknown key \"providr\" (did you mean"), "{found:#?}");
    assert!(rejected.problems[1].file.ends_with("b.toml"));
}

#[test]
fn an_absent_directory_of_projects_is_reported() {
    assert_problem("[projects]\ndir = \"/no/such\"\n", "2 projects.dir: the directory /no/such");
}

#[test]
fn the_schema_binds_settings_to_their_kind() {
    let schema: serde_json::Value = serde_json::from_str(&schema(&crate::builtins())).unwrap();
    let rules = schema["$defs"]["Provider"]["allOf"].as_array().unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[0]["then"]["properties"]["settings"]["$ref"], "#/$defs/settings.anonymous");
    assert_eq!(schema["$defs"]["SecretRef"]["x-secret"], true);
    assert_eq!(schema["$defs"]["Provider"]["required"][0], "strategy");
    // Every reference leads somewhere.
    let text = schema.to_string();
    for reference in text.split("\"#/$defs/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schema["$defs"].get(name).is_some(), "{name}");
    }
}

#[test]
fn schema_file_is_fresh() {
    let file = repository().join("config/vestibule.schema.json");
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        written == schema(&crate::builtins()),
        "config/vestibule.schema.json is stale: cargo run -- config schema > config/vestibule.schema.json"
    );
}
