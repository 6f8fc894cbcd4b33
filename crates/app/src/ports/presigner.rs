//! Port that creates presigned URLs of objects in the delivery bucket. A presigned URL lets its
//! bearer download one object without credentials.

use std::future::Future;

use docferry_domain::document::DocumentName;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::ArtifactError;

/// A presigned URL with its expiry. docferry returns it only to the caller that requested it, and
/// never stores it.
#[derive(Debug)]
pub struct PresignedUrl {
    /// The URL.
    pub url: SecretString,
    /// Time at which the URL expires, by docferry's clock.
    pub expires_at: Timestamp,
}

/// Creates presigned URLs of objects in the delivery bucket.
pub trait Presigner: Send + Sync {
    /// Returns a URL that serves the object under the file name `name`. The URL is valid from `now`
    /// for at most `valid_for`. It expires earlier if the credentials that sign it expire earlier.
    fn presign(
        &self,
        key: &str,
        name: &DocumentName,
        mime: Option<&str>,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> impl Future<Output = Result<PresignedUrl, ArtifactError>> + Send;
}
