//! Types of the columns in the table of refusals ([`TABLE`](super::TABLE)). A *refusal* is an error
//! response of Microsoft Graph. A row states which refusals it covers, and how docferry reacts to
//! them.

use crate::failure::FailureCode;
use crate::upload::ConflictPolicy;

/// Kind of a call to Microsoft Graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `POST …:/createUploadSession`.
    CreateSession,
    /// `PUT {uploadUrl}` of any fragment but the last.
    Fragment,
    /// `PUT {uploadUrl}` of the last fragment.
    LastFragment,
    /// `PUT …:/content` of a document of at most 4,000,000 bytes.
    SmallPut,
    /// `GET {uploadUrl}`.
    SessionStatus,
    /// `DELETE {uploadUrl}`.
    SessionDelete,
    /// `GET` of an item by its path.
    ItemLookup,
    /// `GET` of a user's drive.
    DriveLookup,
    /// `GET` of a user.
    UserLookup,
    /// `POST` to the token endpoint.
    Token,
}

impl Operation {
    /// Every operation, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::CreateSession,
        Self::Fragment,
        Self::LastFragment,
        Self::SmallPut,
        Self::SessionStatus,
        Self::SessionDelete,
        Self::ItemLookup,
        Self::DriveLookup,
        Self::UserLookup,
        Self::Token,
    ];
}

/// Item at the destination's path, as a lookup after a conflict finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    /// There is no item.
    Nothing,
    /// A file that is not the document.
    File,
    /// A folder with the document's name.
    Folder,
    /// A file that has the name of a parent folder in the path.
    FileInPath,
}

impl Occupant {
    /// Every occupant.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::File, Self::Folder, Self::FileInPath];
}

/// Reaction of docferry to a refusal. The number of repetitions is always limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Wait as long as `Retry-After` says, then repeat the call, which had no effect.
    Wait,
    /// Renew the token once and repeat the call. A second refusal is
    /// [`FailureCode::DestinationUnauthorized`].
    RenewToken,
    /// Repeat the call, which had no effect.
    Repeat {
        /// Failure of the upload if the last repetition is refused as well.
        last_failure: FailureCode,
    },
    /// The call may have taken effect. So query the session or look up the destination before
    /// repeating the call.
    Reconcile,
    /// Query the session for its offset and continue there.
    Resume,
    /// Look up the destination, then open a new session. The upload URL is invalid or the
    /// item at the destination has changed.
    NewSession,
    /// Wait, then open a session again: another session or an editor has locked the path. All waits
    /// together are longer than the lifetime of a session. After the last wait, the upload fails
    /// with [`FailureCode::DestinationLocked`].
    WaitForPath,
    /// Try the next numbered name.
    NextNumber,
    /// Look up the recipient's drive. Repeat the call if the drive exists, and fail the transfer if
    /// it does not.
    CheckDrive,
    /// Do nothing, because the session that was to be deleted has already ended.
    AlreadyGone,
    /// Treat the path as free. For a recipient with a drive, the response means that there is no
    /// item at the path.
    Absent,
    /// Fail this try of the workflow's step with the code. The workflow repeats the step when the
    /// code is retryable.
    Fail(FailureCode),
}

/// Row of [`TABLE`](super::TABLE). Each list is a condition; an empty list always matches. If all
/// conditions match a refusal, the row's reaction applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Operations that were refused.
    pub operations: &'static [Operation],
    /// HTTP statuses of the refusal.
    pub statuses: &'static [u16],
    /// Error codes, one of which must be in the body of the response.
    pub codes: &'static [&'static str],
    /// Conflict policies of the deployment.
    pub policies: &'static [ConflictPolicy],
    /// Occupants of the destination.
    pub occupants: &'static [Occupant],
    /// Reaction to the refusal.
    pub decision: Decision,
}

impl Row {
    /// Returns whether the row lists this operation and this status. The row's other
    /// conditions are not checked.
    #[must_use]
    pub fn is_about(&self, operation: Operation, status: u16) -> bool {
        self.operations.contains(&operation) && self.statuses.contains(&status)
    }

    /// Returns whether the row lists no error code or lists one of `error_codes`.
    pub(super) fn matches_codes<C: AsRef<str>>(&self, error_codes: &[C]) -> bool {
        let is_listed = |code: &C| self.codes.contains(&code.as_ref());
        self.codes.is_empty() || error_codes.iter().any(is_listed)
    }
}
