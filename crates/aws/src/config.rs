//! What every client of the function's own account shares.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

/// Reads region, credentials and, where it is set, `AWS_ENDPOINT_URL` from the
/// environment, as Lambda and the emulator provide them.
///
/// The region comes from the environment only: elsewhere the SDK would ask the
/// instance metadata service for it and wait a second or more for nobody.
///
/// The limits are for small calls (DynamoDB, Step Functions, KMS, Secrets
/// Manager): 4 s a try, 9 s with all retries, below the 10 s of the functions
/// with the least time, so that they can still answer. The client of the exchange
/// bucket has limits of its own.
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
