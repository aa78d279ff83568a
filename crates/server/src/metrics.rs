//! The metrics of the server, in the text format of Prometheus.
//!
//! Labels are the operation, the kind of adapter and the outcome: never an id, a name of a
//! project or anything else that a caller chooses.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use ::metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{
    BuildError, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use vestibule_core::Operation;

const REQUESTS: &str = "vestibule_requests_total";
const DURATION: &str = "vestibule_request_duration_seconds";
const STORE_QUEUE_DEPTH: &str = "vestibule_store_queue_depth";
const IN_FLIGHT: &str = "vestibule_in_flight";
const CONNECTIONS: &str = "vestibule_connections";
const CONNECTIONS_REFUSED: &str = "vestibule_connections_refused_total";
const SHED: &str = "vestibule_shed_total";

/// 100 µs to 10 s.
const BUCKETS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// The kind of a request that did not get as far as an adapter.
pub(crate) const NO_KIND: &str = "none";

/// More kinds than a server has adapters. Beyond it, kinds are counted as `other`.
const MAX_KINDS: usize = 256;

const METADATA: Metadata<'static> = Metadata::new("vestibule", Level::INFO, None);

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was answered.
    Ok,
    /// The request was at fault.
    ClientError,
    /// The caller was not let in, or called too often: 401, 403 and 429.
    Refused,
    /// The broker was at fault.
    ServerError,
    /// The upstream was at fault: 502 and 504.
    UpstreamError,
    /// The server was too busy to try.
    Shed,
}

impl Outcome {
    const ALL: [Self; 6] = [
        Self::Ok,
        Self::ClientError,
        Self::Refused,
        Self::ServerError,
        Self::UpstreamError,
        Self::Shed,
    ];

    /// The outcome that an answer with this status stands for. What was shed is for the caller to
    /// know, since 503 has other reasons too.
    pub(crate) const fn of_status(status: u16) -> Self {
        match status {
            401 | 403 | 429 => Self::Refused,
            // The request asks for what the provider does not offer.
            501 => Self::ClientError,
            502 | 504 => Self::UpstreamError,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
            _ => Self::Ok,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ClientError => "client_error",
            Self::Refused => "refused",
            Self::ServerError => "server_error",
            Self::UpstreamError => "upstream_error",
            Self::Shed => "shed",
        }
    }
}

/// The metrics of one server. Nothing is global, so two servers in one process do not mix.
pub(crate) struct Metrics {
    /// The writes that wait for the store.
    pub(crate) store_queue_depth: Gauge,
    /// The requests that are being answered.
    pub(crate) in_flight: Gauge,
    /// The open connections.
    pub(crate) connections: Gauge,
    /// The connections that were turned away at the cap.
    pub(crate) connections_refused: Counter,
    /// The requests that were turned away because too many were being answered.
    pub(crate) shed: Counter,
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
    kinds: RwLock<BTreeMap<String, Arc<KindMetrics>>>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Metrics at zero.
    ///
    /// # Errors
    ///
    /// The exporter does not accept the buckets.
    pub(crate) fn new() -> Result<Self, BuildError> {
        let recorder = Arc::new(PrometheusBuilder::new().set_buckets(BUCKETS)?.build_recorder());
        describe(&recorder);
        let gauge = |name| recorder.register_gauge(&Key::from_static_name(name), &METADATA);
        let counter = |name| recorder.register_counter(&Key::from_static_name(name), &METADATA);
        Ok(Self {
            store_queue_depth: gauge(STORE_QUEUE_DEPTH),
            in_flight: gauge(IN_FLIGHT),
            connections: gauge(CONNECTIONS),
            connections_refused: counter(CONNECTIONS_REFUSED),
            shed: counter(SHED),
            handle: recorder.handle(),
            kinds: RwLock::default(),
            recorder,
        })
    }

    /// The metrics of an adapter kind, or of [`NO_KIND`]. Callers that can should keep the result.
    pub(crate) fn kind(&self, name: &str) -> Arc<KindMetrics> {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kinds.get(name) {
            return Arc::clone(known);
        }
        let name = if kinds.len() < MAX_KINDS { name } else { "other" };
        drop(kinds);
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(KindMetrics::new(name, Arc::clone(&self.recorder)));
        Arc::clone(kinds.entry(name.to_owned()).or_insert_with(new))
    }

    /// The text that a scraper reads.
    pub(crate) fn render(&self) -> String {
        self.handle.render()
    }

    /// Sorts the durations since the last call into their buckets. To be called once a second:
    /// until then each of them is kept in memory.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// The metrics of one kind of adapter.
pub(crate) struct KindMetrics {
    name: String,
    recorder: Arc<PrometheusRecorder>,
    operations: Box<[OnceLock<OperationMetrics>]>,
}

impl fmt::Debug for KindMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KindMetrics").field("name", &self.name).finish_non_exhaustive()
    }
}

struct OperationMetrics {
    duration: Histogram,
    outcomes: [Counter; Outcome::ALL.len()],
}

impl KindMetrics {
    fn new(name: &str, recorder: Arc<PrometheusRecorder>) -> Self {
        // One place more than there are operations: for requests that are none of them.
        let operations = (0..=Operation::ALL.len()).map(|_| OnceLock::new()).collect();
        Self { name: name.to_owned(), recorder, operations }
    }

    /// Counts an answered request. The series of an operation appear with its first request.
    pub(crate) fn record(&self, operation: Option<Operation>, outcome: Outcome, seconds: f64) {
        // `Operation::ALL` is in the order of declaration, so the number is the place.
        let place = operation.map_or(Operation::ALL.len(), |operation| operation as usize);
        let Some(slot) = self.operations.get(place) else {
            return;
        };
        let metrics = slot.get_or_init(|| self.register(operation));
        if let Some(counter) = metrics.outcomes.get(outcome as usize) {
            counter.increment(1);
        }
        metrics.duration.record(seconds);
    }

    fn register(&self, operation: Option<Operation>) -> OperationMetrics {
        let labels = vec![
            Label::new("operation", operation.map_or("none", Operation::as_str)),
            Label::new("kind", self.name.clone()),
        ];
        let duration = Key::from_parts(DURATION, labels.clone());
        let outcomes = Outcome::ALL.map(|outcome| {
            let mut labels = labels.clone();
            labels.push(Label::new("outcome", outcome.as_str()));
            self.recorder.register_counter(&Key::from_parts(REQUESTS, labels), &METADATA)
        });
        OperationMetrics {
            duration: self.recorder.register_histogram(&duration, &METADATA),
            outcomes,
        }
    }
}

fn describe(recorder: &PrometheusRecorder) {
    for (name, text) in [
        (REQUESTS, "Requests answered, by operation, adapter kind and outcome."),
        (CONNECTIONS_REFUSED, "Connections turned away because too many were open."),
        (SHED, "Requests turned away because too many were being answered."),
    ] {
        recorder.describe_counter(name.into(), Some(Unit::Count), text.into());
    }
    for (name, text) in [
        (STORE_QUEUE_DEPTH, "Writes that wait for the store."),
        (IN_FLIGHT, "Requests that are being answered."),
        (CONNECTIONS, "Open connections."),
    ] {
        recorder.describe_gauge(name.into(), Some(Unit::Count), text.into());
    }
    let text = "Time from the head of a request to its answer, by operation and adapter kind.";
    recorder.describe_histogram(DURATION.into(), Some(Unit::Seconds), text.into());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vestibule_core::Operation;

    use super::{MAX_KINDS, Metrics, NO_KIND, Outcome};

    #[test]
    fn a_request_is_counted_and_timed() {
        let metrics = Metrics::new().unwrap();
        let kind = metrics.kind("anonymous");
        kind.record(Some(Operation::Register), Outcome::Ok, 0.002);
        kind.record(Some(Operation::Register), Outcome::Refused, 0.2);
        metrics.kind(NO_KIND).record(Some(Operation::Erase), Outcome::ClientError, 0.0);
        metrics.upkeep();
        let text = metrics.render();
        let register = "operation=\"register\",kind=\"anonymous\"";
        let erase = "operation=\"erase\",kind=\"none\"";
        for line in [
            "# TYPE vestibule_requests_total counter".to_owned(),
            "# HELP vestibule_request_duration_seconds ".to_owned(),
            "# TYPE vestibule_request_duration_seconds histogram".to_owned(),
            format!("vestibule_requests_total{{{register},outcome=\"ok\"}} 1\n"),
            format!("vestibule_requests_total{{{register},outcome=\"shed\"}} 0\n"),
            format!("vestibule_requests_total{{{erase},outcome=\"client_error\"}} 1\n"),
            format!("vestibule_request_duration_seconds_bucket{{{register},le=\"0.001\"}} 0\n"),
            format!("vestibule_request_duration_seconds_bucket{{{register},le=\"0.0025\"}} 1\n"),
            format!("vestibule_request_duration_seconds_count{{{register}}} 2\n"),
            "vestibule_connections 0\n".to_owned(),
            "vestibule_shed_total 0\n".to_owned(),
        ] {
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn every_operation_has_a_place() {
        let metrics = Metrics::new().unwrap();
        let kind = metrics.kind("anonymous");
        for operation in Operation::ALL {
            kind.record(Some(*operation), Outcome::Ok, 0.0);
        }
        let text = metrics.render();
        for operation in Operation::ALL {
            assert!(text.contains(&format!("operation=\"{operation}\"")), "{operation}");
        }
    }

    #[test]
    fn the_kinds_are_bounded() {
        let metrics = Metrics::new().unwrap();
        assert!(Arc::ptr_eq(&metrics.kind("a"), &metrics.kind("a")));
        for kind in 0..MAX_KINDS * 2 {
            metrics.kind(&kind.to_string());
        }
        let other = metrics.kind("other");
        assert!(Arc::ptr_eq(&other, &metrics.kind("one more")));
    }

    #[test]
    fn a_status_stands_for_an_outcome() {
        for (status, outcome) in [
            (200, Outcome::Ok),
            (302, Outcome::Ok),
            (400, Outcome::ClientError),
            (401, Outcome::Refused),
            (429, Outcome::Refused),
            (500, Outcome::ServerError),
            (502, Outcome::UpstreamError),
            (503, Outcome::ServerError),
            (504, Outcome::UpstreamError),
        ] {
            assert_eq!(Outcome::of_status(status), outcome, "{status}");
        }
    }
}
