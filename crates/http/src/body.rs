//! Reader of JSON request bodies. It limits the size of a body, and its errors name the invalid
//! member.

use axum::extract::Request;
use docferry_contract::problem::FieldError;
use http::header;
use serde_json::Value;

use crate::body_limit::BodyLimit;
use crate::error::ApiError;
use crate::json::duplicate_members;

/// UTF-8 byte order mark, which some clients write before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a JSON body. Rejects a body that is larger than the default size, and a body in which an
/// object has a duplicate member.
pub(crate) async fn json(request: Request) -> Result<Value, ApiError> {
    json_up_to(BodyLimit::Default, request).await
}

/// Reads a JSON body like [`json`], but with the maximum size `limit`.
pub(crate) async fn json_up_to(limit: BodyLimit, request: Request) -> Result<Value, ApiError> {
    let content_type =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(is_json) {
        return Err(ApiError::UnsupportedMediaType);
    }
    let body = axum::body::to_bytes(request.into_body(), limit.bytes())
        .await
        .map_err(|_| ApiError::TooLarge(limit))?;
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&body);
    let value = serde_json::from_slice(text).map_err(|error| syntax_error(&error))?;
    let duplicates = duplicate_members(text).map_err(|error| syntax_error(&error))?;
    if duplicates.is_empty() {
        return Ok(value);
    }
    let detail = "must be given once";
    let errors =
        duplicates.into_iter().map(|pointer| FieldError { pointer, detail: detail.into() });
    Err(ApiError::Invalid(errors.collect()))
}

/// Returns the error for invalid JSON. It contains only the position, because the text there may be
/// personal data.
fn syntax_error(error: &serde_json::Error) -> ApiError {
    let detail = format!("is not JSON (line {}, column {})", error.line(), error.column());
    ApiError::Invalid(vec![FieldError { pointer: String::new(), detail }])
}

/// Returns whether a media type is `application/json` or ends with `+json`.
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}
