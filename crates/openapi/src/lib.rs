//! Reader of docferry's API description `openapi.yaml`, and validation of API responses against it.
//!
//! Only tests and checks use this crate. No Lambda function depends on it. It supports only the
//! part of OpenAPI 3.0 that the description uses: references within the document, JSON and text
//! bodies, and headers with one value.

mod description;
mod response;
mod schema;
pub mod yaml;

pub use description::{Description, DescriptionError, Operation};
pub use response::ApiResponse;
