//! Checks the sections that concern the broker as a whole.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use vestibule_core::SecretRef;
use vestibule_server::{Limits, Rate};

use super::addresses;
use super::explain::Said;
use super::key_path::KeyPath;
use super::model;
use super::report::Report;
use super::values::{is_authority, origin};

/// The longest drain: load balancers ask more often than this.
const LONGEST_DRAIN: u32 = 300;

/// The checked sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Where apps call.
    pub(crate) listen: SocketAddr,
    /// Where health and metrics are.
    pub(crate) admin: SocketAddr,
    /// How clients reach the broker.
    pub(crate) public_url: String,
    /// Whose forwarding headers are believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// How many connections at once.
    pub(crate) max_connections: usize,
    /// How many requests at once.
    pub(crate) max_in_flight: usize,
    /// How long ready says no before the listener closes.
    pub(crate) drain: Duration,
    /// The SQLite file.
    pub(crate) store: PathBuf,
    /// The master key.
    pub(crate) master: SecretRef,
    /// Allowances for each project, operation and client address.
    pub(crate) limits: Limits,
    /// Logs and traces.
    pub(crate) telemetry: Telemetry,
}

/// Logs and traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Telemetry {
    /// Where traces go, if anywhere.
    pub(crate) otlp_endpoint: Option<String>,
    /// How log lines look.
    pub(crate) format: model::LogFormat,
    /// What is logged.
    pub(crate) filter: String,
}

impl Config {
    /// Checks the sections. Where one is wrong the report says so and a stand-in is used, so
    /// that the rest is checked too.
    pub(crate) fn check(file: &model::ConfigFile, report: &mut Report<'_>) -> Self {
        let server = &file.server;
        check_egress(&file.egress, report);
        let config = Self {
            listen: address("server.listen", &server.listen, report),
            admin: address("admin.listen", &file.admin.listen, report),
            public_url: public_url(&server.public_url, report),
            trusted_proxies: networks(&server.trusted_proxies, report),
            max_connections: at_least_one("server.max_connections", server.max_connections, report),
            max_in_flight: at_least_one("server.max_in_flight", server.max_in_flight, report),
            drain: drain(server.drain_seconds, report),
            store: store(&file.store.url, report),
            master: file.keys.master.clone(),
            limits: Limits {
                register: rate("limits.register", &file.limits.register, report),
                login: rate("limits.login", &file.limits.login, report),
                password: rate("limits.password", &file.limits.password, report),
                read: rate("limits.read", &file.limits.read, report),
            },
            telemetry: telemetry(&file.telemetry, report),
        };
        addresses::check(&config, report);
        config
    }

    /// The sections that differ from another configuration's and are read at start only.
    pub(crate) fn fixed_differences(&self, other: &Self) -> Vec<&'static str> {
        let pairs = [
            (self.listen != other.listen, "server.listen"),
            (self.max_connections != other.max_connections, "server.max_connections"),
            (self.admin != other.admin, "admin.listen"),
            (self.store != other.store, "store"),
            (self.master != other.master, "keys"),
            (self.telemetry != other.telemetry, "telemetry"),
        ];
        differing(&pairs)
    }

    /// The settings that differ from another configuration's and take effect on a reload.
    pub(crate) fn live_differences(&self, other: &Self) -> Vec<&'static str> {
        let pairs = [
            (self.public_url != other.public_url, "server.public_url"),
            (self.trusted_proxies != other.trusted_proxies, "server.trusted_proxies"),
            (self.max_in_flight != other.max_in_flight, "server.max_in_flight"),
            (self.drain != other.drain, "server.drain_seconds"),
            (self.limits != other.limits, "limits"),
        ];
        differing(&pairs)
    }
}

fn differing(pairs: &[(bool, &'static str)]) -> Vec<&'static str> {
    let differing = pairs.iter().filter(|(differs, _)| *differs);
    differing.map(|(_, name)| *name).collect()
}

fn address(path: &str, text: &str, report: &mut Report<'_>) -> SocketAddr {
    text.parse().unwrap_or_else(|_| {
        let said = Said::new("must be an IP address and a port")
            .help("for instance \"127.0.0.1:8080\", or \"0.0.0.0:8080\" for every interface");
        report.error(&KeyPath::parse(path), said);
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

fn public_url(text: &str, report: &mut Report<'_>) -> String {
    let path = KeyPath::parse("server.public_url");
    let is_web = text.starts_with("http://") || text.starts_with("https://");
    if !is_web {
        let said = Said::new("must begin with https:// or http://");
        report.error(&path, said.help("for instance \"https://login.game.example\""));
    } else if let Err(expected) = origin(text) {
        let said = Said::new(format!("must be {expected}"));
        report.error(&path, said.help("for instance \"https://login.game.example\""));
    }
    text.to_owned()
}

fn networks(list: &[String], report: &mut Report<'_>) -> Vec<IpNet> {
    let path = KeyPath::parse("server.trusted_proxies");
    let mut networks = Vec::with_capacity(list.len());
    for (position, text) in list.iter().enumerate() {
        match text.parse::<IpNet>() {
            Ok(network) => {
                if network.prefix_len() == 0 {
                    let said = Said::new("every client can claim any address").help(
                        "name the networks of your proxies only; rate limits count by client address",
                    );
                    report.warning(&path.index(position), said);
                }
                networks.push(network);
            }
            Err(_) => {
                let said = Said::new("must be a network in CIDR form")
                    .help("for instance \"10.0.0.0/8\", or \"10.1.2.3/32\" for one address");
                report.error(&path.index(position), said);
            }
        }
    }
    networks
}

fn at_least_one(path: &str, number: usize, report: &mut Report<'_>) -> usize {
    if number == 0 {
        report.error(&KeyPath::parse(path), Said::new("must be 1 or more"));
    }
    number.max(1)
}

fn drain(seconds: u32, report: &mut Report<'_>) -> Duration {
    if seconds > LONGEST_DRAIN {
        let said = Said::new(format!("must be at most {LONGEST_DRAIN}"));
        report.error(&KeyPath::parse("server.drain_seconds"), said);
    }
    Duration::from_secs(seconds.into())
}

fn store(url: &str, report: &mut Report<'_>) -> PathBuf {
    let path = KeyPath::parse("store.url");
    match url.split_once("://") {
        Some(("sqlite", file)) if file.contains(":memory:") => {
            let said = Said::new("a store in memory would forget every user at a stop")
                .help("name a file, for instance \"sqlite://data/vestibule.db\"");
            report.error(&path, said);
        }
        Some(("sqlite", file)) if !file.is_empty() && !file.contains('?') => {
            return PathBuf::from(file);
        }
        Some(("postgres" | "postgresql", _)) => {
            let said = Said::new("this build has the SQLite store only")
                .help("use sqlite:// and a path, for instance \"sqlite://data/vestibule.db\"");
            report.error(&path, said);
        }
        _ => {
            let said = Said::new("must be sqlite:// and the path of a file")
                .help("for instance \"sqlite://data/vestibule.db\"");
            report.error(&path, said);
        }
    }
    PathBuf::new()
}

fn rate(path: &str, text: &str, report: &mut Report<'_>) -> Option<Rate> {
    let path = KeyPath::parse(path);
    if text == "off" {
        let said = Said::new("this limit is off: one client can take all the broker can do")
            .help("turn it off only where something in front of the broker limits");
        report.warning(&path, said);
        return None;
    }
    let rate = Rate::parse(text).ok();
    if rate.is_none() {
        let said = Said::new("must be a count and a unit, or \"off\"")
            .help("for instance \"60/min\"; the units are s, min and h");
        report.error(&path, said);
    }
    rate
}

fn check_egress(egress: &model::Egress, report: &mut Report<'_>) {
    let path = KeyPath::parse("egress");
    for (position, host) in egress.allow.iter().enumerate() {
        if !is_authority(host) {
            let said = Said::new("must be host or host:port, without scheme, path or wildcard")
                .help("for instance \"127.0.0.1:9229\"");
            report.error(&path.key("allow").index(position), said);
        }
    }
    for (position, file) in egress.roots.iter().enumerate() {
        if !Path::new(file).is_file() {
            let said = Said::new(format!("there is no file {file}"))
                .help("name a PEM file, from the working directory");
            report.error(&path.key("roots").index(position), said);
        }
    }
}

/// A word of a filter that is neither a level nor a target with one. To the filter it would be a
/// target, and every other target would fall silent.
fn bare_word(filter: &str) -> Option<&str> {
    // The fields of a span may hold commas of their own; who writes those knows the syntax.
    if filter.contains('[') {
        return None;
    }
    filter
        .split(',')
        .map(str::trim)
        .find(|part| !part.contains('=') && part.parse::<LevelFilter>().is_err())
}

fn telemetry(section: &model::Telemetry, report: &mut Report<'_>) -> Telemetry {
    let path = KeyPath::parse("telemetry");
    let mut refuse = |key: &str, message: &dyn Display, help: &str| {
        report.error(&path.key(key), Said::new(message.to_string()).help(help));
    };
    if EnvFilter::try_new(&section.log).is_err() {
        refuse(
            "log",
            &"must be a level or a list of target=level",
            "for instance \"info\", or \"info,vestibule_broker=debug\"",
        );
    } else if let Some(word) = bare_word(&section.log) {
        refuse(
            "log",
            &format!("\"{word}\" is no level"),
            "the levels are error, warn, info, debug and trace; for one target write target=level, \
             for instance \"info,vestibule_broker=debug\"",
        );
    }
    if let Some(endpoint) = &section.otlp_endpoint {
        let rest = endpoint.strip_prefix("http://").or_else(|| endpoint.strip_prefix("https://"));
        let authority = rest.and_then(|rest| rest.split('/').next());
        if !authority.is_some_and(is_authority) {
            refuse(
                "otlp_endpoint",
                &"must be the http:// or https:// address of a collector",
                "for instance \"http://127.0.0.1:4318\"",
            );
        }
    }
    Telemetry {
        otlp_endpoint: section.otlp_endpoint.clone(),
        format: section.log_format,
        filter: section.log.clone(),
    }
}
