//! The id of a transfer or job in the path of a request.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use docferry_domain::ids::TransferId;

use crate::error::ApiError;

/// Parses the id in the path. A malformed id causes the same error as an unknown id.
pub(crate) fn parse_id(id: Result<Path<String>, PathRejection>) -> Result<TransferId, ApiError> {
    let Path(id) = id.map_err(|_| ApiError::NotFound)?;
    id.parse().map_err(|_| ApiError::NotFound)
}
