//! Request and response bodies of the API for SCV, the courts' document viewer.
//!
//! SCV used an older service before docferry. Every field keeps the name, type and meaning that it
//! had there.

use docferry_domain::ids::{ObjectGuid, TransferId};
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{DriveTarget, Transfer, percent};
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fields::Fields;
use crate::problem::FieldError;

/// Validated body of `POST /document/upload`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRequest {
    /// GUID of the document. The response repeats it exactly as it was sent.
    pub object_guid: ObjectGuid,
    /// Recipient and folder. A `filePath` that is null, missing or empty means the root folder.
    pub target: DriveTarget,
}

impl UploadRequest {
    /// Parses and validates a body.
    ///
    /// Unknown fields are ignored, because the old service ignored them.
    ///
    /// # Errors
    /// One error for each wrong field, with the pointer to the field and the rule that the field
    /// breaks. No error contains a value of the request.
    pub fn parse(body: &Value) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let guid = fields.required_text("objGuid");
        let object_guid: Option<ObjectGuid> = fields.parse("objGuid", guid);
        let target = fields.drive_target();
        let request =
            object_guid.zip(target).map(|(object_guid, target)| Self { object_guid, target });
        fields.finish(request)
    }
}

/// Response to `POST /document/upload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadAccepted {
    /// GUID of the document, exactly as in the request.
    pub obj_guid: String,
    /// Id of the transfer, with which the caller polls its status.
    pub transfer_id: String,
}

/// Validated body of `POST /document/terminate`. A text in `transferIds` that cannot be an id is
/// ignored, in the same way as the id of an unknown transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminateRequest {
    /// Transfers to cancel.
    pub transfer_ids: Vec<TransferId>,
}

impl TerminateRequest {
    /// Maximum number of ids in one request.
    pub const MAX_IDS: usize = 1000;

    /// Parses and validates a body.
    ///
    /// # Errors
    /// If `transferIds` is not an array of strings, or is too long.
    pub fn parse(body: &Value) -> Result<Self, Vec<FieldError>> {
        let wrong_ids = |detail: &str| vec![FieldError::field("transferIds", detail)];
        let ids = match body.get("transferIds") {
            Some(Value::Array(ids)) => ids,
            None | Some(Value::Null) => return Err(wrong_ids("is required")),
            Some(_) => return Err(wrong_ids("must be an array of strings")),
        };
        if ids.len() > Self::MAX_IDS {
            return Err(wrong_ids("must contain at most 1000 ids"));
        }
        let texts: Option<Vec<&str>> = ids.iter().map(Value::as_str).collect();
        let texts = texts.ok_or_else(|| wrong_ids("must be an array of strings"))?;
        Ok(Self { transfer_ids: texts.iter().filter_map(|text| text.parse().ok()).collect() })
    }
}

/// Response to `POST /document/terminate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminated {
    /// Always `success`.
    pub response: String,
}

impl Default for Terminated {
    fn default() -> Self {
        Self { response: "success".to_owned() }
    }
}

/// Response to `GET /document/status/{transferId}`, with the field names that SCV expects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransferStatus {
    /// Id of the transfer.
    pub transfer_id: String,
    /// Progress in percent, 0 to 100. The misspelling of the name (one `r`) is part of the
    /// contract.
    pub percent_transfered: u8,
    /// Time at which the transfer started, ISO 8601 with offset.
    pub start_delivery_dtm: Option<String>,
    /// Time at which the transfer completed, failed or was canceled.
    pub end_delivery_dtm: Option<String>,
    /// Whether the transfer failed or was canceled.
    pub error: bool,
    /// Text for people that says what happened and what to do.
    pub last_error_message: Option<String>,
    /// Size of the document in bytes. It is 0 until the source has announced the size.
    pub file_size: u64,
    /// Name of the document in OneDrive, as soon as it is known.
    pub file_name: Option<String>,
    /// Folder in OneDrive, exactly as the request named it.
    pub file_path: Option<String>,
    /// Media type of the document, as soon as it is known.
    pub mime: Option<String>,
}

impl From<&Transfer> for TransferStatus {
    fn from(transfer: &Transfer) -> Self {
        let source = transfer.source.as_ref();
        Self {
            transfer_id: transfer.transfer_id.to_string(),
            percent_transfered: percent(transfer),
            start_delivery_dtm: transfer.started_at.map(with_offset),
            end_delivery_dtm: transfer.ended_at.map(with_offset),
            error: matches!(transfer.phase, Phase::Failed | Phase::Canceled),
            last_error_message: transfer
                .failure
                .as_ref()
                .map(|failure| failure.code.message().to_owned()),
            file_size: source.map_or(0, |source| source.size),
            file_name: source.map(|source| source.name.as_str().to_owned()),
            file_path: transfer.target.drive().and_then(|drive| drive.file_path.clone()),
            mime: source.and_then(|source| source.mime.clone()),
        }
    }
}

/// Formats a time as ISO 8601 with a numeric UTC offset, to the millisecond. Both .NET and
/// JavaScript can parse this form.
fn with_offset(time: Timestamp) -> String {
    format!("{:.3}", time.display_with_offset(Offset::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;
    use docferry_domain::audit::AuditContext;
    use docferry_domain::document::DriveFolder;
    use docferry_domain::failure::FailureCode;
    use docferry_domain::job_spec::JobSpec;
    use docferry_domain::slots::Priority;
    use docferry_domain::transfer::{Failure, NewTransfer, PushedSource, Target};
    use serde_json::json;

    fn new_transfer() -> Transfer {
        let new = NewTransfer {
            spec: JobSpec::of_owner("scv"),
            audit: AuditContext::default(),
            object_guid: "AAAA".parse().unwrap(),
            file_id: None,
            target: Target::Onedrive(DriveTarget {
                recipient: "a@b.example".parse().unwrap(),
                file_path: Some("Court".into()),
                folder: "Court".parse().unwrap(),
            }),
            priority: Priority::Normal,
        };
        let start = Timestamp::UNIX_EPOCH;
        Transfer::new(TransferId::from_u128(7), new, start, start)
    }

    #[test]
    fn new_transfer_shows_exactly_the_fields_of_the_contract() {
        assert_eq!(
            serde_json::to_value(TransferStatus::from(&new_transfer())).unwrap(),
            json!({
                "transferId": "00000000000000000000000000000007",
                "percentTransfered": 0,
                "startDeliveryDtm": null,
                "endDeliveryDtm": null,
                "error": false,
                "lastErrorMessage": null,
                "fileSize": 0,
                "fileName": null,
                "filePath": "Court",
                "mime": null,
            })
        );
    }

    /// Regression test: the old service set the end time and the size only at exactly 100 %.
    #[test]
    fn failed_transfer_keeps_its_percent_and_shows_both_times() {
        let mut failed = new_transfer();
        failed.phase = Phase::Failed;
        failed.started_at = Some(Timestamp::UNIX_EPOCH);
        failed.ended_at = Some(Timestamp::from_millisecond(1500).unwrap());
        failed.bytes_done = 50;
        failed.source = Some(PushedSource {
            key: "k.pdf".into(),
            name: "k.pdf".parse().unwrap(),
            mime: Some("application/pdf".into()),
            size: 100,
            requested_at: Timestamp::UNIX_EPOCH,
            found: None,
            asked_at: None,
            pushed_at: Timestamp::UNIX_EPOCH,
            must_end_by: None,
        });
        failed.failure = Some(Failure { code: FailureCode::QuotaExceeded });

        let status = serde_json::to_value(TransferStatus::from(&failed)).unwrap();

        // The push counts as 10 %, and the upload as 90 %, of which one half is done.
        assert_eq!(status["percentTransfered"], 55);
        assert_eq!(status["startDeliveryDtm"], "1970-01-01T00:00:00.000+00:00");
        assert_eq!(status["endDeliveryDtm"], "1970-01-01T00:00:01.500+00:00");
        assert_eq!(status["error"], true);
        assert_eq!(status["fileSize"], 100);
        assert_eq!(status["fileName"], "k.pdf");
        assert_eq!(status["mime"], "application/pdf");
        assert!(status["lastErrorMessage"].as_str().unwrap().contains("OneDrive is full"));
    }

    #[test]
    fn terminated_transfer_shows_the_text_of_the_contract() {
        let mut canceled = new_transfer();
        canceled.phase = Phase::Canceled;
        canceled.failure = Some(Failure { code: FailureCode::Canceled });

        let status = TransferStatus::from(&canceled);

        assert!(status.error);
        assert_eq!(status.last_error_message.as_deref(), Some("Terminated by request"));
    }

    #[test]
    fn every_wrong_upload_field_is_reported_with_its_rule() {
        let errors = UploadRequest::parse(&json!({"objGuid": 7, "filePath": "a:b"})).unwrap_err();
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        assert_eq!(pointers, ["/objGuid", "/email", "/filePath"]);
        assert!(errors[2].detail.contains("must not contain"));
        assert_eq!(UploadRequest::parse(&json!([])).unwrap_err()[0].pointer, "");
    }

    #[test]
    fn null_and_empty_paths_are_the_root_and_unknown_fields_are_ignored() {
        for path in [json!(null), json!("")] {
            let body = json!({"objGuid": "AAAA", "email": "a@b.c", "filePath": path, "extra": 1});
            let target = UploadRequest::parse(&body).unwrap().target;
            assert_eq!((target.file_path, target.folder), (None, DriveFolder::default()));
        }
    }
}
