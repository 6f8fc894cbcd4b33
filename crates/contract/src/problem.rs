//! Problem documents (RFC 9457, `application/problem+json`).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The media type of [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not done, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// A stable URN of the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words, the same each time.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time and what to do.
    pub detail: String,
    /// This occurrence: the request, as a URN.
    pub instance: String,
    /// The stable code, for programs.
    pub code: String,
    /// The id of the request, for the operators.
    pub request_id: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// One entry a wrong field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Extension members of this kind of problem, beside the ones above.
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON pointer to the field in the body (RFC 6901).
    pub pointer: String,
    /// The rule that it breaks.
    pub detail: String,
}

impl FieldError {
    /// A wrong top-level field.
    #[must_use]
    pub fn field(name: &str, detail: impl Into<String>) -> Self {
        Self { pointer: format!("/{name}"), detail: detail.into() }
    }
}
