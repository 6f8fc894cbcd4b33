use std::io;
use std::path::PathBuf;
use std::time::Duration;

use miette::Diagnostic;

use crate::error::ClientError;

/// Why a document was not fetched, by what its caller does next.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum FetchError {
    /// As with any other call.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Client(#[from] ClientError),

    /// Ask for the document again, or look at why it failed.
    #[error("there is nothing to fetch: {reason}")]
    #[diagnostic(code(docferry::nothing_to_fetch))]
    NothingThere {
        /// What became of it.
        reason: String,
    },

    /// Wait longer.
    #[error("it was not ready in time")]
    #[diagnostic(code(docferry::not_ready), help("go on later, or with a longer --timeout"))]
    NotReady,

    /// Choose another place, or allow to replace.
    #[error("{} is there already", path.display())]
    #[diagnostic(
        code(docferry::exists),
        help("--force replaces it, --skip-existing leaves it alone, --output names another place")
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },

    /// Wait for the other one.
    #[error("{} is being written by another run", path.display())]
    #[diagnostic(code(docferry::busy))]
    Busy {
        /// The file that it writes.
        path: PathBuf,
    },

    /// Ask for the document again: what lies there is not it.
    #[error("the document has {found} bytes instead of {expected}; nothing was kept")]
    #[diagnostic(code(docferry::wrong_size), help("ask for the document again"))]
    WrongSize {
        /// As the service says.
        expected: u64,
        /// As they came.
        found: u64,
    },

    /// Try again: it goes on where it stopped.
    #[error("the connection to the delivery bucket broke")]
    #[diagnostic(code(docferry::unreachable), help("the same command goes on where it stopped"))]
    Broken {
        /// What the HTTP stack said, without the address.
        #[source]
        source: reqwest::Error,
    },

    /// Try again, with a new address.
    #[error("the delivery bucket refused (HTTP {status})")]
    #[diagnostic(code(docferry::store), help("the same command goes on where it stopped"))]
    Store {
        /// What it answered.
        status: u16,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },

    /// Try again: something else than the delivery bucket answered.
    #[error("not an answer of the delivery bucket (HTTP {status})")]
    #[diagnostic(
        code(docferry::invalid_answer),
        help("a proxy on the way may have answered; the same command goes on where it stopped")
    )]
    Foreign {
        /// The status that came with it.
        status: u16,
    },

    /// Ask for the document again: it was removed.
    #[error("the document is not in the delivery bucket any more")]
    #[diagnostic(code(docferry::gone), help("docferry retry delivers it again"))]
    Gone,

    /// Mend the file system.
    #[error("{} cannot be written", path.display())]
    #[diagnostic(code(docferry::file))]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl FetchError {
    /// Whether another try may go better.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Broken { .. } | Self::Foreign { .. } => true,
            // An address that is over, or signed by what is, is refused with 400 or 403; 416
            // is answered to a range that the document does not have any more.
            Self::Store { status, .. } => {
                matches!(status, 400 | 401 | 403 | 408 | 412 | 416 | 429 | 500..=599)
            }
            _ => false,
        }
    }

    /// The pause that the store asked for.
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
