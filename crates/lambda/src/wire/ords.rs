//! Construction of the client for ORDS (Oracle REST Data Services), the document source.

use std::time::Duration;

use docferry_app::ports::{Cause, CredentialsProvider, Freshness};
use docferry_aws::SecretCache;
use docferry_ords::{OrdsCredentials, OrdsSettings, OrdsSource};
use secrecy::SecretString;
use serde::Deserialize;

use super::wiring::Wiring;

/// JSON format of the secret with the credentials for ORDS.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    username: String,
    password: SecretString,
    application_id: String,
    application_password: SecretString,
    account_name: String,
}

/// Credentials for ORDS. They are fetched when a request is made.
#[derive(Debug)]
pub struct OrdsSecret(SecretCache<Secret>);

impl CredentialsProvider<OrdsCredentials> for OrdsSecret {
    async fn credentials(&self, freshness: Freshness) -> Result<OrdsCredentials, Cause> {
        let secret = match freshness {
            Freshness::Cached => self.0.get().await?,
            Freshness::Fresh => self.0.refresh().await?,
        };
        Ok(OrdsCredentials {
            username: secret.username.clone(),
            password: secret.password.clone(),
            application_id: secret.application_id.clone(),
            application_password: secret.application_password.clone(),
            account_name: secret.account_name.clone(),
        })
    }
}

impl Wiring {
    /// Client of ORDS, with the settings `ORDS_BASE_URL`, `ORDS_SECRET_ARN`, `ORDS_DATABASE_ID`,
    /// `ORDS_SERVER`, `ORDS_PUT_ID`, `ORDS_TICKET_LIFETIME_MINUTES` and `ORDS_TIMEOUT_SECONDS`.
    ///
    /// Returns `None` if a setting is invalid. The reader has recorded the problem in this case.
    pub fn ords(&mut self) -> Option<OrdsSource<OrdsSecret>> {
        let reader = &mut self.reader;
        let mut settings = OrdsSettings::new(
            reader.required_url("ORDS_BASE_URL", "https://ords.example.org/ords/dev"),
            reader.required("ORDS_DATABASE_ID", "PROD1"),
            reader.required("ORDS_SERVER", "nfs-01"),
        );
        settings.put_id = reader.parsed_or("ORDS_PUT_ID", settings.put_id);
        settings.ticket_lifetime_minutes = reader.parsed_or("ORDS_TICKET_LIFETIME_MINUTES", 20);
        settings.timeout = Duration::from_secs(reader.parsed_or("ORDS_TIMEOUT_SECONDS", 25));
        let secret = OrdsSecret(self.secret("ORDS_SECRET_ARN"));
        OrdsSource::new(settings, secret)
            .map_err(|error| self.reader.problem(format!("ORDS_BASE_URL: {error}")))
            .ok()
    }
}
