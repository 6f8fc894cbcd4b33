//! Specification of a job: the part of its request that transfers and batches have in common.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::callback::CallbackUrl;
use crate::document::CaseReference;
use crate::person::Person;
use crate::trace::TraceParent;

/// Specification of a job, which is a transfer or a batch: its owner, case, retention, webhook
/// and trace.
///
/// The record of the job stores these fields next to its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSpec {
    /// Principal that made the request. Only this principal can see the job.
    pub owner: String,
    /// Person on whose behalf the owner made the request, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Person>,
    /// Court case that the service named in its request, for the audit trail.
    #[serde(default, skip_serializing_if = "CaseReference::is_empty")]
    pub case: CaseReference,
    /// End of the retention of the delivered documents; `None` when docferry does not
    /// control the retention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "keepUntil")]
    pub retain_until: Option<Timestamp>,
    /// URL of the webhook that is called at the end. Always `None` for a document of a batch,
    /// because the batch has the webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<CallbackUrl>,
    /// Trace context of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
}

impl JobSpec {
    /// Returns the specification of a job of which nothing but its owner is known.
    #[must_use]
    pub fn of_owner(owner: impl Into<String>) -> Self {
        Self {
            owner: owner.into(),
            on_behalf_of: None,
            case: CaseReference::default(),
            retain_until: None,
            callback: None,
            trace: None,
        }
    }

    /// Returns the specification of a document of this batch. It has no webhook: receivers are
    /// notified of the end of the whole batch only.
    #[must_use]
    pub fn for_document(&self) -> Self {
        Self { callback: None, ..self.clone() }
    }
}
