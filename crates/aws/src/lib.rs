//! AWS adapters: implementations of docferry's ports on DynamoDB, S3, KMS, Secrets Manager,
//! Step Functions and SQS.
//!
//! There is one adapter per service and one Cargo feature per adapter. Every adapter takes a
//! client and resource names; none reads the environment.
//!
//! Each adapter translates errors by meaning in one place. Only the service's error code is
//! kept as the cause, never its message: DynamoDB quotes values in its validation messages,
//! and these values are names and addresses of people.

pub mod config;
#[cfg(feature = "s3")]
pub mod delivery;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
#[allow(dead_code, reason = "each adapter uses only a part of it")]
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
pub use s3::S3ExchangeStore;
#[cfg(feature = "secrets")]
pub use secrets::SecretCache;
#[cfg(feature = "sfn")]
pub use sfn::StepFunctionsWorkflow;
#[cfg(feature = "sqs")]
pub use sqs::{SqsAuditQueue, SqsWebhookQueue};
