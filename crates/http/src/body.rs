use axum::extract::Request;
use docferry_contract::problem::FieldError;
use http::header;
use serde_json::Value;

use crate::json::duplicate_members;
use crate::problem::ApiError;

/// Largest body that is read, in bytes.
const LARGEST_BODY: usize = 64 * 1024;

/// The mark of UTF-8 that some clients write before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a JSON body, whatever its shape. No object in it may have a member twice.
pub(crate) async fn json(request: Request) -> Result<Value, ApiError> {
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    if !declared.is_some_and(is_json) {
        return Err(ApiError::UnsupportedMediaType);
    }
    let body = axum::body::to_bytes(request.into_body(), LARGEST_BODY)
        .await
        .map_err(|_| ApiError::TooLarge)?;
    let text = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&body);
    let value = serde_json::from_slice(text).map_err(|error| not_json(&error))?;
    let duplicates = duplicate_members(text).map_err(|error| not_json(&error))?;
    if duplicates.is_empty() {
        return Ok(value);
    }
    let detail = "must be given once";
    let errors = duplicates.into_iter().map(|at| FieldError { pointer: at, detail: detail.into() });
    Err(ApiError::Invalid(errors.collect()))
}

/// Names the place and not the text, which may be personal.
fn not_json(error: &serde_json::Error) -> ApiError {
    let detail = format!("is not JSON (line {}, column {})", error.line(), error.column());
    ApiError::Invalid(vec![FieldError { pointer: String::new(), detail }])
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}
