//! Errors of calls to docferry's API. Each variant stands for one reaction of the caller, such as a
//! retry or a request for other credentials.

use std::time::Duration;

use miette::Diagnostic;

use crate::wire::Problem;

/// A call to the service that did not succeed.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ClientError {
    /// The address of the API is not usable.
    #[error("not a usable API address: {reason}")]
    #[diagnostic(
        code(docferry::api_address),
        help("use the form https://host/stage, without user name, query or fragment")
    )]
    BaseUrl {
        /// Why the address is not usable.
        reason: String,
    },

    /// The address of the token endpoint is not usable.
    #[error("not a usable address of a token endpoint: {reason}")]
    #[diagnostic(
        code(docferry::token_address),
        help("use token_endpoint from the issuer's OpenID configuration")
    )]
    TokenUrl {
        /// Why the address is not usable.
        reason: String,
    },

    /// The service refused the credentials.
    #[error("the service refused the credentials (HTTP {status}): {problem}")]
    #[diagnostic(
        code(docferry::unauthorized),
        help(
            "check DOCFERRY_USERNAME and DOCFERRY_PASSWORD, or DOCFERRY_TOKEN, or \
             DOCFERRY_CLIENT_ID and DOCFERRY_CLIENT_SECRET; a token also needs the scopes for the \
             call"
        )
    )]
    Unauthorized {
        /// HTTP status: 401 or 403.
        status: u16,
        /// Problem document of the response.
        problem: Box<Problem>,
    },

    /// The id is unknown or has expired. A response without a problem document may also mean that
    /// the address belongs to another service.
    #[error("not found (HTTP 404): {0}")]
    #[diagnostic(
        code(docferry::not_found),
        help(
            "the id is unknown, or its record has expired; check the id, and check that --api is \
             the address of docferry with its stage"
        )
    )]
    NotFound(Box<Problem>),

    /// The service refused the request. The same request would be refused again, except after a
    /// conflict (409).
    #[error("the service refused the request (HTTP {status}): {problem}")]
    #[diagnostic(code(docferry::refused))]
    Rejected {
        /// HTTP status: a 4xx that has no variant of its own.
        status: u16,
        /// Time until the same request may succeed, if the response has `Retry-After`.
        retry_after: Option<Duration>,
        /// Problem document of the response.
        problem: Box<Problem>,
    },

    /// The service is overloaded, throttles the caller, or has a fault. Retry later.
    #[error("the service is unavailable (HTTP {status}): {problem}")]
    #[diagnostic(code(docferry::unavailable), help("try again later"))]
    Unavailable {
        /// HTTP status: 408, 429 or 5xx.
        status: u16,
        /// Pause that the service asks for in `Retry-After`, if any.
        retry_after: Option<Duration>,
        /// Problem document of the response.
        problem: Box<Problem>,
    },

    /// No complete response was received. Retry, or check the network.
    #[error("the service could not be reached")]
    #[diagnostic(
        code(docferry::unreachable),
        help("check the network and --api: the host name, the port and the stage")
    )]
    Unreachable {
        /// Error of the HTTP client, without the address.
        #[source]
        source: reqwest::Error,
    },

    /// The response does not come from docferry, but from another host or from a proxy.
    #[error("not a response of docferry (HTTP {status}): {reason}")]
    #[diagnostic(
        code(docferry::invalid_answer),
        help(
            "check that --api is the address of docferry with its stage; the response may also \
             come from a proxy"
        )
    )]
    InvalidResponse {
        /// HTTP status of the response.
        status: u16,
        /// Why the response is not docferry's.
        reason: String,
    },
}

impl ClientError {
    /// Returns whether a retry of the same call may succeed. A call that is not idempotent must
    /// also check [`Self::had_no_effect`].
    ///
    /// A response that does not come from docferry is transient, too: a proxy or a maintenance page
    /// may replace the service for a short time.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Unreachable { .. } | Self::InvalidResponse { .. }
        )
    }

    /// Returns whether the failure is transient and the request certainly had no effect. Then even
    /// a call that is not idempotent can be repeated.
    #[must_use]
    pub fn had_no_effect(&self) -> bool {
        match self {
            Self::Unavailable { status, .. } => *status == 429 || self.is_draining(),
            Self::Unreachable { source } => source.is_connect(),
            _ => false,
        }
    }

    /// Returns whether the request may have had an effect although no success was reported. In this
    /// case the response was lost or came from a proxy.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Unreachable { .. } => !self.had_no_effect(),
            Self::InvalidResponse { status, .. } => (200..300).contains(status),
            // The first request under the same Idempotency-Key is still being recorded.
            Self::Rejected { status, .. } => *status == 409,
            _ => false,
        }
    }

    /// Returns whether the service accepts no new work at present.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.has_code("DRAINING")
    }

    /// Returns whether a retry of a job was refused only because the job's last run is still being
    /// cleaned up.
    #[must_use]
    pub fn is_not_cleaned_up(&self) -> bool {
        self.has_code("NOT_SETTLED")
    }

    /// Returns whether this is a 404 without a problem document. The contract allows such a
    /// response, but another server than docferry may also have sent it.
    #[must_use]
    pub fn is_empty_not_found(&self) -> bool {
        matches!(self, Self::NotFound(problem) if **problem == Problem::default())
    }

    fn has_code(&self, code: &str) -> bool {
        self.problem().is_some_and(|problem| problem.code.as_deref() == Some(code))
    }

    /// The pause that the service asked for in `Retry-After`, if any.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } | Self::Rejected { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// The problem document of the response, or `None` if docferry sent no response.
    #[must_use]
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Unauthorized { problem, .. }
            | Self::NotFound(problem)
            | Self::Rejected { problem, .. }
            | Self::Unavailable { problem, .. } => Some(problem),
            _ => None,
        }
    }

    /// Converts the error to a problem document. If the service sent no problem document, the
    /// result contains the text of this error.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        match self.problem() {
            Some(problem) if *problem != Problem::default() => problem.clone(),
            _ => Problem { detail: Some(self.to_string()), ..Problem::default() },
        }
    }
}

impl From<reqwest::Error> for ClientError {
    fn from(error: reqwest::Error) -> Self {
        Self::Unreachable { source: error.without_url() }
    }
}
