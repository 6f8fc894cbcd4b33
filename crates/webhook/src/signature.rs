//! Signatures of Standard Webhooks 1.0.

use std::future::Future;

use docferry_app::ports::Cause;
use secrecy::{ExposeSecret as _, SecretString};
use standardwebhooks::Webhook;

/// What is signed with.
#[derive(Debug, Clone)]
pub struct SigningSecrets {
    /// Base64, with `whsec_` before it or without.
    pub current: SecretString,
    /// The one before, as long as receivers may have that one only: then each message
    /// carries two signatures.
    pub previous: Option<SecretString>,
}

/// Where the secrets are kept.
pub trait SecretProvider: Send + Sync {
    /// The secrets as they are now.
    fn secrets(&self) -> impl Future<Output = Result<SigningSecrets, Cause>> + Send;
}

/// A secret is no base64.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("a signing secret is not base64")]
pub(crate) struct InvalidSecret;

/// The header `webhook-signature`: one signature a secret.
pub(crate) fn sign(
    secrets: &SigningSecrets,
    id: &str,
    timestamp: i64,
    body: &str,
) -> Result<String, InvalidSecret> {
    let with = |secret: &SecretString| {
        let webhook = Webhook::new(secret.expose_secret()).map_err(|_| InvalidSecret)?;
        webhook.sign(id, timestamp, body.as_bytes()).map_err(|_| InvalidSecret)
    };
    let mut signatures = with(&secrets.current)?;
    if let Some(previous) = &secrets.previous {
        signatures.push(' ');
        signatures.push_str(&with(previous)?);
    }
    Ok(signatures)
}
