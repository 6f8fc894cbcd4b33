//! Reader of docferry's API description `openapi.yaml`, and validation of API responses against it.
//!
//! Only tests and the checks of `cargo xtask` use this crate. No Lambda function depends on it. The
//! crate supports only the part of OpenAPI 3.0 that the description uses: references within the
//! document, JSON and text bodies, and headers with one value.

mod description;
mod response;
mod schema;
pub mod yaml;

pub use description::{Description, DescriptionError, Operation};
pub use response::ApiResponse;
