//! States of the upload's state machine, and the reasons for which it enters them.

use super::InvocationOutcome;
use crate::upload::refusal::Operation;

/// Reason for a lookup of the destination. If the lookup does not find the document, the reason
/// decides the next state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uncertainty {
    /// The session no longer exists. It may have been completed.
    SessionGone,
    /// The session exists but names no missing byte.
    NoExpectedRange,
    /// An earlier PUT of the whole document may have succeeded.
    PutUnanswered,
    /// The drive refused this operation because of a conflict.
    Conflict(Operation),
}

/// Origin of the item that is compared with the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Candidate {
    /// The drive returned the item in response to the last byte of this upload.
    CompletedByLastByte,
    /// The drive returned the item in response to a fragment before the last.
    CompletedEarly,
    /// A lookup of the destination found the item.
    LookedUp(Uncertainty),
}

/// State of the machine. Except in `Ended`, the machine expects the result of the
/// [`Command`](super::Command) that has the name of the state.
///
/// There is one exception: in `SendFragment` and `Verify`, the command is `HashSource` until the
/// necessary source bytes are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    QuerySession,
    LookUp(Uncertainty),
    LoadDocument,
    PutDocument,
    OpenSession,
    CloseSession(AfterClose),
    SendFragment,
    Verify(Candidate),
    RenewSource,
    Ended(InvocationOutcome),
}

/// Reason for closing the session, which decides the next state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterClose {
    /// Another session will replace it, unless the document is already at the destination.
    Replace,
    /// The source has changed. Its new entity tag will be recorded, then the upload restarts.
    RenewSource,
}
