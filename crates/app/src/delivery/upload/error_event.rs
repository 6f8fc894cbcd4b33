//! Translation of errors of the ports into events for the state machine.

use docferry_domain::failure::FailureCode;
use docferry_domain::upload::DriveEvent;

use super::run::Run;
use crate::TaskError;
use crate::ports::{DriveError, ExchangeError, UploadAdapters};

impl<P: UploadAdapters> Run<'_, P> {
    /// Translates a drive error into an event for the state machine. Stores the error, because
    /// the log needs its cause if the invocation fails.
    pub(super) fn drive_error_event(&mut self, error: DriveError) -> DriveEvent {
        let event = match &error {
            DriveError::Throttled { retry_after } => DriveEvent::Throttled(*retry_after),
            DriveError::Ambiguous(_) => DriveEvent::Lost,
            DriveError::NoEffect { final_code, .. } => DriveEvent::NoEffect(*final_code),
            DriveError::OffsetMismatch => DriveEvent::Mismatch,
            DriveError::SessionGone => DriveEvent::Gone,
            DriveError::Conflict => DriveEvent::Conflict,
            DriveError::Body => DriveEvent::SourceUnreadable,
            _ => DriveEvent::Refused(TaskError::code_of(&error)),
        };
        self.last_error = Some(error.into());
        event
    }

    /// Translates an error of the exchange bucket into an event for the state machine, and stores
    /// the error for the log.
    pub(super) fn source_error_event(&mut self, error: ExchangeError) -> DriveEvent {
        let event = match &error {
            ExchangeError::Unavailable(_) => DriveEvent::SourceUnreadable,
            ExchangeError::Changed => {
                // The drive's response to the last byte was for the previous version of the source.
                self.completed_item_id = None;
                DriveEvent::SourceChanged
            }
            ExchangeError::Gone => DriveEvent::Refused(FailureCode::SourceGone),
            ExchangeError::Unauthorized => DriveEvent::Refused(FailureCode::ExchangeUnauthorized),
        };
        self.last_error = Some(error.into());
        event
    }
}
