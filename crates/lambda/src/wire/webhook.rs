use docferry_app::ports::Cause;
use docferry_aws::SecretCache;
use docferry_webhook::{HttpReceiver, ReceiverSettings, SecretProvider, SigningSecrets};
use secrecy::SecretString;
use serde::Deserialize;

use crate::config::{Reader, Variables};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    signing_secret: SecretString,
    #[serde(default)]
    previous_signing_secret: Option<SecretString>,
}

/// What webhooks are signed with, read when one is told.
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

/// Receivers of webhooks: `WEBHOOK_SECRET_ARN`, `WEBHOOK_ALLOW_LOOPBACK`. `None` when the
/// reader has a problem to tell.
pub fn receiver(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> Option<HttpReceiver<WebhookSecret>> {
    let settings = ReceiverSettings::new(super::callback_rule(reader));
    let secret = WebhookSecret(super::secret(reader, aws, "WEBHOOK_SECRET_ARN"));
    HttpReceiver::new(settings, secret).map_err(|error| reader.problem(error.to_string())).ok()
}
