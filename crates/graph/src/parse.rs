//! Parsing of the JSON bodies of successful responses of Microsoft Graph, and the errors for bodies
//! that cannot be parsed.

use docferry_app::ports::{DriveError, DriveItem};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::refusal::Operation;

use crate::failure::{classify, no_effect};
use crate::response::GraphResponse;
use crate::wire::Item;

/// Cause of the errors for a body that cannot be parsed.
const UNREADABLE: &str = "a successful response could not be parsed";

/// Parses the response to a read, that is, to a call that changes nothing in the drive.
pub(crate) fn parse_response<T: serde::de::DeserializeOwned>(
    operation: Operation,
    response: &GraphResponse,
) -> Result<T, DriveError> {
    if response.status.is_success() {
        response.json().ok_or_else(unreadable_read_response)
    } else {
        Err(classify(operation, response))
    }
}

/// Parses the file that a successful response to a write describes. A body that does not describe
/// a file is an error, because it does not prove that the document is complete.
pub(crate) fn parse_file(response: &GraphResponse) -> Result<DriveItem, DriveError> {
    response.json().and_then(Item::into_file).ok_or_else(unreadable_write_response)
}

/// Returns the error for a successful response to a write whose body cannot be parsed. The write
/// may or may not have taken effect.
pub(crate) fn unreadable_write_response() -> DriveError {
    DriveError::Ambiguous(UNREADABLE.into())
}

/// Returns the error for a successful response to a read whose body cannot be parsed.
pub(crate) fn unreadable_read_response() -> DriveError {
    no_effect(FailureCode::DestinationUnavailable, UNREADABLE)
}
