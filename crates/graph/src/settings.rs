use std::sync::Arc;
use std::time::Duration;

use docferry_app::ports::Cause;
use reqwest::Url;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;

/// Where Microsoft's upload URLs lead: SharePoint of the public cloud, of the US
/// government's and of China's, and the hosts of personal OneDrives (Microsoft's
/// "Microsoft 365 URLs and IP address ranges").
const UPLOAD_HOSTS: [&str; 7] = [
    "sharepoint.com",
    "sharepoint.us",
    "sharepoint-mil.us",
    "sharepoint.cn",
    "onedrive.com",
    "1drv.com",
    "microsoftpersonalcontent.com",
];

/// Where Graph is and how long to wait for it.
#[derive(Debug, Clone)]
pub struct GraphSettings {
    /// Base of Graph, without `/v1.0`.
    pub graph_url: String,
    /// Base of the token endpoint, without the tenant.
    pub authority_url: String,
    /// The tenant's id or domain.
    pub tenant_id: String,
    /// Where upload URLs may lead beside Graph's own host: domains, each with all
    /// that is below it. Bytes go nowhere else, whatever an answer says.
    pub upload_hosts: Vec<String>,
    /// Limit for a connection to be made, TLS included.
    pub connect_timeout: Duration,
    /// Limit for everything but fragments, from request to the answer's last byte.
    pub call_timeout: Duration,
    /// A fragment of which no byte moves for this long counts as lost. There is
    /// no limit on its total time: the caller drops the future when it has waited
    /// enough. The service may work for a minute on the last fragment.
    pub stall_timeout: Duration,
}

impl GraphSettings {
    /// The public cloud, with the usual limits.
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

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A base URL is not one; the text names the setting.
    #[error("{0} must be an absolute http or https URL")]
    BaseUrl(&'static str),
    /// The TLS stack did not start: no root certificates, say.
    #[error("the HTTP client could not be set up")]
    Client(#[source] Cause),
}

/// A base URL without a trailing slash.
pub(crate) fn base_url(setting: &'static str, text: &str) -> Result<String, SetupError> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err(SetupError::BaseUrl(setting)),
    }
}

/// One TLS configuration for both clients: the root certificates are read once.
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
    fn base_urls_lose_their_trailing_slash_and_must_be_absolute() {
        assert_eq!(base_url("graph_url", "http://localhost:1/x/").unwrap(), "http://localhost:1/x");
        for bad in ["", "localhost", "ftp://x", "/v1.0", "http://x?y"] {
            assert!(base_url("graph_url", bad).is_err(), "{bad}");
        }
    }
}
