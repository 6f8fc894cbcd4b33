use axum::extract::Request;
use docferry_contract::problem::FieldError;
use http::header;
use serde_json::Value;

use crate::problem::ApiError;

/// Largest body that is read, in bytes.
const LARGEST_BODY: usize = 64 * 1024;

/// Reads a JSON body, whatever its shape.
pub(crate) async fn json(request: Request) -> Result<Value, ApiError> {
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    if !declared.is_some_and(is_json) {
        return Err(ApiError::UnsupportedMediaType);
    }
    let body = axum::body::to_bytes(request.into_body(), LARGEST_BODY)
        .await
        .map_err(|_| ApiError::TooLarge)?;
    serde_json::from_slice(&body).map_err(|error| {
        // Where, not what: the text of the body may be personal.
        let detail = format!("is not JSON (line {}, column {})", error.line(), error.column());
        ApiError::Invalid(vec![FieldError { pointer: String::new(), detail }])
    })
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}
