//! Problem documents (RFC 9457, `application/problem+json`): the bodies of the API's error
//! responses.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Media type of [`Problem`].
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Description of why a request failed, for people and for programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// URN of the kind of problem. Programs may rely on it, because it never changes.
    #[serde(rename = "type")]
    pub kind: String,
    /// Kind of problem in words. It is the same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Text for people that says what is wrong in this occurrence and how to correct it.
    pub detail: String,
    /// URN of this occurrence, which contains the id of the request.
    pub instance: String,
    /// Stable code, for programs.
    pub code: String,
    /// Id of the request, for operators.
    pub request_id: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// One entry for each wrong field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Additional members of this kind of problem.
    #[serde(flatten)]
    pub extensions: Map<String, Value>,
}

/// Error in one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON pointer to the field in the body (RFC 6901).
    pub pointer: String,
    /// Rule that the field breaks.
    pub detail: String,
}

impl FieldError {
    /// Creates an error for a top-level field.
    #[must_use]
    pub fn field(name: &str, detail: impl Into<String>) -> Self {
        Self { pointer: format!("/{name}"), detail: detail.into() }
    }
}
