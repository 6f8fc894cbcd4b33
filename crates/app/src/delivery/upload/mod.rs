//! Upload of a document to the recipient's drive, one Lambda invocation at a time.
//!
//! An invocation claims the transfer by taking a new epoch. Then it carries out the decisions
//! of `docferry_domain::upload::UploadMachine`: query the upload session, send fragments, check the
//! destination. It returns when the document is complete, when the drive asks for a pause, or
//! when its own time is nearly over. After any interruption, the next invocation resumes at the
//! offset that the drive reports.

mod checkpoint;
mod comparison;
mod engine;
mod error_event;
mod fragments;
mod names;
mod object;
mod pause;
mod range_reader;
mod read_ahead;
mod reader;
mod resume;
mod run;
mod session;
mod types;
mod verify;

pub(crate) use comparison::{Comparison, ComparisonError, ComparisonResult, LastByte};
pub use engine::upload;
pub(crate) use names::find_all_numbered;
pub(crate) use object::{SourceObject, is_contested, may_be_other_document};
pub use run::UploadPorts;
pub use types::{Progress, UploadSettings};
