//! Signatures of webhook notifications according to Standard Webhooks 1.0, by which a receiver
//! checks that docferry has sent a notification.

use std::future::Future;

use docferry_app::ports::Cause;
use secrecy::{ExposeSecret as _, SecretString};
use standardwebhooks::Webhook;

/// Secrets with which webhooks are signed.
#[derive(Debug, Clone)]
pub struct SigningSecrets {
    /// Current secret in base64, with or without the prefix `whsec_`.
    pub current: SecretString,
    /// Previous secret. It is set while the secret is being changed, for receivers that do not have
    /// the current secret yet. Each notification then has two signatures.
    pub previous: Option<SecretString>,
}

/// Source of the signing secrets.
pub trait SecretProvider: Send + Sync {
    /// Returns the current secrets.
    fn secrets(&self) -> impl Future<Output = Result<SigningSecrets, Cause>> + Send;
}

/// Error for a secret that is not base64.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a signing secret is not base64")]
pub(crate) struct InvalidSecret;

/// Returns the value of the header `webhook-signature`, with one signature for each secret. Each one
/// signs the id of the message, the timestamp (seconds since 1970) and the body.
pub(crate) fn sign(
    secrets: &SigningSecrets,
    message_id: &str,
    timestamp: i64,
    body: &str,
) -> Result<String, InvalidSecret> {
    let sign_with = |secret: &SecretString| {
        let webhook = Webhook::new(secret.expose_secret()).map_err(|_| InvalidSecret)?;
        webhook.sign(message_id, timestamp, body.as_bytes()).map_err(|_| InvalidSecret)
    };
    let mut signatures = sign_with(&secrets.current)?;
    if let Some(previous) = &secrets.previous {
        signatures.push(' ');
        signatures.push_str(&sign_with(previous)?);
    }
    Ok(signatures)
}
