//! Adapters made from settings; each setting is read in one place.

use crate::config::{Reader, Variables};

/// The client settings of the function's own account.
#[cfg(any(
    feature = "store",
    feature = "workflow",
    feature = "secrets",
    feature = "sealer",
    feature = "queue",
    feature = "delivery"
))]
pub use docferry_aws::config::load as load_aws;

/// Starts the logs as `LOG_LEVEL` says.
pub fn start_logging(reader: &mut Reader<impl Variables>) {
    let level = reader.optional("LOG_LEVEL").unwrap_or_else(|| "info".into());
    crate::telemetry::init(&level);
}

/// The records, in `TRANSFERS_TABLE`.
#[cfg(feature = "store")]
pub fn transfer_store(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::DynamoTransferStore {
    let table = reader.required("TRANSFERS_TABLE", "docferry-local-transfers");
    docferry_aws::DynamoTransferStore::new(aws_sdk_dynamodb::Client::new(aws), table)
}

/// Which document has which number, in `DOCUMENTS_TABLE`, and the numbers that there
/// may be: `FILE_ID_MIN` to `FILE_ID_MAX`.
#[cfg(feature = "store")]
pub fn document_index(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> (docferry_aws::DynamoDocumentIndex, std::ops::RangeInclusive<u64>) {
    let table = reader.required("DOCUMENTS_TABLE", "docferry-local-documents");
    let index = docferry_aws::DynamoDocumentIndex::new(aws_sdk_dynamodb::Client::new(aws), table);
    let range = reader.or("FILE_ID_MIN", 10_000)..=reader.or("FILE_ID_MAX", 100_000_000);
    (index, range)
}

/// What transfers share of Graph's throttling, in `TRANSFERS_TABLE`. A stack has
/// one tenant, so one pool.
#[cfg(feature = "store")]
pub fn throttle_budget(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::DynamoThrottleBudget {
    let table = reader.optional("TRANSFERS_TABLE").unwrap_or_default();
    docferry_aws::DynamoThrottleBudget::new(aws_sdk_dynamodb::Client::new(aws), table, "graph")
}

/// The state machine, `STATE_MACHINE_ARN`.
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

/// How many may move bytes at once: `MAX_ACTIVE_DELIVERIES` to OneDrive,
/// `MAX_ACTIVE_TRANSFERS` downloads, `MAX_ACTIVE_PER_USER` of each.
#[cfg(feature = "workflow")]
pub fn pool_limits(reader: &mut Reader<impl Variables>) -> docferry_domain::Limits {
    let per_person = reader.or("MAX_ACTIVE_PER_USER", 3);
    let mut pool = |name, default| docferry_domain::PoolLimits {
        active: reader.or(name, default),
        per_person,
    };
    docferry_domain::Limits {
        onedrive: pool("MAX_ACTIVE_DELIVERIES", 50),
        download: pool("MAX_ACTIVE_TRANSFERS", 5),
    }
}

/// The audit trail's queue, `AUDIT_QUEUE_URL`.
#[cfg(feature = "queue")]
pub fn audit_queue(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::SqsAuditQueue {
    let url = reader.required(
        "AUDIT_QUEUE_URL",
        "https://sqs.ca-central-1.amazonaws.com/123456789012/docferry-local-audit",
    );
    docferry_aws::SqsAuditQueue::new(aws_sdk_sqs::Client::new(aws), url)
}

/// The key that seals upload URLs, `SESSION_KEY_ARN`.
#[cfg(feature = "sealer")]
pub fn sealer(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> docferry_aws::KmsSealer {
    let key = reader.required("SESSION_KEY_ARN", "arn:aws:kms:ca-central-1:123456789012:key/…");
    docferry_aws::KmsSealer::new(aws_sdk_kms::Client::new(aws), key)
}

/// The secret whose ARN stands in the variable `name`; nothing is fetched yet.
#[cfg(feature = "secrets")]
pub fn secret<T: serde::de::DeserializeOwned + Send + Sync>(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
    name: &str,
) -> docferry_aws::SecretCache<T> {
    let arn = reader.required(name, "arn:aws:secretsmanager:ca-central-1:123456789012:secret:…");
    docferry_aws::SecretCache::new(aws_sdk_secretsmanager::Client::new(aws), arn)
}

#[cfg(feature = "delivery")]
mod delivery;
#[cfg(feature = "exchange")]
mod exchange;
#[cfg(feature = "graph")]
mod graph;
#[cfg(feature = "ords")]
mod ords;

#[cfg(feature = "delivery")]
pub use delivery::delivery;
#[cfg(feature = "exchange")]
pub use exchange::{ExchangeSettings, exchange};
#[cfg(feature = "graph")]
pub use graph::{GraphCredentials, graph};
#[cfg(feature = "ords")]
pub use ords::{OrdsSecret, ords};
