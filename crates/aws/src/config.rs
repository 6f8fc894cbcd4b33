//! Shared configuration of the AWS SDK for services in the Lambda function's own AWS account.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

/// Reads the region, the credentials and, if set, `AWS_ENDPOINT_URL` from the environment, as
/// Lambda and the emulator provide them.
///
/// The region comes only from the environment. The default provider chain would also ask the
/// instance metadata service. This service does not exist in Lambda, and the chain would wait a
/// second or more for it.
///
/// The timeouts suit small calls to DynamoDB, Step Functions, KMS and Secrets Manager: 4 s for one
/// attempt and 9 s including retries. The shortest time limit of any function is 10 s, so a
/// function can still respond after a timeout. The client of the exchange bucket has its own
/// timeouts, and so have the calls that send bytes to the delivery bucket.
pub async fn load() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(EnvironmentVariableRegionProvider::new())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(4)
                .with_initial_backoff(Duration::from_millis(200)),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(2))
                .operation_attempt_timeout(Duration::from_secs(4))
                .operation_timeout(Duration::from_secs(9))
                .build(),
        )
        .load()
        .await
}
