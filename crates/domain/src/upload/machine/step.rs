//! States of the upload's state machine.

use super::InvocationOutcome;
use crate::upload::refusal::Operation;

/// Reason for looking up the destination. It decides the next step when the document is not
/// found there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uncertainty {
    /// The session is gone.
    SessionGone,
    /// The session answers but names no missing byte.
    NoExpectedRange,
    /// An earlier PUT of the whole document may have succeeded.
    PutUnanswered,
    /// This operation was refused because of a conflict.
    Conflict(Operation),
}

/// Origin of the item that is compared with the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Candidate {
    /// The drive answered the last byte of this upload with the item.
    AnsweredLastByte,
    /// The drive answered an earlier fragment of this upload with the item.
    AnsweredEarly,
    /// A lookup of the destination found the item.
    LookedUp(Uncertainty),
}

/// State of the machine: it waits for the result of the [`Command`](super::Command) of the
/// same name. In `SendFragment` and `Verify`, source bytes that are not hashed yet are
/// hashed first.
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

/// Purpose of closing the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterClose {
    /// Another session replaces it, unless the document is at the destination already.
    Replace,
    /// The source has changed: the new entity tag is recorded, then the upload starts over.
    RenewSource,
}
