//! Logging of the Lambda functions to stdout. Each log line is one JSON object, which CloudWatch
//! Logs can search by field.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Libraries that may log URLs or headers at the level `INFO` and below. They log only `WARN` and
/// `ERROR`, independently of the log level.
const CAPPED_LIBRARIES: &[&str] = &[
    "aws_config",
    "aws_runtime",
    "aws_sdk_dynamodb",
    "aws_sdk_kms",
    "aws_sdk_s3",
    "aws_sdk_secretsmanager",
    "aws_sdk_sfn",
    "aws_sdk_sqs",
    "aws_sigv4",
    "aws_smithy_http_client",
    "aws_smithy_runtime",
    "aws_smithy_runtime_api",
    "h2",
    "hyper",
    "hyper_util",
    "lambda_http",
    "lambda_runtime",
    "lambda_runtime_api_client",
    "reqwest",
    "rustls",
    "tower",
    "tower_http",
];

/// Starts logging. `level` is one level, or a list of levels by target
/// (`info,docferry_app=debug`). An invalid value counts as `info`.
pub fn init(level: &str) {
    // This is `Targets` and not `EnvFilter`, whose regular expressions would be a large part of the
    // binary of a small function.
    let requested = level.parse().unwrap_or(Targets::new().with_default(Level::INFO));
    let capped = Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_targets(CAPPED_LIBRARIES.iter().map(|target| (*target, Level::WARN)))
        // This target would log every failure a second time.
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    let json_layer = tracing_subscriber::fmt::layer()
        .fmt_fields(JsonFields::new())
        .event_format(FlatJson)
        .with_ansi(false)
        .with_filter(requested.and(capped));
    // `try_init` fails if logging has already been started, which happens in tests.
    let _ = tracing_subscriber::registry().with(json_layer).try_init();
}

/// Log format with one JSON object per line. The fields of the event and of the spans around it,
/// such as the request id, are all at the top level of the object.
///
/// The JSON format of `tracing_subscriber` puts the fields of spans into nested objects. A log
/// query for `trace.id` would not find them there, because workflow steps log this field at the top
/// level. Lines have no timestamp, because CloudWatch Logs adds one.
struct FlatJson;

impl<S> FormatEvent<S, JsonFields> for FlatJson
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Map::new();
        let metadata = event.metadata();
        line.insert("level".into(), metadata.level().as_str().into());
        // Outer spans come first, so that the innermost value of a field wins.
        for span in context.event_scope().into_iter().flat_map(|spans| spans.from_root()) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            if let Some(Ok(Value::Object(fields))) = fields.map(|text| serde_json::from_str(text)) {
                line.extend(fields);
            }
        }
        event.record(&mut Fields(&mut line));
        line.insert("target".into(), metadata.target().into());
        let line = serde_json::to_string(&line).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

/// Visitor that adds the fields of an event to a JSON object.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Writer that collects the log lines.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn log_line_has_event_and_span_fields_at_the_top_level() {
        let lines = Lines::default();
        let written = lines.clone();
        let layer = tracing_subscriber::fmt::layer()
            .fmt_fields(JsonFields::new())
            .event_format(FlatJson)
            .with_ansi(false)
            .with_writer(move || written.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let request = tracing::error_span!("request", request.id = "r-1", trace.id = "t-1");
            let _entered = request.enter();
            let cause: Option<&str> = None;
            tracing::info!(
                job.id = "j-1",
                job.files = 3_u64,
                error.cause = cause,
                "job \"accepted\""
            );
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "level": "INFO", "message": "job \"accepted\"", "job.id": "j-1", "job.files": 3,
            "request.id": "r-1", "trace.id": "t-1", "target": module_path!(),
        });
        assert_eq!(line, expected);
    }
}
