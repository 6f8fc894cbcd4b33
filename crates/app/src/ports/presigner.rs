//! Port that creates presigned URLs of objects in the delivery bucket. A presigned URL lets its
//! bearer download one object without credentials.

use std::future::Future;

use docferry_domain::document::DocumentName;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::ArtifactError;

/// A presigned URL: it lets its bearer fetch an object for a limited time. It is returned only
/// to the caller that requested it.
#[derive(Debug)]
pub struct PresignedUrl {
    /// The URL.
    pub url: SecretString,
    /// When the URL expires, by our clock.
    pub expires_at: Timestamp,
}

/// Creates presigned URLs of objects in the delivery bucket.
pub trait Presigner: Send + Sync {
    /// Returns a URL that serves the object under the file name `name`, valid from `now` for at
    /// most `valid_for`, and never longer than the credentials that sign it.
    fn presign(
        &self,
        key: &str,
        name: &DocumentName,
        mime: Option<&str>,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> impl Future<Output = Result<PresignedUrl, ArtifactError>> + Send;
}
