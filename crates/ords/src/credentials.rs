//! Credentials with which docferry calls ORDS, the document source.

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
    /// Returns whether both credentials are equal. Equal credentials are not retried after a 401:
    /// the retry is pointless, and a wrong password that is sent repeatedly may lock the account.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        let fields = |credentials: &Self| {
            [
                credentials.username.clone(),
                credentials.password.expose_secret().to_owned(),
                credentials.application_id.clone(),
                credentials.application_password.expose_secret().to_owned(),
                credentials.account_name.clone(),
            ]
        };
        fields(self) == fields(other)
    }
}
