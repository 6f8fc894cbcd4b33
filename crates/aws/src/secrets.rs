//! Cache of JSON secrets from Secrets Manager, refreshed every few minutes.
//!
//! The crate `aws_secretsmanager_caching` is not used: it caches the text of a secret instead of
//! the parsed value, and requires tokio's multi-threaded runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_secretsmanager::Client;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::Fault;

/// Failure to provide a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager did not respond or rejected the call.
    #[error("the secret could not be read")]
    Unavailable(#[source] Fault),
    /// The secret is not a JSON object with the expected fields. The parser's error is dropped,
    /// because its text would quote the secret.
    #[error("the secret is not a JSON object with the expected fields")]
    Invalid,
}

/// Cache of one secret, parsed as `T`.
///
/// `T` should hold sensitive fields as `SecretString`. Clones share the cache.
#[derive(Debug)]
pub struct SecretCache<T> {
    inner: Arc<Inner<T>>,
}

/// State that the clones of a [`SecretCache`] share.
#[derive(Debug)]
struct Inner<T> {
    client: Client,
    arn: String,
    cached: Mutex<Option<Cached<T>>>,
    /// Number of successful fetches. If the number changes while [`SecretCache::refresh`] waits for
    /// the lock, another caller has fetched the secret in the meantime.
    fetches: AtomicU64,
}

/// Cached value and the time until which it is fresh.
#[derive(Debug)]
struct Cached<T> {
    value: Arc<T>,
    fresh_until: Instant,
}

impl<T> Clone for SecretCache<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: DeserializeOwned + Send + Sync> SecretCache<T> {
    /// Maximum age of a cached value before it is fetched again.
    pub const MAX_AGE: Duration = Duration::from_secs(300);

    /// Time for which an outdated value is used after a failed fetch. Without this time, every call
    /// would wait for the unavailable service.
    const GRACE_PERIOD: Duration = Duration::from_secs(30);

    /// Creates an empty cache for the secret with this ARN or name, without fetching it.
    #[must_use]
    pub fn new(client: Client, arn: impl Into<String>) -> Self {
        let (cached, fetches) = (Mutex::default(), AtomicU64::default());
        Self { inner: Arc::new(Inner { client, arn: arn.into(), cached, fetches }) }
    }

    /// Returns the secret, at most [`SecretCache::MAX_AGE`] old. While Secrets Manager is
    /// unavailable, the result may be older, and the secret is most probably still valid.
    ///
    /// # Errors
    /// If the secret cannot be read and was never read before.
    pub async fn get(&self) -> Result<Arc<T>, SecretError> {
        let mut cached = self.inner.cached.lock().await;
        if let Some(cached) = cached.as_ref().filter(|cached| Instant::now() < cached.fresh_until) {
            return Ok(Arc::clone(&cached.value));
        }
        match self.fetch().await {
            Ok(value) => Ok(Self::store(&mut cached, value)),
            Err(error) => match cached.as_mut() {
                Some(cached) => {
                    cached.fresh_until = Instant::now() + Self::GRACE_PERIOD;
                    tracing::warn!(cause = %cause_text(&error), "secret refresh failed, using the old value");
                    Ok(Arc::clone(&cached.value))
                }
                None => Err(error),
            },
        }
    }

    /// Fetches the current secret. Call this when a service has rejected the cached value.
    ///
    /// Concurrent callers share one fetch.
    ///
    /// # Errors
    /// If the secret cannot be read. [`SecretCache::get`] then still returns the old value.
    pub async fn refresh(&self) -> Result<Arc<T>, SecretError> {
        let fetches_before = self.inner.fetches.load(Ordering::Acquire);
        let mut cached = self.inner.cached.lock().await;
        if self.inner.fetches.load(Ordering::Acquire) != fetches_before
            && let Some(cached) = cached.as_ref()
        {
            return Ok(Arc::clone(&cached.value));
        }
        let value = self.fetch().await?;
        Ok(Self::store(&mut cached, value))
    }

    /// Reads and parses the secret, and counts the fetch.
    async fn fetch(&self) -> Result<T, SecretError> {
        let request = self.inner.client.get_secret_value().secret_id(&self.inner.arn);
        let response = match Box::pin(request.send()).await {
            Ok(response) => response,
            Err(error) => {
                let fault = Fault::of("Secrets Manager GetSecretValue", &error);
                return Err(SecretError::Unavailable(fault));
            }
        };
        let text = response.secret_string().ok_or(SecretError::Invalid)?;
        let value = serde_json::from_str(text).map_err(|_| SecretError::Invalid)?;
        self.inner.fetches.fetch_add(1, Ordering::Release);
        Ok(value)
    }

    /// Stores a fetched value as fresh and returns it.
    fn store(cached: &mut Option<Cached<T>>, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let fresh_until = Instant::now() + Self::MAX_AGE;
        *cached = Some(Cached { value: Arc::clone(&value), fresh_until });
        value
    }
}

/// Returns the text for the log. It describes the fault that caused the error, if there is one.
fn cause_text(error: &SecretError) -> String {
    match error {
        SecretError::Unavailable(fault) => fault.to_string(),
        SecretError::Invalid => error.to_string(),
    }
}
