//! Search for documents by FHIR R4, the standard of health care for the exchange of data:
//! parameters, resources, and the capability statement.
//!
//! The code is pure: it reads no store and sends nothing. The parser of [`SearchQuery`] and the
//! [`CapabilityStatement`] use one [table of parameters](parameter::PARAMETERS).
//! [`SearchQuery::matches`] defines which documents a search finds. HTTP, entitlements and the
//! store are in other crates.

mod base_url;
mod bundle;
mod capability;
mod date;
mod form;
mod outcome;
mod page;
mod page_token;
pub mod parameter;
pub mod query;
mod resource;
mod value;

pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use bundle::Bundle;
pub use capability::CapabilityStatement;
pub use date::DateRange;
pub use outcome::{Issue, IssueCode, OperationOutcome};
pub use page::{MAX_LOOKAHEAD, Page};
pub use page_token::{InvalidPageToken, PageKey, PageTokens};
pub use query::SearchQuery;
pub use resource::DocumentReference;

/// Media type of all resources.
pub const MEDIA_TYPE: &str = "application/fhir+json";
