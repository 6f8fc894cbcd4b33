//! Construction of the client that sends webhooks to their receivers.

use docferry_app::ports::Cause;
use docferry_aws::SecretCache;
use docferry_webhook::{HttpWebhookReceiver, ReceiverSettings, SecretProvider, SigningSecrets};
use secrecy::SecretString;
use serde::Deserialize;

use super::wiring::Wiring;

/// JSON format of the secret with the signing keys.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    signing_secret: SecretString,
    /// Key before the last rotation. While it is set, webhooks carry a signature by each of the two
    /// keys.
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

impl Wiring {
    /// Client that sends webhooks, with the settings `WEBHOOK_SECRET_ARN` and `WEBHOOK_ALLOW_LOOPBACK`.
    /// Returns `None` if a setting is invalid. The reader has recorded the problem in this case.
    pub fn receiver(&mut self) -> Option<HttpWebhookReceiver<WebhookSecret>> {
        let settings = ReceiverSettings::new(self.callback_rule());
        let secret = WebhookSecret(self.secret("WEBHOOK_SECRET_ARN"));
        HttpWebhookReceiver::new(settings, secret)
            .map_err(|error| self.reader.problem(error.to_string()))
            .ok()
    }
}
