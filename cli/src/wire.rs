//! JSON types of docferry's older API, whose transfers deliver one document to one person's drive.
//! Their members are spelled as in the contract, `openapi.yaml`. The module `job` has the types of
//! the downloads API.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Error message by which the contract marks a canceled transfer.
const TERMINATED_MESSAGE: &str = "Terminated by request";

/// Request body of `POST /document/upload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewTransfer {
    /// The document's GUID in the object store, in base64.
    pub obj_guid: String,
    /// The recipient's email address.
    pub email: String,
    /// The folder in the recipient's OneDrive, or `None` for the root folder.
    pub file_path: Option<String>,
}

/// Response body of `POST /document/upload` with status 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The GUID, as it was sent.
    pub obj_guid: String,
    /// The id of the transfer, for later calls.
    pub transfer_id: String,
}

/// Request body of `POST /document/terminate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Terminate<'a> {
    pub(crate) transfer_ids: &'a [String],
}

/// Response body of `POST /document/terminate` with status 202. The response means that the cancel
/// request was accepted. The outcome of each transfer is in its status.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct TerminateAccepted {
    /// The value is not used. A response with another value is refused when it is parsed.
    #[serde(rename = "response")]
    _response: Success,
}

/// The only value of [`TerminateAccepted`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Success {
    Success,
}

/// Response body of `GET /document/status/{transferId}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferStatus {
    /// The id of the transfer.
    pub transfer_id: String,
    /// Progress from 0 to 100. The contract spells the name in this way.
    pub percent_transfered: u8,
    /// Start of the transfer, ISO 8601.
    pub start_delivery_dtm: Option<String>,
    /// End of the transfer, successful or not, ISO 8601.
    pub end_delivery_dtm: Option<String>,
    /// Whether the transfer failed.
    pub error: bool,
    /// Cause of the failure and advice, in English.
    pub last_error_message: Option<String>,
    /// Size in bytes, or 0 until the size is known.
    pub file_size: u64,
    /// File name of the document.
    pub file_name: Option<String>,
    /// Destination folder.
    pub file_path: Option<String>,
    /// Media type of the document.
    pub mime: Option<String>,
}

/// State of a transfer or job, reduced to the three cases that a client distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferState {
    /// The transfer or job has not ended.
    Running,
    /// The transfer or job was delivered and verified.
    Completed,
    /// The transfer or job ended without delivery.
    Failed,
}

impl TransferStatus {
    /// Returns the state of the transfer.
    ///
    /// A transfer that ended without an error and below 100 % violates the contract. Such a
    /// transfer counts as failed, because a client that polls until 100 % would wait forever.
    #[must_use]
    pub fn state(&self) -> TransferState {
        if self.error {
            TransferState::Failed
        } else if self.percent_transfered >= 100 {
            TransferState::Completed
        } else if self.end_delivery_dtm.is_some() {
            TransferState::Failed
        } else {
            TransferState::Running
        }
    }

    /// Returns whether the transfer was canceled. The contract marks a canceled transfer only by
    /// its error message.
    #[must_use]
    pub fn was_terminated(&self) -> bool {
        self.state() == TransferState::Failed
            && self.last_error_message.as_deref() == Some(TERMINATED_MESSAGE)
    }

    /// Cause of a failure, for display.
    #[must_use]
    pub fn failure_message(&self) -> String {
        self.last_error_message
            .clone()
            .unwrap_or_else(|| format!("ended at {} % without a reason", self.percent_transfered))
    }
}

/// A problem document (RFC 9457): the body of an error response, with the members that a client
/// shows.
///
/// Every member is optional, because a proxy may have written the response. The aliases are the
/// names of the same members in the errors of API Gateway and FHIR.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Kind of problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Explanation of this occurrence.
    #[serde(alias = "message", skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Stable error code for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Id of the request, by which operators find it in the logs.
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The invalid fields, or the issues of a FHIR `OperationOutcome`.
    #[serde(alias = "issue", skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemItem>,
}

/// One invalid field of a request, or one issue of a FHIR `OperationOutcome`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProblemItem {
    /// JSON pointer to the field in the request body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Description of the error.
    #[serde(alias = "message", alias = "diagnostics", skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Stable error code for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.title, &self.detail) {
            (Some(title), Some(detail)) if title != detail => write!(f, "{title}: {detail}")?,
            (Some(text), _) | (None, Some(text)) => f.write_str(text)?,
            (None, None) => f.write_str("no reason was given")?,
        }
        if let Some(code) = &self.code {
            write!(f, " [{code}]")?;
        }
        for item in &self.errors {
            let pointer = item.pointer.as_deref().unwrap_or("(request)");
            let detail = item.detail.as_deref().or(item.code.as_deref()).unwrap_or("refused");
            write!(f, "\n  {pointer}: {detail}")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, "\n  request {id}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the status of a running transfer at this percentage.
    fn running(percent: u8) -> TransferStatus {
        serde_json::from_value(serde_json::json!({
            "transferId": "t", "percentTransfered": percent, "error": false, "fileSize": 0,
        }))
        .unwrap()
    }

    /// Returns the status of a transfer that ended at this percentage.
    fn ended(percent: u8, error: bool) -> TransferStatus {
        let end_delivery_dtm = Some("2026-11-23T09:00:00+00:00".to_owned());
        TransferStatus { error, end_delivery_dtm, ..running(percent) }
    }

    #[test]
    fn status_is_completed_only_at_100_percent_without_error() {
        assert_eq!(ended(100, false).state(), TransferState::Completed);
        assert_eq!(running(99).state(), TransferState::Running);
        assert_eq!(ended(100, true).state(), TransferState::Failed);
        assert_eq!(ended(40, false).state(), TransferState::Failed);
    }

    #[test]
    fn termination_is_recognized_by_the_message_of_the_contract() {
        let failed_with = |message: Option<&str>| TransferStatus {
            last_error_message: message.map(str::to_owned),
            ..ended(40, true)
        };
        assert!(failed_with(Some("Terminated by request")).was_terminated());
        assert!(!failed_with(Some("The recipient's OneDrive is full.")).was_terminated());
        assert!(!failed_with(None).was_terminated());
    }

    #[test]
    fn problem_display_lists_all_invalid_fields() {
        let problem: Problem = serde_json::from_str(
            r#"{"title": "Invalid request", "detail": "2 fields", "code": "INVALID", "requestId": "r-1",
                "errors": [{"pointer": "/email", "detail": "is no address"},
                           {"pointer": "/objGuid", "detail": "is no base64"}]}"#,
        )
        .unwrap();
        assert_eq!(
            problem.to_string(),
            "Invalid request: 2 fields [INVALID]\n  /email: is no address\n  /objGuid: is no base64\n  request r-1"
        );
    }
}
