//! Faults that the test injects, and the strategy that generates them.

use proptest::prelude::*;

/// Fault that the test injects while the upload performs one command.
///
/// Some faults concern only some commands. Injected at another command, such a fault does
/// nothing, and the command succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process crashes before it performs the command.
    CrashBeforeCommand,
    /// The command takes effect. Then the process crashes before the response arrives.
    CrashBeforeResponse,
    /// The time of the invocation ends, just before the command or while it waits for a response.
    /// The command has no effect.
    InvocationTimeEnds,
    /// A user cancels the transfer just before the command. The command succeeds.
    CancelRequested,

    /// The drive answers with a server error. The command has no effect.
    ServerError,
    /// The drive throttles the request. The command has no effect.
    Throttled,
    /// The drive answers a fragment or a PUT with a conflict, and stores nothing.
    ConflictResponse,
    /// No response arrives in time. The command has no effect.
    ResponseTimeout,
    /// No response to a fragment or a PUT arrives in time. The request takes effect later, just
    /// before the next fragment or PUT.
    RequestArrivesLate,
    /// The command takes effect, but the response is lost.
    ResponseLost,
    /// The command takes effect, but the response to a fragment or a PUT has no body. The upload
    /// treats it as lost.
    ResponseWithoutItem,
    /// The response to a status query or to a fragment does not name the range that the drive
    /// expects. A verification finds that the drive has not computed the hash yet.
    ResponseWithoutRangeOrHash,
    /// An older invocation, which still runs, sends the same fragment or PUT just before.
    RequestDuplicated,

    /// The drive stores only the beginning of a fragment, and nothing of a PUT. The response to
    /// any command is lost.
    RequestCutOff {
        /// Part of the fragment that is stored, in percent.
        stored_percent: u64,
    },
    /// The drive stores only the second half of a fragment, and the response is lost.
    FirstHalfOfFragmentLost,
    /// The drive completes the file with this fragment or PUT, but the file has not the size of
    /// the document.
    FileOfWrongSize,
    /// The session loses all bytes that it has stored. This happens before a status query, or
    /// after a fragment.
    StoredBytesLost,
    /// The session expires before a status query or a fragment.
    SessionExpired,
    /// The drive refuses the upload URL from now on, although the session stays open until it
    /// expires.
    UploadUrlRefused,
    /// From now on, another session or an editor holds the path of the document.
    PathHeld {
        /// Number of times that the upload must wait until the path is free.
        waits: u32,
    },
    /// From now on, the drive has not computed the hash of any file yet.
    HashDelayed {
        /// Number of verifications until the drive has computed the hash.
        verifications: u32,
    },

    /// The source cannot be read at the moment.
    SourceUnreadable,
    /// The same document is pushed again, which gives the source a new version.
    SourceWrittenAgain,
    /// Another document is pushed under the key of the source.
    SourceReplacedByOtherDocument,
}

impl Fault {
    /// Returns whether the upload does not receive the response to its command, although the
    /// command has reached the drive.
    pub(crate) const fn loses_response(self) -> bool {
        matches!(self, Self::CrashBeforeResponse | Self::ResponseLost | Self::RequestCutOff { .. })
    }
}

/// Fault at a certain place of the upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlannedFault {
    /// Number of commands without a fault between the previous fault, or the beginning of the
    /// upload, and this one.
    pub(crate) commands_before: u8,
    pub(crate) fault: Fault,
}

/// Plans a fault after this number of commands without a fault.
pub(crate) const fn after(commands_before: u8, fault: Fault) -> PlannedFault {
    PlannedFault { commands_before, fault }
}

/// Generates each kind of fault with the same probability.
pub(crate) fn any_fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::CrashBeforeCommand),
        Just(Fault::CrashBeforeResponse),
        Just(Fault::RequestDuplicated),
        Just(Fault::ResponseLost),
        (0_u64..=100).prop_map(|stored_percent| Fault::RequestCutOff { stored_percent }),
        Just(Fault::ServerError),
        Just(Fault::ResponseTimeout),
        Just(Fault::RequestArrivesLate),
        Just(Fault::SessionExpired),
        Just(Fault::Throttled),
        Just(Fault::CancelRequested),
        Just(Fault::ResponseWithoutRangeOrHash),
        Just(Fault::FileOfWrongSize),
        Just(Fault::SourceUnreadable),
        Just(Fault::SourceWrittenAgain),
        Just(Fault::InvocationTimeEnds),
        Just(Fault::SourceReplacedByOtherDocument),
        (1_u32..=6).prop_map(|waits| Fault::PathHeld { waits }),
        Just(Fault::UploadUrlRefused),
        Just(Fault::ConflictResponse),
        Just(Fault::ResponseWithoutItem),
        Just(Fault::StoredBytesLost),
        Just(Fault::FirstHalfOfFragmentLost),
        (1_u32..=2).prop_map(|verifications| Fault::HashDelayed { verifications }),
    ]
}
