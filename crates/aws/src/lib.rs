//! AWS adapters: implementations of docferry's ports on DynamoDB, S3, KMS, Secrets Manager,
//! Step Functions and SQS.
//!
//! A port is a trait of `docferry_app` that a use case needs from the outside world, such as a
//! store or a queue. There is one adapter for each service and one Cargo feature for each adapter.
//! An adapter gets a client and resource names as arguments. It does not read the environment.
//!
//! Each adapter translates the errors of its service in one place. It retains only the error code
//! of the service as the cause, never the message. DynamoDB, for example, quotes values in its
//! validation messages, and these values are names and addresses of people.

#[cfg(feature = "s3")]
mod audit_archive;
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
pub use audit_archive::S3AuditArchive;
#[cfg(feature = "s3")]
pub use delivery::S3Artifacts;
#[cfg(feature = "dynamodb")]
pub use dynamodb::{
    DynamoAuditLog, DynamoNumberIndex, DynamoQuota, DynamoRegistry, DynamoThrottleBudget,
    DynamoTransferStore, NumberedDocument,
};
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
pub use sqs::{SqsAuditQueue, SqsRegistryDeadLetters, SqsWebhookQueue};
