//! What can go wrong with a call, by what the caller does next.

use std::time::Duration;

use miette::Diagnostic;

use crate::wire::Problem;

/// A call to the service that did not succeed.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ClientError {
    /// Correct the address of the API.
    #[error("not a usable API address: {reason}")]
    #[diagnostic(
        code(docferry::api_address),
        help("it looks like https://host/stage, without user name, query or fragment")
    )]
    BaseUrl {
        /// What is wrong with it.
        reason: String,
    },

    /// Correct the address of the token endpoint.
    #[error("not a usable address of a token endpoint: {reason}")]
    #[diagnostic(code(docferry::token_address), help("the issuer names it: token_endpoint"))]
    TokenUrl {
        /// What is wrong with it.
        reason: String,
    },

    /// Correct the credentials.
    #[error("the service refused the credentials (HTTP {status}): {problem}")]
    #[diagnostic(
        code(docferry::unauthorized),
        help(
            "check DOCFERRY_USERNAME and DOCFERRY_PASSWORD, or DOCFERRY_TOKEN, or \
             DOCFERRY_CLIENT_ID and DOCFERRY_CLIENT_SECRET; a token needs the scopes of the call"
        )
    )]
    Unauthorized {
        /// 401 or 403.
        status: u16,
        /// What the service said.
        problem: Box<Problem>,
    },

    /// The id is unknown or has expired. Without a problem document, the address may also
    /// be another service's.
    #[error("not found (HTTP 404): {0}")]
    #[diagnostic(
        code(docferry::not_found),
        help(
            "the id is unknown, or its record has expired; check the id, and that --api is the \
             address of docferry with its stage"
        )
    )]
    NotFound(Box<Problem>),

    /// Correct the request; sending it again unchanged is useless.
    #[error("the service refused the request (HTTP {status}): {problem}")]
    #[diagnostic(code(docferry::refused))]
    Rejected {
        /// Any other 4xx.
        status: u16,
        /// When the same request may do, where the service tells.
        retry_after: Option<Duration>,
        /// What the service said.
        problem: Box<Problem>,
    },

    /// Try again later: overload, throttling or a fault of the service.
    #[error("the service is unavailable (HTTP {status}): {problem}")]
    #[diagnostic(code(docferry::unavailable), help("try again later"))]
    Unavailable {
        /// 408, 429 or 5xx.
        status: u16,
        /// How long the service asks to be left alone.
        retry_after: Option<Duration>,
        /// What the service said.
        problem: Box<Problem>,
    },

    /// Try again, or check the network: no whole answer came.
    #[error("the service could not be reached")]
    #[diagnostic(
        code(docferry::unreachable),
        help("check the network and --api: the host name, the port and the stage")
    )]
    Unreachable {
        /// What the HTTP stack said, without the address.
        #[source]
        source: reqwest::Error,
    },

    /// Something else than docferry answered: another host, or a proxy on the way.
    #[error("not an answer of docferry (HTTP {status}): {reason}")]
    #[diagnostic(
        code(docferry::invalid_answer),
        help(
            "check --api: is it the address of docferry, with its stage? A proxy on the way may \
             also have answered"
        )
    )]
    InvalidAnswer {
        /// The status that came with it.
        status: u16,
        /// What did not fit.
        reason: String,
    },
}

impl ClientError {
    /// Whether the same call may succeed when it is simply made again. A foreign answer
    /// may: a proxy or a page of maintenance can stand in for the service for a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Unreachable { .. } | Self::InvalidAnswer { .. }
        )
    }

    /// Whether the service certainly did not act on the request, so that even a
    /// call that creates something can be made again.
    #[must_use]
    pub fn is_surely_not_done(&self) -> bool {
        match self {
            Self::Unavailable { status, .. } => *status == 429 || self.is_draining(),
            Self::Unreachable { source } => source.is_connect(),
            _ => false,
        }
    }

    /// Whether the service may have acted on the request although it was not answered as
    /// done: the answer was lost or came from something on the way.
    #[must_use]
    pub fn may_have_been_done(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Unreachable { .. } => !self.is_surely_not_done(),
            Self::InvalidAnswer { status, .. } => (200..300).contains(status),
            // The first request under the same Idempotency-Key is still being recorded.
            Self::Rejected { status, .. } => *status == 409,
            _ => false,
        }
    }

    /// Whether the service takes no new work at present.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.has_code("DRAINING")
    }

    /// Whether a job may run again, but what its last run left is still being removed.
    #[must_use]
    pub fn is_not_settled(&self) -> bool {
        self.has_code("NOT_SETTLED")
    }

    /// A 404 without a word, which the contract allows and any other server may send.
    #[must_use]
    pub fn is_bare_not_found(&self) -> bool {
        matches!(self, Self::NotFound(problem) if **problem == Problem::default())
    }

    fn has_code(&self, code: &str) -> bool {
        self.problem().is_some_and(|problem| problem.code.as_deref() == Some(code))
    }

    /// The pause that the service asked for.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } | Self::Rejected { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    /// What the service said, where it said something.
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

    /// What went wrong as a problem document: the service's own, or one made from
    /// our words.
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
