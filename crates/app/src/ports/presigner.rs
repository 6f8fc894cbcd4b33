use std::future::Future;

use docferry_domain::DocumentName;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;

use super::ArtifactError;

/// A URL by which an object can be fetched for a while, by whoever has it. It goes to
/// the caller who asked for it, and nowhere else.
#[derive(Debug)]
pub struct PresignedUrl {
    /// The URL.
    pub url: SecretString,
    /// When it ends to work, by our clock.
    pub expires_at: Timestamp,
}

/// Makes URLs to objects of the delivery bucket.
pub trait Presigner: Send + Sync {
    /// A URL that gives the object under `name`, from `now` for `valid_for` at most: not
    /// for longer than the credentials that it is signed with.
    fn presign(
        &self,
        key: &str,
        name: &DocumentName,
        mime: Option<&str>,
        now: Timestamp,
        valid_for: SignedDuration,
    ) -> impl Future<Output = Result<PresignedUrl, ArtifactError>> + Send;
}
