//! Settings of a local stack, its secrets, and the template parameters that follow from them.
//!
//! A *local stack* is the deployed project on the AWS emulator together with the simulators. The
//! demo and the system tests each start a local stack, with different settings.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::addresses::Service;
use crate::deploy::{ENVIRONMENT, KeyPair};
use crate::emulator::REGION;

/// Bucket through which ORDS delivers documents.
pub(crate) const EXCHANGE_BUCKET: &str = "docferry-exchange";

/// Origins of a web page that is under development, with the default port of Vite.
const LOCAL_PAGES: &str = "http://localhost:5173,http://127.0.0.1:5173";

/// Settings of a local stack.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Folder under `target/` for logs and generated files.
    pub(crate) name: &'static str,
    /// URL of an emulator that is already running. With `None`, a new emulator is started.
    pub(crate) endpoint: Option<String>,
    /// Factor by which the emulator multiplies the waiting times of the workflow.
    pub(crate) wait_scale: f64,
    /// Idle lifetime of the simulated Graph's upload sessions.
    pub(crate) session_lifetime_seconds: u32,
    /// Template parameters that differ from their defaults.
    pub(crate) parameters: &'static [(&'static str, &'static str)],
}

impl Settings {
    /// Returns the settings of the demo. They are those of production, except for timeouts that
    /// would make a spectator wait.
    pub(crate) fn demo() -> Self {
        Self {
            name: "demo",
            endpoint: None,
            wait_scale: 1.0,
            // An upload session whose URL was lost blocks its path for this time, which is 15
            // minutes in production.
            session_lifetime_seconds: 60,
            parameters: &[
                ("UploadTimeoutSeconds", "60"),
                ("ArrivalDeadlineSeconds", "60"),
                ("AllowedOrigins", LOCAL_PAGES),
            ],
        }
    }

    /// Returns the settings of the system tests, whose deadlines are short enough for a test.
    pub(crate) fn tests() -> Self {
        Self {
            name: "test-stack",
            endpoint: None,
            wait_scale: 0.2,
            session_lifetime_seconds: 30,
            parameters: &[
                ("UploadTimeoutSeconds", "10"),
                ("UploadDeadlineMarginSeconds", "3"),
                ("ArrivalDeadlineSeconds", "40"),
                ("OrdsTimeoutSeconds", "5"),
                ("MaxActiveDeliveries", "20"),
                ("MaxDeliveriesPerUser", "10"),
                ("AllowedOrigins", "https://viewer.example.org,http://localhost:5173"),
                ("WebhookFirstRetrySeconds", "1"),
                ("WebhookMaxTries", "3"),
                // With fragments of 10 MiB, even a test document of some tens of MB has several.
                ("UploadFragmentBytes", "10485760"),
            ],
        }
    }
}

/// Random secrets of one run.
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) scv_password: String,
    pub(crate) ords_username: String,
    pub(crate) ords_password: String,
    pub(crate) ords_application_id: String,
    pub(crate) ords_application_password: String,
    pub(crate) graph_tenant: String,
    pub(crate) graph_client_id: String,
    pub(crate) graph_client_secret: String,
    pub(crate) oidc_audience: String,
    pub(crate) oidc_client_id: String,
    pub(crate) oidc_client_secret: String,
    pub(crate) webhook_secret: String,
}

impl Secrets {
    pub(crate) fn random() -> Self {
        let random = |prefix: &str| {
            let suffix: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
            format!("{prefix}-{suffix}")
        };
        Self {
            scv_password: random("scv"),
            ords_username: "docferry".to_owned(),
            ords_password: random("ords"),
            ords_application_id: "SCV".to_owned(),
            ords_application_password: random("app"),
            graph_tenant: "local-tenant".to_owned(),
            graph_client_id: "docferry-local".to_owned(),
            graph_client_secret: random("graph"),
            oidc_audience: "docferry".to_owned(),
            oidc_client_id: "docferry-local".to_owned(),
            oidc_client_secret: random("oidc"),
            // The secret must be base64. Any 32 letters and digits are the base64 of 24 bytes.
            webhook_secret: std::iter::repeat_with(fastrand::alphanumeric).take(32).collect(),
        }
    }
}

/// Returns the values of the template's parameters for a local stack. The services are ORDS, Graph
/// and the identity provider.
pub(crate) fn parameters<'a>(
    settings: &Settings,
    secrets: &Secrets,
    endpoint: &str,
    [ords, graph, identity]: [&Service; 3],
) -> Vec<(&'a str, String)> {
    let mut parameters = vec![
        ("Environment", ENVIRONMENT.to_owned()),
        ("Architecture", if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }.to_owned()),
        ("EmulatorGatewayResponses", "true".to_owned()),
        ("WebhookAllowLoopback", "true".to_owned()),
        ("StreamMode", "BUFFERED".to_owned()),
        ("LogRetentionDays", "1".to_owned()),
        ("AuditBatchSeconds", "1".to_owned()),
        ("OidcIssuer", identity.url.clone()),
        ("OidcAudience", secrets.oidc_audience.clone()),
        ("OrdsBaseUrl", ords.url.clone()),
        ("OrdsDatabaseId", "local".to_owned()),
        ("OrdsServer", "local".to_owned()),
        ("GraphBaseUrl", graph.url.clone()),
        ("GraphAuthorityUrl", graph.url.clone()),
        ("GraphTenantId", secrets.graph_tenant.clone()),
        ("ExchangeBucket", EXCHANGE_BUCKET.to_owned()),
        ("ExchangeRegion", REGION.to_owned()),
        ("ExchangeEndpointUrl", endpoint.to_owned()),
        ("ExchangePathStyle", "true".to_owned()),
        ("CreateExchangeBucket", "true".to_owned()),
    ];
    parameters.extend(settings.parameters.iter().map(|(name, value)| (*name, (*value).to_owned())));
    parameters
}

/// Returns the values of the secrets in the form that the functions read. Each value has the name
/// of its secret in the template.
pub(crate) fn secret_values_by_name(
    secrets: &Secrets,
    key: &KeyPair,
) -> [(&'static str, serde_json::Value); 5] {
    [
        ("Scv", json!({ "username": "scv", "password": secrets.scv_password })),
        (
            "Ords",
            json!({
                "username": secrets.ords_username,
                "password": secrets.ords_password,
                "applicationId": secrets.ords_application_id,
                "applicationPassword": secrets.ords_application_password,
                "accountName": "docferry",
            }),
        ),
        (
            "Graph",
            json!({ "clientId": secrets.graph_client_id, "clientSecret": secrets.graph_client_secret }),
        ),
        ("Exchange", json!(key)),
        ("Webhook", json!({ "signingSecret": format!("whsec_{}", secrets.webhook_secret) })),
    ]
}

/// Returns the values of the secrets by the ARNs of the secrets.
pub(crate) fn secret_values_by_arn<'a>(
    outputs: &'a BTreeMap<String, String>,
    secrets: &Secrets,
    key: &KeyPair,
) -> Result<BTreeMap<&'a str, serde_json::Value>> {
    let by_arn = |(name, value)| Ok((output(outputs, &format!("{name}SecretArn"))?, value));
    secret_values_by_name(secrets, key).into_iter().map(by_arn).collect()
}

/// Returns an output of the stack.
pub(crate) fn output<'a>(outputs: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str> {
    outputs.get(name).map(String::as_str).with_context(|| format!("the stack has no output {name}"))
}
