use std::future::Future;
use std::sync::Arc;

use docferry_aws::SecretCache;
use docferry_aws::secrets::SecretError;
use secrecy::SecretString;
use serde::Deserialize;

/// The service account, from its secret `{"username", "password"}`.
#[derive(Debug, Deserialize)]
pub struct Account {
    /// User name.
    pub username: SecretString,
    /// Password.
    pub password: SecretString,
}

/// Where the service account is kept.
pub trait Accounts: Send + Sync {
    /// The account as last read; `fresh` asks for it anew, after a mismatch that
    /// may come from a rotation.
    fn account(
        &self,
        fresh: bool,
    ) -> impl Future<Output = Result<Arc<Account>, SecretError>> + Send;
}

/// The account in Secrets Manager.
#[derive(Debug)]
pub struct SecretAccounts(pub SecretCache<Account>);

impl Accounts for SecretAccounts {
    async fn account(&self, fresh: bool) -> Result<Arc<Account>, SecretError> {
        if fresh { self.0.refresh().await } else { self.0.get().await }
    }
}
