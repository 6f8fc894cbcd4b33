//! The JSON of the public API, spelled as the contract spells it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What `POST /document/upload` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewTransfer {
    /// The document's GUID in the object store, in base64.
    pub obj_guid: String,
    /// The recipient's address.
    pub email: String,
    /// The folder in the recipient's OneDrive; `None` is the root.
    pub file_path: Option<String>,
}

/// What `POST /document/upload` answers with 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// The GUID, echoed as it was sent.
    pub obj_guid: String,
    /// The id to ask for.
    pub transfer_id: String,
}

/// What `POST /document/terminate` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Terminate<'a> {
    pub(crate) transfer_ids: &'a [String],
}

/// What `POST /document/terminate` answers with 202: that it heard. What became
/// of each transfer is its status's to say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Heard {
    #[serde(rename = "response")]
    _response: Success,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Success {
    Success,
}

/// What `GET /document/status/{transferId}` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferStatus {
    /// The transfer.
    pub transfer_id: String,
    /// 0 to 100. The missing `r` is part of the contract.
    pub percent_transfered: u8,
    /// When work began, ISO 8601.
    pub start_delivery_dtm: Option<String>,
    /// When it ended, however it ended, ISO 8601.
    pub end_delivery_dtm: Option<String>,
    /// Whether it failed.
    pub error: bool,
    /// What went wrong and what to do.
    pub last_error_message: Option<String>,
    /// Bytes; 0 until the size is known.
    pub file_size: u64,
    /// The document's name.
    pub file_name: Option<String>,
    /// The folder it goes to.
    pub file_path: Option<String>,
    /// Its media type.
    pub mime: Option<String>,
}

/// What a status document says about the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferState {
    /// Not ended yet.
    Running,
    /// Delivered and verified.
    Completed,
    /// Ended without delivery.
    Failed,
}

impl TransferStatus {
    /// Where the transfer stands.
    ///
    /// An end without an error and without 100 % is against the contract; it is
    /// taken as a failure, because waiting for more would never end.
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

    /// Whether it ended because somebody asked it to; told by the contract's words.
    #[must_use]
    pub fn was_terminated(&self) -> bool {
        self.state() == TransferState::Failed
            && self.last_error_message.as_deref() == Some("Terminated by request")
    }

    /// Why a failed transfer failed, in words for a person.
    #[must_use]
    pub fn failure_message(&self) -> String {
        self.last_error_message
            .clone()
            .unwrap_or_else(|| format!("ended at {} % without saying why", self.percent_transfered))
    }
}

/// A problem document (RFC 9457), as far as a client shows it.
///
/// Every member is optional: a proxy on the way may have written the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What kind of problem it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What happened this time.
    #[serde(alias = "message", skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// A stable name for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What to tell the operators, so that they find the request.
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The fields at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemItem>,
}

/// One field at fault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProblemItem {
    /// Where it stands in the request: a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What is wrong with it.
    #[serde(alias = "message", skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// A stable name for programs.
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

    fn status(percent: u8, ended: bool, error: bool) -> TransferStatus {
        serde_json::from_value(serde_json::json!({
            "transferId": "t", "percentTransfered": percent, "error": error, "fileSize": 0,
            "endDeliveryDtm": ended.then_some("2026-11-23T09:00:00+00:00"),
        }))
        .unwrap()
    }

    #[test]
    fn only_one_hundred_percent_without_an_error_is_completed() {
        assert_eq!(status(100, true, false).state(), TransferState::Completed);
        assert_eq!(status(99, false, false).state(), TransferState::Running);
        assert_eq!(status(100, true, true).state(), TransferState::Failed);
        assert_eq!(status(40, true, false).state(), TransferState::Failed);
    }

    #[test]
    fn only_the_contracts_words_tell_a_stop_from_a_failure() {
        let with = |message: Option<&str>| TransferStatus {
            last_error_message: message.map(str::to_owned),
            ..status(40, true, true)
        };
        assert!(with(Some("Terminated by request")).was_terminated());
        assert!(!with(Some("The recipient's OneDrive is full.")).was_terminated());
        assert!(!with(None).was_terminated());
    }

    #[test]
    fn a_problem_names_every_field_at_fault() {
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
