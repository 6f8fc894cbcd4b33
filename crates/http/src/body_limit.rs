//! Maximum sizes of request bodies.

/// Maximum size of a request body. A larger body is rejected with 413.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLimit {
    /// Limit of most routes: 64 KiB.
    Default,
    /// Limit of `POST /v1/download/initiate`: 512 KiB. A body may list 1000 GUIDs of 256 characters
    /// each, which are more than 250 KiB.
    DocumentList,
}

impl BodyLimit {
    /// Returns the maximum size in bytes.
    pub(crate) const fn bytes(self) -> usize {
        match self {
            Self::Default => 64 * 1024,
            Self::DocumentList => 512 * 1024,
        }
    }

    /// Returns the detail of the response to a body that is too large.
    pub(crate) const fn advice(self) -> &'static str {
        match self {
            Self::Default => "Send a body of at most 64 KiB.",
            Self::DocumentList => "Send a body of at most 512 KiB.",
        }
    }
}
