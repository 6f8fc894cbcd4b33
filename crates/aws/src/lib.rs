//! The ports of docferry on AWS: one adapter a service, one cargo feature an adapter.
//!
//! Every adapter takes a client and names of resources; none reads the
//! environment. Errors are translated by meaning in one place each, and what is
//! kept as a cause is the service's error code and nothing else: DynamoDB quotes
//! values in its validation messages, and values are names and addresses of people.

pub mod config;
#[cfg(feature = "s3")]
pub mod delivery;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[allow(dead_code, reason = "each adapter uses its part")]
mod fault;
#[cfg(feature = "kms")]
pub mod kms;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(feature = "sfn")]
pub mod sfn;
#[cfg(feature = "sqs")]
pub mod sqs;

#[cfg(feature = "s3")]
pub use delivery::S3Artifacts;
#[cfg(feature = "dynamodb")]
pub use dynamodb::{DynamoDocumentIndex, DynamoQuota, DynamoThrottleBudget, DynamoTransferStore};
pub use fault::{Fault, FaultKind};
#[cfg(feature = "kms")]
pub use kms::KmsSealer;
#[cfg(feature = "s3")]
pub use s3::S3Staging;
#[cfg(feature = "secrets")]
pub use secrets::SecretCache;
#[cfg(feature = "sfn")]
pub use sfn::StepFunctionsWorkflow;
#[cfg(feature = "sqs")]
pub use sqs::{SqsAuditQueue, SqsWebhookQueue};
