//! Construction of the client for the delivery bucket, from which callers download documents.

use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use docferry_aws::S3Artifacts;

use crate::config::{Reader, Variables};

/// Client of the delivery bucket `DELIVERY_BUCKET`. It uses the credentials of the function's role.
pub fn delivery(reader: &mut Reader<impl Variables>, aws: &aws_config::SdkConfig) -> S3Artifacts {
    let bucket = reader.required("DELIVERY_BUCKET", "docferry-local-delivery");
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        // This is enough to upload a part of a few megabytes over a slow connection.
        .operation_attempt_timeout(Duration::from_secs(60))
        .build();
    let config = aws_sdk_s3::config::Builder::from(aws)
        .timeout_config(timeouts)
        // Emulators do not support virtual-hosted bucket names.
        .force_path_style(aws.endpoint_url().is_some())
        .disable_s3_express_session_auth(true)
        .build();
    S3Artifacts::new(aws_sdk_s3::Client::from_conf(config), aws.credentials_provider(), bucket)
}
