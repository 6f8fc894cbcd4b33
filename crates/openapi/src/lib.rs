//! The API's description, `openapi.yaml`, as data, and whether an answer fits it.
//!
//! For tests and checks: no function reads it. It knows what our description uses of
//! OpenAPI 3.0 and no more: references into the document itself, JSON and text bodies,
//! headers of one value.

mod answer;
mod description;
mod schema;
pub mod yaml;

pub use answer::Answer;
pub use description::{Description, NotADescription, Operation};
