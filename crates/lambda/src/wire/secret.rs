//! Construction of the caches for secrets in AWS Secrets Manager.

use crate::config::{Reader, Variables};

/// Returns the secret whose ARN is in the environment variable `name`. The secret is fetched when
/// it is first used.
pub fn secret<T: serde::de::DeserializeOwned + Send + Sync>(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
    name: &str,
) -> docferry_aws::SecretCache<T> {
    let arn = reader.required(name, "arn:aws:secretsmanager:ca-central-1:123456789012:secret:…");
    docferry_aws::SecretCache::new(aws_sdk_secretsmanager::Client::new(aws), arn)
}
