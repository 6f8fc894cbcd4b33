//! Search for documents by FHIR R4: parameters, resources, and the capability statement.
//!
//! Everything here is pure. One [table of parameters](parameter::PARAMETERS) drives the parser of
//! [`SearchQuery`], the [`CapabilityStatement`] and the documentation, and
//! [`SearchQuery::matches`] is the meaning of a search. HTTP, entitlements and the store are
//! elsewhere.

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
