//! Receivers of webhooks.

use docferry_app::ports::Cause;
use docferry_aws::SecretCache;
use docferry_webhook::{HttpWebhookReceiver, ReceiverSettings, SecretProvider, SigningSecrets};
use secrecy::SecretString;
use serde::Deserialize;

use crate::config::{Reader, Variables};
use crate::wire::callback::callback_rule;
use crate::wire::secret::secret;

/// Format of the secret with the signing keys.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    signing_secret: SecretString,
    /// Key before the last rotation. Webhooks also carry its signature while it is set.
    #[serde(default)]
    previous_signing_secret: Option<SecretString>,
}

/// Signing keys of webhooks, fetched when a webhook is sent.
#[derive(Debug)]
pub struct WebhookSecret(SecretCache<Secret>);

impl SecretProvider for WebhookSecret {
    async fn secrets(&self) -> Result<SigningSecrets, Cause> {
        let secret = self.0.get().await?;
        Ok(SigningSecrets {
            current: secret.signing_secret.clone(),
            previous: secret.previous_signing_secret.clone(),
        })
    }
}

/// Client that sends webhooks: `WEBHOOK_SECRET_ARN`, `WEBHOOK_ALLOW_LOOPBACK`. `None` if a setting
/// is invalid; the reader then has the problem.
pub fn receiver(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> Option<HttpWebhookReceiver<WebhookSecret>> {
    let settings = ReceiverSettings::new(callback_rule(reader));
    let secret = WebhookSecret(secret(reader, aws, "WEBHOOK_SECRET_ARN"));
    HttpWebhookReceiver::new(settings, secret)
        .map_err(|error| reader.problem(error.to_string()))
        .ok()
}
