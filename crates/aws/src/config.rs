//! Shared SDK configuration for the clients of the function's own AWS account.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

/// Reads the region, the credentials and, if set, `AWS_ENDPOINT_URL` from the environment, as
/// Lambda and the emulator provide them.
///
/// The region comes from the environment only. The default provider chain would also ask the
/// instance metadata service, which does not exist here, and wait a second or more for it.
///
/// The timeouts suit small calls (DynamoDB, Step Functions, KMS, Secrets Manager): 4 s per
/// attempt and 9 s including retries. That is below 10 s, the shortest time limit of any
/// function, so that the function can still respond. The client of the exchange bucket has
/// timeouts of its own.
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
