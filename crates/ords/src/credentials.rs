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
