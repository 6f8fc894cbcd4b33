//! Construction of the adapters and settings of the Lambda functions from environment variables.
//!
//! Each function calls the constructors that it needs with one [`Reader`]. Every environment
//! variable is read in one place, so that all functions use the same name and the same default.

use crate::config::{Reader, Variables};

/// AWS client settings for the function's own account.
#[cfg(any(
    feature = "store",
    feature = "workflow",
    feature = "secrets",
    feature = "sealer",
    feature = "queue",
    feature = "delivery"
))]
pub use docferry_aws::config::load as load_aws;

/// Starts logging with the level `LOG_LEVEL`.
pub fn start_logging(reader: &mut Reader<impl Variables>) {
    let level = reader.optional("LOG_LEVEL").unwrap_or_else(|| "info".into());
    crate::telemetry::init(&level);
}

/// Store of all records, in `TRANSFERS_TABLE`.
#[cfg(feature = "store")]
pub fn transfer_store(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::DynamoTransferStore {
    let table = reader.required("TRANSFERS_TABLE", "docferry-local-transfers");
    docferry_aws::DynamoTransferStore::new(aws_sdk_dynamodb::Client::new(aws), table)
}

/// Document registry, in `DOCUMENTS_TABLE`.
#[cfg(feature = "store")]
pub fn registry(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::DynamoRegistry {
    let table = reader.required("DOCUMENTS_TABLE", "docferry-local-documents");
    docferry_aws::DynamoRegistry::new(aws_sdk_dynamodb::Client::new(aws), table)
}

/// Log of audit events, in `AUDIT_TABLE`.
#[cfg(feature = "store")]
pub fn audit_log(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::DynamoAuditLog {
    let table = reader.required("AUDIT_TABLE", "docferry-local-audit");
    docferry_aws::DynamoAuditLog::new(aws_sdk_dynamodb::Client::new(aws), table)
}

/// Systems of subject identifiers that the deployment knows: `SUBJECT_SYSTEMS`, in JSON.
pub fn subject_systems(
    reader: &mut Reader<impl Variables>,
) -> docferry_domain::document::SubjectPatterns {
    reader.parsed_or("SUBJECT_SYSTEMS", docferry_domain::document::SubjectPatterns::default())
}

/// Range of valid document numbers: `FILE_ID_MIN` to `FILE_ID_MAX`.
pub fn file_range(reader: &mut Reader<impl Variables>) -> std::ops::RangeInclusive<u64> {
    let first = reader.number("FILE_ID_MIN", 10_000);
    first..=reader.number("FILE_ID_MAX", 100_000_000)
}

/// Throttling state of Microsoft Graph that all transfers share, in `TRANSFERS_TABLE`. A deployment
/// serves one Microsoft tenant, so it has one throttle budget.
#[cfg(feature = "store")]
pub fn throttle_budget(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::DynamoThrottleBudget {
    let table = reader.optional("TRANSFERS_TABLE").unwrap_or_default();
    docferry_aws::DynamoThrottleBudget::new(aws_sdk_dynamodb::Client::new(aws), table, "graph")
}

/// Client of the state machine `STATE_MACHINE_ARN`.
#[cfg(feature = "workflow")]
pub fn workflow(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::StepFunctionsWorkflow {
    let arn = reader.required(
        "STATE_MACHINE_ARN",
        "arn:aws:states:ca-central-1:123456789012:stateMachine:docferry-local-transfer",
    );
    docferry_aws::StepFunctionsWorkflow::new(aws_sdk_sfn::Client::new(aws), arn)
}

/// Limits on slots. A slot is the right of a transfer to move bytes, so each limit is a number of
/// transfers that may do so at the same time.
///
/// - Deliveries to OneDrive: `MAX_ACTIVE_DELIVERIES` in total, and at most
///   `MAX_DELIVERIES_PER_USER` for one recipient.
/// - Downloads: `MAX_ACTIVE_TRANSFERS` in total, at most `MAX_ACTIVE_PER_USER` for one person, and
///   at most `MAX_ACTIVE_PER_SERVICE` for a service that downloads on its own behalf.
#[cfg(feature = "workflow")]
pub fn slot_limits(reader: &mut Reader<impl Variables>) -> docferry_domain::slots::SlotLimits {
    use docferry_domain::slots::PoolLimits;

    let onedrive = PoolLimits::new(
        reader.parsed_or("MAX_ACTIVE_DELIVERIES", 50),
        reader.parsed_or("MAX_DELIVERIES_PER_USER", 3),
    );
    let download = PoolLimits {
        active: reader.parsed_or("MAX_ACTIVE_TRANSFERS", 5),
        per_person: reader.parsed_or("MAX_ACTIVE_PER_USER", 3),
        per_service: reader.parsed_or("MAX_ACTIVE_PER_SERVICE", 5),
    };
    docferry_domain::slots::SlotLimits { onedrive, download }
}

/// Rules for the deadline of a transfer by its size: `DEADLINE_BASE_SECONDS`, and
/// `DEADLINE_ONEDRIVE_BYTES_PER_SECOND` or `DEADLINE_DOWNLOAD_BYTES_PER_SECOND`.
///
/// Also reads `ARRIVAL_DEADLINE_SECONDS`, so that [`Reader::finish`] can compare the two deadlines.
pub fn deadline_rules(
    reader: &mut Reader<impl Variables>,
) -> docferry_domain::transfer::DeadlineRules {
    let _compared = arrival_rules(reader);
    docferry_domain::transfer::DeadlineRules {
        base: reader.seconds("DEADLINE_BASE_SECONDS", 3_600),
        onedrive_bytes_per_second: reader
            .parsed_or("DEADLINE_ONEDRIVE_BYTES_PER_SECOND", 1_000_000),
        download_bytes_per_second: reader
            .parsed_or("DEADLINE_DOWNLOAD_BYTES_PER_SECOND", 5_000_000),
    }
}

/// Client of the audit queues: `AUDIT_QUEUE_URL`, which belongs to the SIEM, and
/// `AUDIT_ARCHIVE_QUEUE_URL`.
#[cfg(feature = "queue")]
pub fn audit_queue(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::SqsAuditQueue {
    let url = reader.required(
        "AUDIT_QUEUE_URL",
        "https://sqs.ca-central-1.amazonaws.com/123456789012/docferry-local-audit",
    );
    let archive = reader.required(
        "AUDIT_ARCHIVE_QUEUE_URL",
        "https://sqs.ca-central-1.amazonaws.com/123456789012/docferry-local-audit-archive",
    );
    docferry_aws::SqsAuditQueue::new(aws_sdk_sqs::Client::new(aws), [url, archive])
}

/// Client of the webhook queue `WEBHOOK_QUEUE_URL`, which the function `webhook` reads.
#[cfg(feature = "queue")]
pub fn webhook_queue(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::SqsWebhookQueue {
    let url = reader.required(
        "WEBHOOK_QUEUE_URL",
        "https://sqs.ca-central-1.amazonaws.com/123456789012/docferry-local-webhook",
    );
    docferry_aws::SqsWebhookQueue::new(aws_sdk_sqs::Client::new(aws), url)
}

/// Rules for the arrival of a pushed document: `ARRIVAL_DEADLINE_SECONDS`.
pub fn arrival_rules(
    reader: &mut Reader<impl Variables>,
) -> docferry_domain::transfer::ArrivalRules {
    docferry_domain::transfer::ArrivalRules {
        deadline: reader.seconds("ARRIVAL_DEADLINE_SECONDS", 600),
    }
}

/// Retries of webhooks: `WEBHOOK_FIRST_RETRY_SECONDS`, `WEBHOOK_MAX_TRIES`.
pub fn webhook_settings(
    reader: &mut Reader<impl Variables>,
) -> docferry_app::notification::webhook::WebhookSettings {
    let default = docferry_app::notification::webhook::WebhookSettings::default();
    let first_pause = reader.seconds("WEBHOOK_FIRST_RETRY_SECONDS", 5);
    docferry_app::notification::webhook::WebhookSettings {
        first_pause: first_pause.unsigned_abs(),
        most_tries: reader.parsed_or("WEBHOOK_MAX_TRIES", default.most_tries),
        ..default
    }
}

/// Rate limits and CORS for a router: `RATE_PER_PERSON` and `RATE_PER_SERVICE` calls per minute,
/// and `ALLOWED_ORIGINS`. Calls are counted in `TRANSFERS_TABLE`, over all processes.
#[cfg(all(feature = "http", feature = "store"))]
pub fn layers_with_shared_counter(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_http::ApiLayers<docferry_aws::DynamoQuota, crate::SystemClock> {
    let table = reader.optional("TRANSFERS_TABLE").unwrap_or_default();
    let quota = docferry_aws::DynamoQuota::new(aws_sdk_dynamodb::Client::new(aws), table);
    api_layers(reader, quota, docferry_http::RateLimits { person: 60, service: 3_000 })
}

/// Rate limits and CORS for a router, from the same settings as `layers_with_shared_counter`. Calls
/// are counted in this process only.
#[cfg(feature = "http")]
pub fn layers_with_local_counter(
    reader: &mut Reader<impl Variables>,
) -> docferry_http::ApiLayers<crate::InMemoryCallCounter, crate::SystemClock> {
    let limits = docferry_http::RateLimits { person: 600, service: 30_000 };
    api_layers(reader, crate::InMemoryCallCounter::default(), limits)
}

/// Creates the rate limits and CORS of a router. `limits` are the defaults of the rate limits.
#[cfg(feature = "http")]
fn api_layers<Q>(
    reader: &mut Reader<impl Variables>,
    quota: Q,
    limits: docferry_http::RateLimits,
) -> docferry_http::ApiLayers<Q, crate::SystemClock> {
    let limits = docferry_http::RateLimits {
        person: reader.parsed_or("RATE_PER_PERSON", limits.person),
        service: reader.parsed_or("RATE_PER_SERVICE", limits.service),
    };
    let setting = reader.optional("ALLOWED_ORIGINS").unwrap_or_default();
    let mut origins = Vec::new();
    for origin in setting.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
        match docferry_http::HeaderValue::from_str(origin) {
            Ok(origin) => origins.push(origin),
            Err(_) => reader.problem(
                "ALLOWED_ORIGINS is not valid: an origin has a character that is not allowed",
            ),
        }
    }
    docferry_http::ApiLayers { quota, clock: crate::SystemClock, limits, origins }
}

/// Deadline and retention of jobs: `TRANSFER_DEADLINE_SECONDS`, `RECORD_TTL_HOURS`,
/// `JOB_TTL_HOURS`.
///
/// Also reads `ARRIVAL_DEADLINE_SECONDS` and `DEADLINE_BASE_SECONDS`, so that [`Reader::finish`]
/// can compare all these durations. A function with contradictory durations does not start. If it
/// started, it would accept work that fails later.
pub fn job_settings(reader: &mut Reader<impl Variables>) -> docferry_app::job::JobSettings {
    let _compared = (arrival_rules(reader), reader.seconds("DEADLINE_BASE_SECONDS", 3_600));
    let initiate = docferry_app::transfer::create::InitiateSettings {
        transfer_deadline: reader.seconds("TRANSFER_DEADLINE_SECONDS", 14_400),
        record_ttl: record_ttl(reader),
    };
    docferry_app::job::JobSettings { initiate, job_ttl: reader.hours("JOB_TTL_HOURS", 24) }
}

/// Time for which the record of an ended transfer or job is shown: `RECORD_TTL_HOURS`.
pub fn record_ttl(reader: &mut Reader<impl Variables>) -> jiff::SignedDuration {
    reader.hours("RECORD_TTL_HOURS", 168)
}

/// Dependencies of the API routes that read jobs. The routes show ended jobs for [`record_ttl`],
/// and their presigned URLs are valid for `URL_TTL_SECONDS`.
#[cfg(all(feature = "http", feature = "store", feature = "delivery"))]
pub fn job_api(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_http::JobApi<Production> {
    docferry_http::JobApi {
        store: transfer_store(reader, aws),
        clock: crate::SystemClock,
        presigner: delivery(reader, aws),
        registry: registry(reader, aws),
        audit: audit_log(reader, aws),
        record_ttl: record_ttl(reader),
        url_ttl: reader.seconds("URL_TTL_SECONDS", 900),
    }
}

/// Encryption of upload URLs with the KMS key `SESSION_KEY_ARN`.
#[cfg(feature = "sealer")]
pub fn sealer(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::KmsSealer {
    let key = reader.required("SESSION_KEY_ARN", "arn:aws:kms:ca-central-1:123456789012:key/…");
    docferry_aws::KmsSealer::new(aws_sdk_kms::Client::new(aws), key)
}

#[cfg(feature = "store")]
mod adapters;
mod callback;
#[cfg(feature = "delivery")]
mod delivery;
#[cfg(feature = "exchange")]
mod exchange;
#[cfg(feature = "feed")]
mod feed;
#[cfg(feature = "graph")]
mod graph;
#[cfg(feature = "ords")]
mod ords;
#[cfg(feature = "secrets")]
mod secret;
#[cfg(feature = "webhook")]
mod webhook;

#[cfg(feature = "store")]
pub use adapters::Production;
pub use callback::callback_rule;
#[cfg(feature = "delivery")]
pub use delivery::{audit_archive, delivery};
#[cfg(feature = "exchange")]
pub use exchange::{ExchangeSettings, exchange};
#[cfg(feature = "feed")]
pub use feed::registry_dead_letters;
#[cfg(feature = "graph")]
pub use graph::{Graph, GraphCredentials, graph, graph_directory};
#[cfg(feature = "ords")]
pub use ords::{OrdsSecret, ords};
#[cfg(feature = "secrets")]
pub use secret::secret;
#[cfg(feature = "webhook")]
pub use webhook::{WebhookSecret, receiver};
