//! Single transfers: creation, reading, cancellation.

pub mod create;
pub mod get;
pub(crate) mod withdraw;
