use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use docferry_aws::S3Artifacts;

use crate::config::{Reader, Variables};

/// The delivery bucket, `DELIVERY_BUCKET`, with the function's own rights.
pub fn delivery(reader: &mut Reader<impl Variables>, aws: &aws_config::SdkConfig) -> S3Artifacts {
    let bucket = reader.required("DELIVERY_BUCKET", "docferry-local-delivery");
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        // A part of a few megabytes, on a slow line.
        .operation_attempt_timeout(Duration::from_secs(60))
        .build();
    let config = aws_sdk_s3::config::Builder::from(aws)
        .timeout_config(timeouts)
        // Emulators have no host name for each bucket.
        .force_path_style(aws.endpoint_url().is_some())
        .disable_s3_express_session_auth(true)
        .build();
    S3Artifacts::new(aws_sdk_s3::Client::from_conf(config), aws.credentials_provider(), bucket)
}
