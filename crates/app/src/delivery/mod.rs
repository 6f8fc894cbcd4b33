//! Delivery of a document: upload to OneDrive, or copy to the delivery bucket.

pub(crate) mod artifact;
pub mod gate;
pub mod publish;
pub mod upload;
