//! Construction of the clients of AWS Secrets Manager and of the key that encrypts upload URLs.

use super::wiring::Wiring;

#[cfg(feature = "secrets")]
impl Wiring {
    /// Secret whose ARN is in the environment variable `name`. The secret is fetched when
    /// it is first used.
    pub fn secret<T: serde::de::DeserializeOwned + Send + Sync>(
        &mut self,
        name: &str,
    ) -> docferry_aws::SecretCache<T> {
        let arn =
            self.reader.required(name, "arn:aws:secretsmanager:ca-central-1:123456789012:secret:…");
        docferry_aws::SecretCache::new(aws_sdk_secretsmanager::Client::new(&self.aws), arn)
    }
}

#[cfg(feature = "sealer")]
impl Wiring {
    /// Encryption of upload URLs with the KMS key `SESSION_KEY_ARN`.
    pub fn sealer(&mut self) -> docferry_aws::KmsSealer {
        let key =
            self.reader.required("SESSION_KEY_ARN", "arn:aws:kms:ca-central-1:123456789012:key/…");
        docferry_aws::KmsSealer::new(aws_sdk_kms::Client::new(&self.aws), key)
    }
}
