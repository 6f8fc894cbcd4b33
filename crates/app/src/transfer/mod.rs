//! Single transfers: creation, reading, cancellation.

pub mod cancel;
pub mod create;
pub mod get;
