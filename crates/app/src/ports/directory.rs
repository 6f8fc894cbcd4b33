//! Port of the directory of users, which finds a user by email address.

use std::future::Future;

use docferry_domain::person::Recipient;

use super::Cause;

/// The directory did not answer, or refused the call.
#[derive(Debug, thiserror::Error)]
#[error("the directory of users did not answer")]
pub struct DirectoryError(#[source] pub Cause);

/// Directory of the service that holds the drives. It maps email addresses to user ids.
pub trait Directory: Send + Sync {
    /// Returns the user id of a recipient; `None` when no user has the recipient's address.
    fn user_id(
        &self,
        recipient: &Recipient,
    ) -> impl Future<Output = Result<Option<String>, DirectoryError>> + Send;
}
