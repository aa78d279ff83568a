//! Further mistakes and risks: what is sound by itself and wrong together, or nearly right.

use super::{Environment, assert_problem, load, load_with, problem, problems_of, project};

/// The settings that a text is warned about.
fn warned(text: &str, environment: Environment) -> Vec<String> {
    let loaded = load_with(text, environment).unwrap();
    loaded.warnings.iter().map(|warning| warning.path.clone()).collect()
}

#[test]
fn a_filter_that_would_silence_the_log_is_refused() {
    for wrong in ["verbose", "info,verbose"] {
        let found = problem(&format!("[telemetry]\nlog = \"{wrong}\"\n"));
        assert!(found.starts_with("2 telemetry.log: \"verbose\" is no level"), "{found}");
        assert!(found.contains("error, warn, info, debug and trace"), "{found}");
    }
    assert_problem("[telemetry]\nlog = \"x=loud\"\n", "2 telemetry.log: must be a level");
    for right in ["info", "WARN", "off", "info,vestibule_broker=debug", "warn,x=trace"] {
        load(&format!("[telemetry]\nlog = \"{right}\"\n")).unwrap();
    }
}

#[test]
fn a_master_key_that_is_none_is_refused_and_an_absent_file_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("master.key");
    let store = dir.path().join("none.db");
    let text = format!(
        "[store]\nurl = \"sqlite://{}\"\n[keys]\nmaster = \"file:{}\"\n",
        store.display(),
        file.display()
    );
    load(&text).unwrap();
    assert!(!file.exists());
    for wrong in ["", "canary", &"g".repeat(64), &"a".repeat(63)] {
        std::fs::write(&file, wrong).unwrap();
        let found = problem(&text);
        assert!(found.starts_with("4 keys.master: "), "{found}");
        assert!(found.contains("openssl rand -hex 32"), "{found}");
        assert!(!found.contains("canary") && !found.contains("backup"), "{found}");
    }
    std::fs::write(&file, "ab".repeat(32)).unwrap();
    load(&text).unwrap();
    assert_problem(
        "[keys]\nmaster = \"env:VESTIBULE_TEST_THAT_NOBODY_SETS\"\n",
        "2 keys.master: cannot be had: the environment variable VESTIBULE_TEST_THAT_NOBODY_SETS",
    );
}

#[test]
fn two_listeners_of_one_port_are_refused() {
    let found = problem("[admin]\nlisten = \"127.0.0.1:8080\"\n");
    assert_eq!(
        found,
        "2 admin.listen: server.listen \"127.0.0.1:8080\" and admin.listen \"127.0.0.1:8080\" \
         need the same port (give one of them another port)"
    );
    let text = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    load(text).unwrap();
}

#[test]
fn more_risks_are_warnings() {
    let none = Environment::default;
    let text = format!("[admin]\nlisten = \"0.0.0.0:8081\"\n{}", project(""));
    assert_eq!(warned(&text, none()), ["admin.listen"]);
    let text = format!("[server]\nlisten = \"127.0.0.1:9090\"\n{}", project(""));
    assert_eq!(warned(&text, none()), ["server.listen"]);
    let text = format!("[server]\nlisten = \"127.0.0.1:0\"\n{}", project(""));
    assert_eq!(warned(&text, none()), Vec::<String>::new());

    let loaded = load(&project("enabled = false\n")).unwrap();
    assert_eq!(loaded.warnings.len(), 1);
    assert!(loaded.warnings[0].message.starts_with("no project is enabled"));
}

#[test]
fn a_variable_that_nobody_reads_is_a_warning() {
    let stray = Environment::from([
        ("VESTIBULE_SERVER__LISTEN", "x"),
        ("VESTIBULE_CONFIG", "x"),
        ("VESTIBULE_BIN", "x"),
    ]);
    assert_eq!(warned(&project(""), stray), ["VESTIBULE_SERVER__LISTEN"]);
    let described = Environment::from([
        ("VESTIBULE_SERVICE_HOST", "10.0.0.1"),
        ("VESTIBULE_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
    ]);
    assert_eq!(warned(&project(""), described), Vec::<String>::new());
    let referred = Environment::from([("VESTIBULE_SIGNING_KEY", "x")]);
    let text = project("# signature = { key = \"env:VESTIBULE_SIGNING_KEY\" }\n");
    assert_eq!(warned(&text, referred), Vec::<String>::new());
}

#[test]
fn a_name_in_the_wrong_case_gets_the_right_one() {
    for (wrong, right) in [("Anonymous", "anonymous"), ("nologin", "noLogin")] {
        let provider = format!("[[project.provider]]\nstrategy = \"s\"\nprovider = \"{wrong}\"\n");
        let found = problem(&project(&provider));
        assert!(found.contains(&format!("did you mean \"{right}\"?")), "{found}");
    }
}

#[test]
fn a_value_of_the_wrong_type_gets_an_example() {
    assert_eq!(
        problem("[limits]\nlogin = 60\n"),
        "2 limits.login: must be a text, not a number (write \"60/min\", or \"off\")"
    );
    assert_eq!(
        problem("[telemetry]\nlog_format = 5\n"),
        "2 telemetry.log_format: must be a text, not a number (known: auto, pretty, json)"
    );
    let environment = Environment::from([("VESTIBULE__SERVER__TRUSTED_PROXIES", "10.0.0.0/8")]);
    let found = problems_of(&load_with("", environment).unwrap_err());
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("must be a list, not a text"), "{found:?}");
    assert!(found[0].contains("[\"10.0.0.0/8\"]"), "{found:?}");
}

#[test]
fn a_store_in_memory_is_refused() {
    let text = "[store]\nurl = \"sqlite://:memory:\"\n";
    assert_problem(text, "2 store.url: a store in memory");
}

#[test]
fn a_secret_that_is_absent_gets_the_help_of_its_kind() {
    let found = problem(&project("signature = { key = \"file:/no/such\" }\n"));
    assert!(found.contains("into that file"), "{found}");
    let found =
        problem(&project("signature = { key = \"env:VESTIBULE_TEST_THAT_NOBODY_SETS\" }\n"));
    assert!(found.contains("set the variable"), "{found}");
}
