//! JSON secrets of Secrets Manager, kept for a few minutes.
//!
//! `aws_secretsmanager_caching` is not used: it keeps the text of a secret where
//! we want the parsed value, and asks for tokio's multi-threaded runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::Fault;

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not answer, or refused.
    #[error("the secret could not be read")]
    Unavailable(#[source] Fault),
    /// The secret is not the JSON object that is expected. What is wrong in it is
    /// not told: the text would quote it.
    #[error("the secret is not a JSON object with the expected fields")]
    Invalid,
}

/// One secret, parsed as `T`.
///
/// `T` should hold its parts as `SecretString`. Clones share the cache.
#[derive(Debug)]
pub struct SecretCache<T> {
    inner: Arc<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    client: Client,
    arn: String,
    kept: Mutex<Option<Kept<T>>>,
    /// How often the secret was fetched.
    fetches: AtomicU64,
}

#[derive(Debug)]
struct Kept<T> {
    value: Arc<T>,
    fresh_until: Instant,
}

impl<T> Clone for SecretCache<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: DeserializeOwned + Send + Sync> SecretCache<T> {
    /// How long a value is used before it is asked for again.
    pub const KEPT: Duration = Duration::from_secs(300);

    /// How long an outdated value is used before it is tried again to renew it, so
    /// that not every call waits for a service that does not answer.
    const GRACE: Duration = Duration::from_secs(30);

    /// The secret of this ARN or name; nothing is fetched yet.
    #[must_use]
    pub fn new(client: Client, arn: impl Into<String>) -> Self {
        let (kept, fetches) = (Mutex::default(), AtomicU64::default());
        Self { inner: Arc::new(Inner { client, arn: arn.into(), kept, fetches }) }
    }

    /// The secret, at most [`SecretCache::KEPT`] old. While Secrets Manager does
    /// not answer, an older one goes on being used: it is most probably still right.
    ///
    /// # Errors
    /// When it was never read and cannot be now.
    pub async fn get(&self) -> Result<Arc<T>, SecretError> {
        let mut kept = self.inner.kept.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| Instant::now() < kept.fresh_until) {
            return Ok(Arc::clone(&kept.value));
        }
        match self.fetch().await {
            Ok(value) => Ok(Self::keep(&mut kept, value)),
            Err(error) => match kept.as_mut() {
                Some(kept) => {
                    kept.fresh_until = Instant::now() + Self::GRACE;
                    tracing::warn!(cause = %cause(&error), "a secret could not be read again, the old one stays");
                    Ok(Arc::clone(&kept.value))
                }
                None => Err(error),
            },
        }
    }

    /// The secret as it is now: after a service refused the one that we have.
    ///
    /// Callers who ask at the same time share one fetch.
    ///
    /// # Errors
    /// When it cannot be read now; [`SecretCache::get`] goes on giving the old one.
    pub async fn refresh(&self) -> Result<Arc<T>, SecretError> {
        let seen = self.inner.fetches.load(Ordering::Acquire);
        let mut kept = self.inner.kept.lock().await;
        if self.inner.fetches.load(Ordering::Acquire) != seen
            && let Some(kept) = kept.as_ref()
        {
            return Ok(Arc::clone(&kept.value));
        }
        let value = self.fetch().await?;
        Ok(Self::keep(&mut kept, value))
    }

    async fn fetch(&self) -> Result<T, SecretError> {
        let request = self.inner.client.get_secret_value().secret_id(&self.inner.arn);
        let answer = match Box::pin(request.send()).await {
            Ok(answer) => answer,
            Err(error) => {
                let fault = Fault::of("Secrets Manager GetSecretValue", &error);
                return Err(SecretError::Unavailable(fault));
            }
        };
        let text = answer.secret_string().ok_or(SecretError::Invalid)?;
        let value = serde_json::from_str(text).map_err(|_| SecretError::Invalid)?;
        self.inner.fetches.fetch_add(1, Ordering::Release);
        Ok(value)
    }

    fn keep(kept: &mut Option<Kept<T>>, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let fresh_until = Instant::now() + Self::KEPT;
        *kept = Some(Kept { value: Arc::clone(&value), fresh_until });
        value
    }
}

fn cause(error: &SecretError) -> String {
    match error {
        SecretError::Unavailable(fault) => fault.to_string(),
        SecretError::Invalid => error.to_string(),
    }
}
