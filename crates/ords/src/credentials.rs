use std::future::Future;

use docferry_app::ports::Cause;
use secrecy::{ExposeSecret as _, SecretString};

/// What ORDS wants to know of us.
#[derive(Debug, Clone)]
pub struct OrdsCredentials {
    /// User of HTTP Basic.
    pub username: String,
    /// Password of HTTP Basic.
    pub password: SecretString,
    /// `application_id`.
    pub application_id: String,
    /// `app_password`.
    pub application_password: SecretString,
    /// `user_name`: the ORDS account.
    pub account_name: String,
}

impl OrdsCredentials {
    /// Whether ORDS would see the same credentials: trying again is pointless,
    /// and wrong passwords in a row may lock the account.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let facts = |c: &Self| {
            [
                c.username.clone(),
                c.password.expose_secret().to_owned(),
                c.application_id.clone(),
                c.application_password.expose_secret().to_owned(),
                c.account_name.clone(),
            ]
        };
        facts(self) == facts(other)
    }
}

/// How fresh credentials must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Kept ones are fine.
    Cached,
    /// The kept ones were refused: read them again at their source.
    Fresh,
}

/// Where credentials come from. Asked only when a request is made.
pub trait CredentialsProvider: Send + Sync {
    /// The credentials. The text of an error goes into logs.
    fn credentials(
        &self,
        lookup: Lookup,
    ) -> impl Future<Output = Result<OrdsCredentials, Cause>> + Send;
}

impl<F, Fut> CredentialsProvider for F
where
    F: Fn(Lookup) -> Fut + Send + Sync,
    Fut: Future<Output = Result<OrdsCredentials, Cause>> + Send,
{
    fn credentials(
        &self,
        lookup: Lookup,
    ) -> impl Future<Output = Result<OrdsCredentials, Cause>> + Send {
        self(lookup)
    }
}
