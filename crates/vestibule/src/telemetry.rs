//! Logs to stderr and, where configured, traces to an OpenTelemetry collector.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{Directive, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::{EnvFilter, Registry};
use vestibule_core::Clock;

use crate::config::{LogFormat, Telemetry};
use crate::log_format::{Form, Lines};

/// Spans of this target are what is exported. They are no log lines.
const TRACE_TARGET: &str = "vestibule::trace";

/// How many lines may wait for a slow sink before further ones are dropped.
const WAITING_LINES: usize = 16_384;

/// How long the end of the process waits for a collector.
const FLUSH_WITHIN: Duration = Duration::from_secs(3);

/// Keeps telemetry going; to be stopped at the very end, outside of any runtime.
#[derive(Debug)]
pub(crate) struct Running {
    provider: Option<SdkTracerProvider>,
    // Dropped last: it writes out the lines that wait.
    _lines: WorkerGuard,
}

impl Running {
    /// Exports what is left and writes out the lines that wait.
    pub(crate) fn stop(self) {
        if let Some(provider) = &self.provider
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_WITHIN)
        {
            tracing::warn!(error = %error, "the last traces were not exported");
        }
    }
}

/// Starts logs and traces for the whole process.
///
/// # Errors
/// Why not, in words for the operator.
pub(crate) fn start(settings: &Telemetry, clock: Arc<dyn Clock>) -> Result<Running, String> {
    let provider = match &settings.otlp_endpoint {
        Some(endpoint) => Some(exporter(endpoint)?),
        None => None,
    };
    // Lossy and on a thread of its own: a terminal or pipe that nobody reads must never hold
    // up a request.
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(WAITING_LINES)
        .thread_name("log")
        .finish(std::io::stderr());
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines { form: form(settings.format), clock })
        .with_ansi(false)
        .with_writer(writer)
        .with_filter(filter(&settings.filter)?);
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("vestibule"))
            .with_filter(Targets::new().with_target(TRACE_TARGET, LevelFilter::TRACE))
    });
    let subscriber = Registry::default().with(lines).with(traces);
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| format!("logging cannot start: {error}"))?;
    std::panic::set_hook(Box::new(|panic| {
        // What a panic says may hold anything; where it happened is enough to find it.
        let location = panic.location().map(ToString::to_string);
        let thread = std::thread::current().name().map(ToOwned::to_owned);
        tracing::error!(location, thread, "panicked");
    }));
    Ok(Running { provider, _lines: guard })
}

fn form(format: LogFormat) -> Form {
    let terminal = std::io::stderr().is_terminal();
    match format {
        LogFormat::Json => Form::Json,
        LogFormat::Auto if !terminal => Form::Json,
        LogFormat::Auto | LogFormat::Pretty => Form::Pretty { colour: terminal },
    }
}

fn filter(text: &str) -> Result<EnvFilter, String> {
    let refuse = |error: &dyn std::fmt::Display| format!("telemetry.log: {error}");
    let no_traces =
        format!("{TRACE_TARGET}=off").parse::<Directive>().map_err(|error| refuse(&error))?;
    let filter = EnvFilter::try_new(text).map_err(|error| refuse(&error))?;
    Ok(filter.add_directive(no_traces))
}

/// Batches spans on a thread of its own, which talks to the collector by itself: nothing of it
/// runs on the threads that answer requests.
fn exporter(endpoint: &str) -> Result<SdkTracerProvider, String> {
    // The setting is the collector's base address, as in OpenTelemetry's own variable.
    let base = endpoint.trim_end_matches('/');
    let url =
        if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpJson)
        .with_endpoint(url)
        .build()
        .map_err(|error| format!("telemetry.otlp_endpoint: {error}"))?;
    let resource = Resource::builder().with_service_name("vestibule").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_for_export_are_never_log_lines() {
        assert!(filter("trace").unwrap().to_string().contains("vestibule::trace=off"));
    }
}
