//! Operations of the S3 simulator, and how requests select them.

use http::{Method, request::Parts};

use crate::query::Query;

/// An operation of the S3 API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    HeadBucket,
    ListObjects,
    HeadObject,
    GetObject,
    DeleteObject,
    PutObject,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    ListMultipartUploads,
    ListParts,
    CompleteMultipartUpload,
    AbortMultipartUpload,
}

/// Names of the operations, which fault rules, the log and the counters use.
pub(crate) const NAMES: [&str; 13] = [
    "headBucket",
    "listObjects",
    "headObject",
    "getObject",
    "deleteObject",
    "putObject",
    "createMultipartUpload",
    "uploadPart",
    "uploadPartCopy",
    "listMultipartUploads",
    "listParts",
    "completeMultipartUpload",
    "abortMultipartUpload",
];

/// Parameters of list requests. Other queries of a bucket (`?location`, `?versioning`, …) are not
/// supported.
const LIST_PARAMETERS: [&str; 6] =
    ["list-type", "prefix", "delimiter", "max-keys", "marker", "encoding-type"];

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// Returns the operation of a request, or `None` if it is not simulated.
    pub(crate) fn of(parts: &Parts, key: &str, query: &Query) -> Option<Self> {
        let copies = parts.headers.contains_key("x-amz-copy-source");
        let is_upload = query.get("uploadId").is_some();
        let starts_upload = query.get("uploads").is_some();
        let is_plain = query.has_only(&["x-id"]);
        let operation = match (&parts.method, key.is_empty()) {
            (&Method::HEAD, true) => Self::HeadBucket,
            (&Method::GET, true) if starts_upload => Self::ListMultipartUploads,
            (&Method::GET, true) if query.is_empty() || query.has_any(&LIST_PARAMETERS) => {
                Self::ListObjects
            }
            (_, true) => return None,
            (&Method::HEAD, _) => Self::HeadObject,
            (&Method::GET, _) if is_upload => Self::ListParts,
            (&Method::GET, _) => Self::GetObject,
            (&Method::PUT, _) if is_upload && copies => Self::UploadPartCopy,
            (&Method::PUT, _) if is_upload => Self::UploadPart,
            (&Method::PUT, _) if is_plain && !copies => Self::PutObject,
            (&Method::POST, _) if starts_upload => Self::CreateMultipartUpload,
            (&Method::POST, _) if is_upload => Self::CompleteMultipartUpload,
            (&Method::DELETE, _) if is_upload => Self::AbortMultipartUpload,
            (&Method::DELETE, _) if is_plain => Self::DeleteObject,
            _ => return None,
        };
        Some(operation)
    }
}
