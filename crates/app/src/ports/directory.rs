//! Port of the directory of users, which finds the user who has an email address.

use std::future::Future;

use docferry_domain::person::Recipient;

use super::Cause;

/// The directory did not answer, or refused the call.
#[derive(Debug, thiserror::Error)]
#[error("the directory of users did not answer")]
pub struct DirectoryError(#[source] pub Cause);

/// Maps addresses to users of the service that holds their drives.
pub trait Directory: Send + Sync {
    /// Returns the id of the user; `None` when no user has that address.
    fn user_id(
        &self,
        recipient: &Recipient,
    ) -> impl Future<Output = Result<Option<String>, DirectoryError>> + Send;
}
