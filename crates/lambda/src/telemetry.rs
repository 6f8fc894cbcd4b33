//! Logs: one JSON object a line on stdout, as CloudWatch Logs reads them.

use tracing::Level;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{FilterExt as _, LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Libraries whose chattier levels may print URLs or headers. Whatever the log
/// level, they are heard from `WARN` on.
const CAPPED: &[&str] = &[
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

/// Starts logging. `level` is one level, or levels by target
/// (`info,docferry_app=debug`); what cannot be read counts as `info`.
pub fn init(level: &str) {
    // Without the spans and patterns of `EnvFilter`, whose engine is a large part of a
    // small function.
    let wanted = level.parse().unwrap_or(Targets::new().with_default(Level::INFO));
    let capped = Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_targets(CAPPED.iter().map(|target| (*target, Level::WARN)))
        // Logs every failure a second time, after us.
        .with_target("lambda_runtime::layers::panic", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_ansi(false)
        // CloudWatch Logs dates every line.
        .without_time()
        .with_filter(wanted.and(capped));
    // A second start, in tests, keeps the first.
    let _ = tracing_subscriber::registry().with(lines).try_init();
}
