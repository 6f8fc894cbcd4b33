//! The table of refusals: docferry's reaction to each error response of Microsoft Graph.
//!
//! Each row contains conditions (such as operations and statuses) and a reaction. `types` describes
//! the columns, and [`classify`](super::classify) searches the table.

use super::types::{Decision, Occupant, Operation, Row};
use crate::failure::FailureCode;
use crate::upload::ConflictPolicy;

use Decision::{
    Absent, AlreadyGone, CheckDrive, Fail, NewSession, NextNumber, Reconcile, RenewToken, Repeat,
    Resume, Wait, WaitForPath,
};
use Operation::{
    CreateSession, DriveLookup, Fragment, ItemLookup, LastFragment, SessionDelete, SessionStatus,
    SmallPut, Token, UserLookup,
};

/// Error codes for an unknown upload session. Graph sends them with status 400 as well.
const UNKNOWN_SESSION: &[&str] = &["itemNotFound", "uploadSessionNotFound"];
/// Error code for an unknown user.
const UNKNOWN_USER: &[&str] = &["Request_ResourceNotFound"];

/// `PUT` requests to an upload session.
const FRAGMENTS: &[Operation] = &[Fragment, LastFragment];
/// Writing calls that address the destination by its path.
const BY_PATH: &[Operation] = &[CreateSession, SmallPut];
/// Calls to Graph itself, which carry a bearer token.
const WITH_BEARER_TOKEN: &[Operation] =
    &[CreateSession, SmallPut, ItemLookup, DriveLookup, UserLookup];
/// Calls that can be repeated without harm: calls that only read, and the deletion of a
/// session.
const REPEATABLE: &[Operation] =
    &[SessionStatus, SessionDelete, ItemLookup, DriveLookup, UserLookup, Token];
/// Server errors without a row of their own.
const SERVER_ERRORS: &[u16] = &[500, 501, 502, 504];
/// Statuses of a conflict with the item at the path.
const CONFLICTS: &[u16] = &[409, 412];

/// Reaction that repeats the call. If the last repetition is refused as well, the upload fails with
/// [`FailureCode::DestinationUnavailable`].
const UNAVAILABLE: Decision = Repeat { last_failure: FailureCode::DestinationUnavailable };

/// Creates a row that depends on the status alone.
const fn by_status(
    operations: &'static [Operation],
    statuses: &'static [u16],
    decision: Decision,
) -> Row {
    Row { operations, statuses, codes: &[], policies: &[], occupants: &[], decision }
}

/// Creates a row that depends on the status and an error code.
const fn by_code(
    operations: &'static [Operation],
    statuses: &'static [u16],
    codes: &'static [&'static str],
    decision: Decision,
) -> Row {
    Row { codes, ..by_status(operations, statuses, decision) }
}

/// Creates a row for a conflict with the occupant of the destination.
const fn conflict(
    operations: &'static [Operation],
    policies: &'static [ConflictPolicy],
    occupants: &'static [Occupant],
    decision: Decision,
) -> Row {
    Row { policies, occupants, ..by_status(operations, CONFLICTS, decision) }
}

/// Reactions to all refusals. The first matching row decides.
///
/// Under [`ConflictPolicy::Replace`], a conflict is final in two cases only: the occupant is a
/// folder, or it is a file with the name of a parent folder. Any other conflict may end by itself.
/// For example, the service responds with 409 while another session for the path is open.
pub const TABLE: &[Row] = &[
    by_status(&Operation::ALL, &[429, 503, 509], Wait),
    by_status(
        &[CreateSession, Fragment, LastFragment, SmallPut],
        &[507],
        Fail(FailureCode::QuotaExceeded),
    ),
    by_status(REPEATABLE, &[507], UNAVAILABLE),
    by_status(&[CreateSession, Fragment, LastFragment, SmallPut], SERVER_ERRORS, Reconcile),
    by_status(REPEATABLE, SERVER_ERRORS, UNAVAILABLE),
    // Calls with a bearer token.
    by_status(WITH_BEARER_TOKEN, &[401], RenewToken),
    by_status(
        &[CreateSession, SmallPut, DriveLookup, UserLookup],
        &[403],
        Fail(FailureCode::DestinationUnauthorized),
    ),
    // This refusal is not final, because Graph has just accepted the same token for the upload and
    // the document may be at the destination.
    by_status(&[ItemLookup], &[403], Repeat { last_failure: FailureCode::DestinationUnauthorized }),
    by_code(
        &[CreateSession, SmallPut, ItemLookup, DriveLookup],
        &[404, 410],
        UNKNOWN_USER,
        Fail(FailureCode::RecipientNotFound),
    ),
    by_status(BY_PATH, &[404, 410], CheckDrive),
    by_status(&[ItemLookup], &[404, 410], Absent),
    by_status(&[DriveLookup], &[400, 404, 410], Fail(FailureCode::DriveNotProvisioned)),
    by_status(&[UserLookup], &[400, 404, 410], Fail(FailureCode::RecipientNotFound)),
    by_status(&[DriveLookup, UserLookup], &[409, 412, 416], UNAVAILABLE),
    by_status(&[ItemLookup], &[409, 412, 416], UNAVAILABLE),
    // Upload URLs carry their own credential.
    by_status(&[Fragment, LastFragment, SessionStatus], &[401, 403, 404, 410], NewSession),
    by_code(FRAGMENTS, &[400], UNKNOWN_SESSION, NewSession),
    by_status(&[SessionStatus], &[400], NewSession),
    by_status(&[SessionStatus], &[409, 412, 416], UNAVAILABLE),
    by_status(&[SessionDelete], &[400, 401, 403, 404, 410], AlreadyGone),
    by_status(&[SessionDelete], &[409, 412, 416], UNAVAILABLE),
    by_status(FRAGMENTS, &[416], Resume),
    // Conflicts.
    conflict(
        &[SmallPut],
        &[ConflictPolicy::Rename],
        &[Occupant::File, Occupant::Folder],
        NextNumber,
    ),
    conflict(
        &[CreateSession, Fragment, LastFragment, SmallPut],
        &[],
        &[Occupant::Folder],
        Fail(FailureCode::DestinationConflict),
    ),
    conflict(
        &[CreateSession, Fragment, LastFragment, SmallPut],
        &[],
        &[Occupant::FileInPath],
        Fail(FailureCode::DestinationPathConflict),
    ),
    conflict(
        &[CreateSession, Fragment, LastFragment, SmallPut],
        &[ConflictPolicy::Fail],
        &[Occupant::File],
        Fail(FailureCode::DestinationConflict),
    ),
    by_status(&[CreateSession], CONFLICTS, WaitForPath),
    by_status(FRAGMENTS, CONFLICTS, NewSession),
    by_status(&[SmallPut], CONFLICTS, Repeat { last_failure: FailureCode::DestinationLocked }),
    // Other refusals.
    by_status(
        &[
            CreateSession,
            Fragment,
            LastFragment,
            SmallPut,
            SessionStatus,
            SessionDelete,
            ItemLookup,
            DriveLookup,
        ],
        &[423],
        Fail(FailureCode::DestinationLocked),
    ),
    by_status(&[UserLookup], &[423], UNAVAILABLE),
    by_status(
        &[CreateSession, Fragment, LastFragment, SmallPut, ItemLookup],
        &[400],
        Fail(FailureCode::DestinationRefused),
    ),
    by_status(BY_PATH, &[416], Fail(FailureCode::DestinationRefused)),
    by_status(
        &[Token],
        &[400, 401, 403, 404, 409, 410, 412, 416, 423],
        Fail(FailureCode::DestinationUnauthorized),
    ),
];
