//! Columns of the table of refusals.

use crate::failure::FailureCode;
use crate::upload::ConflictPolicy;

/// Call of docferry to Microsoft Graph.
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

/// Occupant of the destination's path, found when a conflict is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupant {
    /// Nothing.
    Nothing,
    /// A file that is not the document.
    File,
    /// A folder with the document's name.
    Folder,
    /// A file in place of a parent folder.
    FileInPath,
}

impl Occupant {
    /// Every occupant.
    pub const ALL: [Self; 4] = [Self::Nothing, Self::File, Self::Folder, Self::FileInPath];
}

/// Reaction of docferry to a refusal. Every repetition is limited in number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The call had no effect: wait as long as `Retry-After` says, then repeat it.
    Wait,
    /// Renew the token once and repeat the call. A second refusal is
    /// [`FailureCode::DestinationUnauthorized`].
    RenewToken,
    /// The call had no effect: repeat it, and fail with `then` when that does not help.
    Repeat {
        /// The failure after the last repetition.
        then: FailureCode,
    },
    /// The call may have taken effect: ask the session or look up the destination before
    /// repeating it.
    Reconcile,
    /// Ask the session for its offset and continue there.
    Resume,
    /// The upload URL is invalid or its item changed: look up the destination, then open
    /// another session.
    NewSession,
    /// Another session or an editor holds the path: wait and open again, for longer than a
    /// session lives. After that, [`FailureCode::DestinationLocked`].
    WaitForPath,
    /// Try the next numbered name.
    NextNumber,
    /// Look up the drive. Without one the transfer fails; otherwise repeat the call.
    CheckDrive,
    /// The session has ended already; there is nothing to delete.
    AlreadyGone,
    /// There is no item at the path, provided that the recipient has a drive.
    Absent,
    /// Fail this try with the code. The workflow repeats the step when the code is
    /// retryable.
    Fail(FailureCode),
}

/// Row of [`TABLE`](super::TABLE). An empty list matches everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Operations that were refused.
    pub operations: &'static [Operation],
    /// HTTP statuses of the refusal.
    pub statuses: &'static [u16],
    /// Error codes, one of which the answer's body contains.
    pub codes: &'static [&'static str],
    /// Conflict policies of the deployment.
    pub policies: &'static [ConflictPolicy],
    /// Occupants of the destination.
    pub occupants: &'static [Occupant],
    /// Reaction to the refusal.
    pub decision: Decision,
}

impl Row {
    /// Returns whether the row is about this operation and status, whatever its other
    /// conditions.
    #[must_use]
    pub fn is_about(&self, operation: Operation, status: u16) -> bool {
        self.operations.contains(&operation) && self.statuses.contains(&status)
    }

    /// Returns whether the row has no error codes or one of `codes`.
    pub(super) fn names_one_of<C: AsRef<str>>(&self, codes: &[C]) -> bool {
        let is_named = |code: &C| self.codes.contains(&code.as_ref());
        self.codes.is_empty() || codes.iter().any(is_named)
    }
}
