use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use secrecy::{ExposeSecret as _, SecretString};

/// Where the exchange bucket is and who we are there.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Region that requests are signed for.
    pub region: String,
    /// The store's URL; `None` for AWS.
    pub endpoint_url: Option<String>,
    /// Whether the bucket is named in the path rather than in the host.
    pub path_style: bool,
    /// The key pair's id. It is apart from the function's role: the bucket
    /// belongs to somebody else.
    pub access_key_id: SecretString,
    /// The key pair's secret.
    pub secret_access_key: SecretString,
    /// How long a body may stand still before reading it fails.
    pub stall: Duration,
}

impl S3Settings {
    /// The usual [`S3Settings::stall`]: a store that is silent for so long in the
    /// middle of a body is quicker asked again than waited for.
    pub const STALL: Duration = Duration::from_secs(10);
}

/// A client for the exchange bucket, with nothing of the function's own account:
/// neither its credentials nor `AWS_ENDPOINT_URL`.
///
/// The limits end with the head of an answer; a body takes as long as it takes,
/// as long as it does not stand still.
#[must_use]
pub fn client(settings: &S3Settings) -> Client {
    let credentials = Credentials::new(
        settings.access_key_id.expose_secret(),
        settings.secret_access_key.expose_secret(),
        None,
        None,
        "exchange-secret",
    );
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .read_timeout(Duration::from_secs(8))
        .operation_attempt_timeout(Duration::from_secs(8))
        // Below the 30 s of `poll`, with its retries.
        .operation_timeout(Duration::from_secs(25))
        .build();
    let stall = StalledStreamProtectionConfig::enabled().grace_period(settings.stall).build();
    let mut config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .force_path_style(settings.path_style)
        .credentials_provider(credentials)
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .timeout_config(timeouts)
        .stalled_stream_protection(stall)
        // Other stores send the whole object's checksum with a part of it, or
        // refuse the headers; what was delivered is verified by its own hash.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .disable_s3_express_session_auth(true);
    config.set_endpoint_url(settings.endpoint_url.clone());
    Client::from_conf(config.build())
}
