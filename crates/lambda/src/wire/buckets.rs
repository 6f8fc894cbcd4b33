//! Construction of the clients for the delivery bucket, from which callers download documents, and
//! for the archive of the audit trail.

use docferry_aws::{S3Artifacts, S3AuditArchive};

use super::wiring::Wiring;

impl Wiring {
    /// Client of the delivery bucket `DELIVERY_BUCKET`. It uses the credentials of the function's
    /// role.
    pub fn delivery(&mut self) -> S3Artifacts {
        let bucket = self.reader.required("DELIVERY_BUCKET", "docferry-local-delivery");
        S3Artifacts::new(client(&self.aws), self.aws.credentials_provider(), bucket)
    }

    /// Archive of the audit trail in the bucket `AUDIT_BUCKET`.
    pub fn audit_archive(&mut self) -> S3AuditArchive {
        let bucket = self.reader.required("AUDIT_BUCKET", "docferry-local-audit");
        S3AuditArchive::new(client(&self.aws), bucket)
    }
}

/// Client of the buckets of the function's own account.
fn client(aws: &aws_config::SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(aws)
        // Emulators do not support virtual-hosted bucket names.
        .force_path_style(aws.endpoint_url().is_some())
        .disable_s3_express_session_auth(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
