//! Construction of the clients for Microsoft Graph, the API of OneDrive.

use std::time::Duration;

use docferry_app::ports::{Cause, CredentialsProvider, Freshness};
use docferry_aws::SecretCache;
use docferry_graph::{ClientCredentials, GraphDrive, GraphSettings};
use secrecy::SecretString;
use serde::Deserialize;

use super::wiring::Wiring;
use crate::SystemClock;

/// JSON format of the secret with the credentials of docferry's app registration in Entra ID.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    client_id: String,
    client_secret: SecretString,
}

/// Credentials of the app registration. They are fetched when a token is needed.
#[derive(Debug)]
pub struct GraphCredentials(SecretCache<Secret>);

impl CredentialsProvider<ClientCredentials> for GraphCredentials {
    async fn credentials(&self, freshness: Freshness) -> Result<ClientCredentials, Cause> {
        let secret = match freshness {
            Freshness::Cached => self.0.get().await?,
            Freshness::Fresh => self.0.refresh().await?,
        };
        Ok(ClientCredentials {
            client_id: secret.client_id.clone(),
            client_secret: secret.client_secret.clone(),
        })
    }
}

/// Microsoft Graph, with credentials from Secrets Manager.
pub type Graph = GraphDrive<GraphCredentials, SystemClock>;

impl Wiring {
    /// Client of Microsoft Graph for transfers, with the settings `GRAPH_BASE_URL`,
    /// `GRAPH_AUTHORITY_URL`, `GRAPH_TENANT_ID`, `GRAPH_UPLOAD_HOSTS` and `GRAPH_SECRET_ARN`.
    ///
    /// Returns `None` if a setting is invalid. The reader has recorded the problem in this case.
    pub fn graph(&mut self) -> Option<Graph> {
        self.graph_client(|_| {})
    }

    /// Client of Microsoft Graph for looking up users while a caller of the API waits. It has the same
    /// settings as [`Wiring::graph`], but a shorter timeout. A lookup needs two calls, one for a token and one
    /// for the user. With 5 s for each call, it ends within the 20 s that a function behind the API
    /// has.
    pub fn graph_directory(&mut self) -> Option<Graph> {
        self.graph_client(|settings| settings.call_timeout = Duration::from_secs(5))
    }

    fn graph_client(&mut self, adjust: impl FnOnce(&mut GraphSettings)) -> Option<Graph> {
        let reader = &mut self.reader;
        let tenant = reader.required("GRAPH_TENANT_ID", "contoso.onmicrosoft.com");
        let mut settings = GraphSettings::public_cloud(tenant);
        if let Some(url) = reader.optional_url("GRAPH_BASE_URL") {
            settings.graph_url = url;
        }
        if let Some(url) = reader.optional_url("GRAPH_AUTHORITY_URL") {
            settings.authority_url = url;
        }
        if let Some(hosts) = reader.optional("GRAPH_UPLOAD_HOSTS") {
            settings.upload_hosts = hosts.split(',').map(|host| host.trim().to_owned()).collect();
        }
        adjust(&mut settings);
        let credentials = GraphCredentials(self.secret("GRAPH_SECRET_ARN"));
        GraphDrive::new(&settings, credentials, SystemClock)
            .map_err(|error| {
                self.reader.problem(format!("GRAPH_BASE_URL, GRAPH_AUTHORITY_URL: {error}"));
            })
            .ok()
    }
}
