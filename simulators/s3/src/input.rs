//! A received request of the S3 simulator, as the handlers of the operations get it.

use bytes::Bytes;
use http::HeaderMap;

use crate::query::Query;

/// A received request.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) key: String,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    /// Body as transmitted.
    pub(crate) body: Bytes,
}
