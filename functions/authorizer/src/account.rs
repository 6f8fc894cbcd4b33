//! The service account of the court viewer.

use std::future::Future;
use std::sync::Arc;

use docferry_aws::SecretCache;
use docferry_aws::secrets::SecretError;
use secrecy::SecretString;
use serde::Deserialize;

/// Principal id of the service account in records and policies.
pub const SERVICE_PRINCIPAL: &str = "scv";

/// Credentials of the service account; also the format of its secret, `{"username", "password"}`.
#[derive(Debug, Deserialize)]
pub struct Account {
    /// User name.
    pub username: SecretString,
    /// Password.
    pub password: SecretString,
}

/// Source of the service account's credentials.
pub trait Accounts: Send + Sync {
    /// Returns the account, from a cache unless `fresh` is set. A fresh read is needed after a
    /// mismatch, because the password may have been rotated.
    fn account(
        &self,
        fresh: bool,
    ) -> impl Future<Output = Result<Arc<Account>, SecretError>> + Send;
}

/// [`Accounts`] that reads the account from Secrets Manager.
#[derive(Debug)]
pub struct SecretAccounts(pub SecretCache<Account>);

impl Accounts for SecretAccounts {
    async fn account(&self, fresh: bool) -> Result<Arc<Account>, SecretError> {
        if fresh { self.0.refresh().await } else { self.0.get().await }
    }
}
