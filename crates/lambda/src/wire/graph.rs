//! Microsoft Graph.

use std::time::Duration;

use docferry_app::ports::{Cause, CredentialsProvider, Freshness};
use docferry_aws::SecretCache;
use docferry_graph::{ClientCredentials, GraphDrive, GraphSettings};
use secrecy::SecretString;
use serde::Deserialize;

use crate::SystemClock;
use crate::config::{Reader, Variables};
use crate::wire::secret::secret;

/// Format of the secret with the app registration's credentials.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Secret {
    client_id: String,
    client_secret: SecretString,
}

/// Credentials of the app registration, fetched when a token is needed.
#[derive(Debug)]
pub struct GraphCredentials(SecretCache<Secret>);

impl CredentialsProvider<ClientCredentials> for GraphCredentials {
    async fn credentials(&self, lookup: Freshness) -> Result<ClientCredentials, Cause> {
        let secret = match lookup {
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

/// Client of Microsoft Graph for transfers: `GRAPH_BASE_URL`, `GRAPH_AUTHORITY_URL`,
/// `GRAPH_TENANT_ID`, `GRAPH_UPLOAD_HOSTS`, `GRAPH_SECRET_ARN`. `None` if a setting is invalid; the
/// reader then has the problem.
pub fn graph(reader: &mut Reader<impl Variables>, aws: &aws_config::SdkConfig) -> Option<Graph> {
    client(reader, aws, |_| {})
}

/// Client of Microsoft Graph for looking up users while a caller of the API waits. It has the same
/// settings as [`graph`]. A token and a user are two calls with a timeout of 5 s each, which fits
/// into the 20 s of a function behind the API.
pub fn graph_directory(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
) -> Option<Graph> {
    client(reader, aws, |settings| settings.call_timeout = Duration::from_secs(5))
}

fn client(
    reader: &mut Reader<impl Variables>,
    aws: &aws_config::SdkConfig,
    adjust: impl FnOnce(&mut GraphSettings),
) -> Option<Graph> {
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
    let credentials = GraphCredentials(secret(reader, aws, "GRAPH_SECRET_ARN"));
    GraphDrive::new(&settings, credentials, SystemClock)
        .map_err(|error| reader.problem(format!("GRAPH_BASE_URL, GRAPH_AUTHORITY_URL: {error}")))
        .ok()
}
