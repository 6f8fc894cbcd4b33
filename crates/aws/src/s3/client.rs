//! Settings and SDK client of the exchange bucket.

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

/// Location of the exchange bucket and credentials for it.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Region for which requests are signed.
    pub region: String,
    /// URL of the store. It is `None` for AWS S3.
    pub endpoint_url: Option<String>,
    /// Whether the name of the bucket is in the path of a URL instead of in its host.
    pub path_style: bool,
    /// Access key id. The key pair does not belong to the function's role, because another
    /// organization owns the bucket.
    pub access_key_id: SecretString,
    /// Secret access key.
    pub secret_access_key: SecretString,
    /// Longest time without data after which reading a body fails.
    pub stall: Duration,
}

impl S3Settings {
    /// Default of [`S3Settings::stall`]. If a store sends no data for this long in the middle of a
    /// body, a new request is faster than waiting.
    pub const STALL: Duration = Duration::from_secs(10);
}

/// Creates a client for the exchange bucket. The client uses neither the credentials of the
/// function's own account nor `AWS_ENDPOINT_URL`.
///
/// The timeouts limit the time until the headers of a response arrive. Reading the body has no time
/// limit, but it fails if no data arrives for [`S3Settings::stall`].
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
        // This includes retries. It is below the time limit of the function `poll`, which is 30 s.
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
        // Stores other than AWS may send the checksum of the whole object with a range of the
        // object, or reject the checksum headers. The delivered file is verified by its hash
        // instead.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .disable_s3_express_session_auth(true);
    config.set_endpoint_url(settings.endpoint_url.clone());
    Client::from_conf(config.build())
}
