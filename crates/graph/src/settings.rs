//! Settings of the client of Microsoft Graph, and the TLS configuration that its two HTTP clients
//! share.

use std::sync::Arc;
use std::time::Duration;

use docferry_app::ports::Cause;
use reqwest::Url;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;

/// Domains of Microsoft's upload URLs: SharePoint in the public cloud, in the clouds of the US
/// government and of China, and the hosts of personal OneDrives. Source: Microsoft's "Microsoft
/// 365 URLs and IP address ranges".
const UPLOAD_HOSTS: [&str; 7] = [
    "sharepoint.com",
    "sharepoint.us",
    "sharepoint-mil.us",
    "sharepoint.cn",
    "onedrive.com",
    "1drv.com",
    "microsoftpersonalcontent.com",
];

/// Addresses of Microsoft Graph, and time limits of its calls.
#[derive(Debug, Clone)]
pub struct GraphSettings {
    /// Base URL of Graph, without `/v1.0`.
    pub graph_url: String,
    /// Base URL of the token endpoint, without the tenant.
    pub authority_url: String,
    /// Id or domain of the tenant.
    pub tenant_id: String,
    /// Domains that upload URLs may name besides Graph's own host, including their subdomains.
    /// Documents are sent to no other host, whatever a response contains.
    pub upload_hosts: Vec<String>,
    /// Time limit for establishing a connection, including TLS.
    pub connect_timeout: Duration,
    /// Time limit for all calls except fragments, from the request to the last byte of the
    /// response.
    pub call_timeout: Duration,
    /// Time without progress after which a fragment counts as lost. It has to be longer than a
    /// minute, because Graph may need a minute to process the last fragment.
    ///
    /// The total time of a fragment has no limit. A caller that does not want to wait longer drops
    /// the future.
    pub stall_timeout: Duration,
}

impl GraphSettings {
    /// Returns settings for the public cloud with default time limits.
    #[must_use]
    pub fn public_cloud(tenant_id: impl Into<String>) -> Self {
        Self {
            graph_url: "https://graph.microsoft.com".into(),
            authority_url: "https://login.microsoftonline.com".into(),
            tenant_id: tenant_id.into(),
            upload_hosts: UPLOAD_HOSTS.map(str::to_owned).into(),
            connect_timeout: Duration::from_secs(5),
            call_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(100),
        }
    }
}

/// Failure to create the client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A base URL is invalid. The field is the name of its setting.
    #[error("{0} must be an absolute http or https URL")]
    BaseUrl(&'static str),
    /// The TLS stack could not be set up, for example because there are no root certificates.
    #[error("the HTTP client could not be set up")]
    Client(#[source] Cause),
}

/// Validates a base URL and removes its trailing slash.
pub(crate) fn base_url(setting: &'static str, text: &str) -> Result<String, SetupError> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(SetupError::BaseUrl(setting)),
    }
}

/// Creates the TLS configuration. Both HTTP clients share it, so the root certificates are read
/// only once.
pub(crate) fn tls() -> Result<ClientConfig, SetupError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| SetupError::Client(error.into()))?;
    Ok(config.with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_url_must_be_absolute_and_loses_its_trailing_slash() {
        assert_eq!(base_url("graph_url", "http://localhost:1/x/").unwrap(), "http://localhost:1/x");
        for bad in ["", "localhost", "ftp://x", "/v1.0", "http://x?y"] {
            assert!(base_url("graph_url", bad).is_err(), "{bad}");
        }
    }
}
