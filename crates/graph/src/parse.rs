//! Parsing of successful responses.

use docferry_app::ports::{DriveError, DriveItem};
use docferry_domain::failure::FailureCode;
use docferry_domain::upload::refusal::Operation;

use crate::answer::GraphResponse;
use crate::failure::{classify, no_effect};
use crate::wire::Item;

/// Parses the response of a call that changes nothing.
pub(crate) fn parse_response<T: serde::de::DeserializeOwned>(
    operation: Operation,
    answer: &GraphResponse,
) -> Result<T, DriveError> {
    if answer.status.is_success() {
        answer.json().ok_or_else(unknown_item)
    } else {
        Err(classify(operation, answer))
    }
}

/// Parses the file that a successful response describes. Any other body is an error, because it
/// does not prove that the document is complete.
pub(crate) fn parse_file(answer: &GraphResponse) -> Result<DriveItem, DriveError> {
    answer.json().and_then(Item::into_file).ok_or_else(unreadable)
}

/// Error for a successful response to a write whose body cannot be parsed: the write may have
/// happened or not.
pub(crate) fn unreadable() -> DriveError {
    DriveError::Ambiguous(UNREADABLE.into())
}

/// Error for a successful response to a read whose body cannot be parsed.
pub(crate) fn unknown_item() -> DriveError {
    no_effect(FailureCode::DestinationUnavailable, UNREADABLE)
}

/// Cause of [`unreadable`] and [`unknown_item`].
const UNREADABLE: &str = "a successful response could not be parsed";
