//! Construction of the client for the exchange bucket, where documents of the source arrive.

use docferry_aws::{S3ExchangeStore, SecretCache, s3};
use lambda_runtime::Error;
use secrecy::SecretString;
use serde::Deserialize;

use super::wiring::Wiring;

/// JSON format of the secret with the access key of the bucket.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyPair {
    access_key_id: SecretString,
    secret_access_key: SecretString,
}

/// Settings of the exchange bucket. [`ExchangeSettings::open`] fetches the key pair and creates the
/// client.
#[derive(Debug)]
pub struct ExchangeSettings {
    bucket: String,
    region: String,
    endpoint_url: Option<String>,
    path_style: bool,
    key_pair: SecretCache<KeyPair>,
}

impl Wiring {
    /// Settings of the exchange bucket: `EXCHANGE_BUCKET`, `EXCHANGE_REGION`,
    /// `EXCHANGE_ENDPOINT_URL`, `EXCHANGE_PATH_STYLE`, `EXCHANGE_SECRET_ARN`.
    pub fn exchange(&mut self) -> ExchangeSettings {
        let reader = &mut self.reader;
        ExchangeSettings {
            bucket: reader.required("EXCHANGE_BUCKET", "court-exchange"),
            region: reader.required("EXCHANGE_REGION", "ca-central-1"),
            endpoint_url: reader.optional_url("EXCHANGE_ENDPOINT_URL"),
            path_style: reader.parsed_or("EXCHANGE_PATH_STYLE", false),
            key_pair: self.secret("EXCHANGE_SECRET_ARN"),
        }
    }
}

impl ExchangeSettings {
    /// Fetches the key pair and creates the client.
    ///
    /// # Errors
    /// When the secret cannot be read. The function then fails to start.
    pub async fn open(self) -> Result<S3ExchangeStore, Error> {
        let pair = self.key_pair.get().await?;
        let settings = s3::S3Settings {
            region: self.region,
            endpoint_url: self.endpoint_url,
            path_style: self.path_style,
            access_key_id: pair.access_key_id.clone(),
            secret_access_key: pair.secret_access_key.clone(),
            stall: s3::S3Settings::STALL,
        };
        Ok(S3ExchangeStore::new(s3::client(&settings), self.bucket))
    }
}
