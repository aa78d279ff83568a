//! How a log line looks: one line an event, whatever its values hold.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde::Serializer as _;
use serde::ser::SerializeMap as _;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;
use vestibule_core::{Clock, RequestId, Timestamp};

use crate::text::{is_unsafe, on_one_line};

/// Which form a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// One JSON object.
    Json,
    /// For people.
    Pretty {
        /// With colours.
        colour: bool,
    },
}

/// Writes the lines.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Their form.
    pub(crate) form: Form,
    /// Where their time comes from.
    pub(crate) clock: Arc<dyn Clock>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _ctx: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut content = Content::default();
        event.record(&mut content);
        let line = Line {
            at: self.clock.now(),
            level: *event.metadata().level(),
            target: event.metadata().target(),
            request: vestibule_server::current_request(),
            content,
        };
        let text = match self.form {
            Form::Json => line.json().map_err(|_| fmt::Error)?,
            Form::Pretty { colour } => line.pretty(colour)?,
        };
        writeln!(writer, "{text}")
    }
}

/// What an event says.
#[derive(Debug, Default)]
struct Content {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Content {
    fn put(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = plain(&value).into_owned();
        } else {
            self.fields.push((field.name(), value));
        }
    }
}

impl Visit for Content {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::String(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // Durations and the like: what is beyond three decimals is noise.
        self.put(field, Value::from((value * 1000.0).round() / 1000.0));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            // Writing to a `String` cannot fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        self.put(field, Value::String(text));
    }
}

/// One line.
#[derive(Debug)]
struct Line<'a> {
    at: Timestamp,
    level: Level,
    target: &'a str,
    request: Option<RequestId>,
    content: Content,
}

impl Line<'_> {
    fn json(&self) -> Result<String, serde_json::Error> {
        let mut bytes = Vec::with_capacity(256);
        let mut serializer = serde_json::Serializer::new(&mut bytes);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("timestamp", &rfc3339(self.at))?;
        map.serialize_entry("level", self.level.as_str())?;
        map.serialize_entry("target", self.target)?;
        map.serialize_entry("message", &self.content.message)?;
        if let Some(request) = self.request {
            map.serialize_entry("request_id", &request.to_string())?;
        }
        for (name, value) in &self.content.fields {
            match *name {
                // Readers of JSON differ on which of two equal keys they keep.
                "timestamp" | "level" | "target" | "request_id" => {
                    map.serialize_entry(&format!("{name}_"), value)?;
                }
                name => map.serialize_entry(name, value)?,
            }
        }
        map.end()?;
        // serde_json escapes what JSON demands; terminals also act on the rest. All of it
        // stands inside strings, where an escape means the same.
        let text = String::from_utf8_lossy(&bytes);
        let mut line = String::with_capacity(text.len());
        for c in text.chars() {
            if is_unsafe(c) {
                // Every unsafe character is in the basic plane, so one escape names it.
                let _ = write!(line, "\\u{:04x}", u32::from(c));
            } else {
                line.push(c);
            }
        }
        Ok(line)
    }

    fn pretty(&self, colour: bool) -> Result<String, fmt::Error> {
        let mut line = String::with_capacity(128);
        let (on, off) = if colour { (colour_of(self.level), "\u{1b}[0m") } else { ("", "") };
        write!(
            line,
            "{} {on}{:>5}{off} {}: {}",
            rfc3339(self.at),
            self.level.as_str(),
            self.target,
            on_one_line(&self.content.message),
        )?;
        for (name, value) in &self.content.fields {
            let value = plain(value);
            let value = on_one_line(&value);
            if value.is_empty() || value.contains([' ', '=', '"']) {
                write!(line, " {name}=\"{}\"", value.replace('"', "\\\""))?;
            } else {
                write!(line, " {name}={value}")?;
            }
        }
        if let Some(request) = self.request {
            write!(line, " request_id={request}")?;
        }
        Ok(line)
    }
}

fn plain(value: &Value) -> std::borrow::Cow<'_, str> {
    match value {
        Value::String(text) => text.as_str().into(),
        other => other.to_string().into(),
    }
}

fn colour_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\u{1b}[31m",
        Level::WARN => "\u{1b}[33m",
        Level::INFO => "\u{1b}[32m",
        _ => "\u{1b}[2m",
    }
}

/// A moment as RFC 3339 writes it, in UTC with milliseconds.
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let millis = at.millis();
    let days = millis.div_euclid(86_400_000);
    let of_day = millis.rem_euclid(86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// The Gregorian date of a day counted from 1970-01-01. Counts in eras of 400 years that begin
/// on a first of March, so that the leap day is the last day of a year (Hinnant, "chrono-
/// Compatible Low-Level Date Algorithms", `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Debug)]
    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_709_210_096_789)
        }
    }

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Sink {
        type Writer = Sink;

        fn make_writer(&'a self) -> Sink {
            self.clone()
        }
    }

    fn logged(form: Form, act: impl FnOnce()) -> String {
        let sink = Sink::default();
        let lines = Lines { form, clock: Arc::new(Fixed) };
        let layer = tracing_subscriber::fmt::layer().event_format(lines).with_writer(sink.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    const NASTY: &str = "a\r\n{\"level\":\"ERROR\"}\u{1b}[31m\u{9b}2J\u{2028}b";

    #[test]
    fn x07_a_line_break_in_a_field_stays_one_line() {
        for form in [Form::Json, Form::Pretty { colour: false }] {
            let text = logged(form, || tracing::info!(name = NASTY, "said {NASTY}"));
            assert_eq!(text.matches('\n').count(), 1, "{text}");
            assert!(text.ends_with('\n'));
            let line = text.trim_end_matches('\n');
            assert!(!line.chars().any(is_unsafe), "{line:?}");
        }
    }

    #[test]
    fn a_json_line_gives_back_what_was_logged() {
        let text = logged(Form::Json, || {
            tracing::warn!(name = NASTY, count = 3, level = "x", "said {NASTY}");
        });
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["timestamp"], "2024-02-29T12:34:56.789Z");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["level_"], "x");
        assert_eq!(line["message"], format!("said {NASTY}"));
        assert_eq!(line["name"], NASTY);
        assert_eq!(line["count"], 3);
        assert!(text.starts_with("{\"timestamp\":"), "{text}");
    }

    #[test]
    fn a_line_for_people_reads_from_left_to_right() {
        let text = logged(Form::Pretty { colour: false }, || {
            tracing::info!(target: "vestibule", n = 1, what = "two words", "hello");
        });
        assert_eq!(
            text,
            "2024-02-29T12:34:56.789Z  INFO vestibule: hello n=1 what=\"two words\"\n"
        );
    }

    #[test]
    fn fractions_have_three_decimals() {
        for form in [Form::Json, Form::Pretty { colour: false }] {
            let text = logged(form, || tracing::info!(duration_ms = 0.123_456_789, "done"));
            assert!(text.contains("0.123"), "{text}");
            assert!(!text.contains("0.1234"), "{text}");
        }
    }

    #[test]
    fn dates_are_gregorian_before_and_after_the_epoch() {
        let date = |millis| rfc3339(Timestamp::from_millis(millis));
        assert_eq!(date(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(date(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(date(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
    }
}
