//! The service account with which SCV, the court viewer, calls the API, and the source of its
//! credentials.

use std::future::Future;
use std::sync::Arc;

use docferry_aws::SecretCache;
use docferry_aws::secrets::SecretError;
use secrecy::SecretString;
use serde::Deserialize;

/// Principal of the service account: its name in records and policies.
pub const SERVICE_PRINCIPAL: &str = "scv";

/// Credentials of the service account. The secret in Secrets Manager is a JSON object with the same
/// members.
#[derive(Debug, Deserialize)]
pub struct Account {
    /// User name.
    pub username: SecretString,
    /// Password.
    pub password: SecretString,
}

/// Source of the service account's credentials.
pub trait Accounts: Send + Sync {
    /// Returns the account: from a cache if `fresh` is `false`, newly read if it is `true`. The
    /// caller sets `fresh` after a mismatch, because the password may have been rotated.
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
