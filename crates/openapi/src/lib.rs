//! Reads the API description `openapi.yaml` and validates responses against it.
//!
//! The crate is for tests and checks; no Lambda function depends on it. It supports only the part
//! of OpenAPI 3.0 that the description uses: references within the document, JSON and text bodies,
//! and headers with one value.

mod answer;
mod description;
mod schema;
pub mod yaml;

pub use answer::Answer;
pub use description::{Description, DescriptionError, Operation};
