//! Credentials for ORDS.

use secrecy::{ExposeSecret as _, SecretString};

/// Credentials for ORDS: those of HTTP Basic, and those in the query of a push.
#[derive(Debug, Clone)]
pub struct OrdsCredentials {
    /// User name for HTTP Basic.
    pub username: String,
    /// Password for HTTP Basic.
    pub password: SecretString,
    /// Value of the parameter `application_id`.
    pub application_id: String,
    /// Value of the parameter `app_password`.
    pub application_password: SecretString,
    /// Value of the parameter `user_name`: the ORDS account.
    pub account_name: String,
}

impl OrdsCredentials {
    /// Returns whether both are the same credentials. If so, a retry after a 401 is pointless,
    /// and repeated wrong passwords may lock the account.
    pub(crate) fn same(&self, other: &Self) -> bool {
        let fields = |c: &Self| {
            [
                c.username.clone(),
                c.password.expose_secret().to_owned(),
                c.application_id.clone(),
                c.application_password.expose_secret().to_owned(),
                c.account_name.clone(),
            ]
        };
        fields(self) == fields(other)
    }
}
