//! Errors of downloading a document from the delivery bucket into a file.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use miette::Diagnostic;

use crate::error::ClientError;

/// Error of a download. There is one variant for each reaction of the caller.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum FetchError {
    /// A call to the service failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Client(#[from] ClientError),

    /// There is no document to download, for example because its job failed.
    #[error("there is nothing to download: {reason}")]
    #[diagnostic(code(docferry::nothing_to_fetch))]
    NothingToFetch {
        /// State of the document, or the cause of its failure.
        reason: String,
    },

    /// The document was not ready before the timeout expired.
    #[error("the document was not ready in time")]
    #[diagnostic(code(docferry::not_ready), help("try again later, or with a longer --timeout"))]
    NotReady,

    /// The target already exists and must not be replaced.
    #[error("{} already exists", path.display())]
    #[diagnostic(
        code(docferry::exists),
        help(
            "--force replaces the file, --skip-existing keeps it, --output selects another target"
        )
    )]
    Exists {
        /// Path of the existing file.
        path: PathBuf,
    },

    /// Another run of the command is downloading to the same file.
    #[error("{} is being written by another run", path.display())]
    #[diagnostic(code(docferry::busy), help("wait until the other run has ended"))]
    Busy {
        /// Path of the partial file.
        path: PathBuf,
    },

    /// The document in the delivery bucket has another size than the service reported.
    #[error("the document has {found} bytes instead of {expected}; the download was discarded")]
    #[diagnostic(code(docferry::wrong_size), help("request the document again"))]
    WrongSize {
        /// Size according to the service, in bytes.
        expected: u64,
        /// Size of the document that was received, in bytes.
        found: u64,
    },

    /// The connection to the delivery bucket failed. A retry resumes the download.
    #[error("the connection to the delivery bucket failed")]
    #[diagnostic(
        code(docferry::unreachable),
        help("run the same command again to resume the download")
    )]
    Broken {
        /// Error of the HTTP client, without the URL.
        #[source]
        source: reqwest::Error,
    },

    /// The delivery bucket refused the request. A retry with a new URL may succeed.
    #[error("the delivery bucket refused the request (HTTP {status})")]
    #[diagnostic(code(docferry::store), help("run the same command again to resume the download"))]
    Store {
        /// HTTP status of the response.
        status: u16,
        /// Pause that the store asks for in `Retry-After`, if any.
        retry_after: Option<Duration>,
    },

    /// The response does not come from the delivery bucket but, for example, from a proxy.
    #[error("not a response of the delivery bucket (HTTP {status})")]
    #[diagnostic(
        code(docferry::invalid_answer),
        help(
            "the response may come from a proxy; run the same command again to resume the download"
        )
    )]
    Foreign {
        /// HTTP status of the response.
        status: u16,
    },

    /// The document was removed from the delivery bucket.
    #[error("the document is no longer in the delivery bucket")]
    #[diagnostic(code(docferry::gone), help("docferry retry delivers it again"))]
    Gone,

    /// A file or folder cannot be written.
    #[error("{} cannot be written", path.display())]
    #[diagnostic(code(docferry::file))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
}

impl FetchError {
    /// Whether a retry may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::Foreign { .. } => true,
            // S3 refuses an expired URL, or one signed with expired credentials, with 400 or
            // 403. It responds with 416 to a range that the document no longer has.
            Self::Store { status, .. } => {
                matches!(status, 400 | 401 | 403 | 408 | 412 | 416 | 429 | 500..=599)
            }
            _ => false,
        }
    }

    /// The pause that the store asked for, if any.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Store { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        Self::Broken { source: error.without_url() }
    }
}
