use std::future::Future;

use docferry_domain::Recipient;

use super::Cause;

/// The directory did not say: it does not answer, or refuses us.
#[derive(Debug, thiserror::Error)]
#[error("the directory of users did not answer")]
pub struct DirectoryError(#[source] pub Cause);

/// Who is behind an address, as the service knows them that has their drives.
pub trait Directory: Send + Sync {
    /// The user's id there; `None` when nobody has that address.
    fn user_id(
        &self,
        recipient: &Recipient,
    ) -> impl Future<Output = Result<Option<String>, DirectoryError>> + Send;
}
