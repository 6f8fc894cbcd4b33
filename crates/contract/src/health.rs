//! Response body of `GET /health`, which monitoring calls.

use serde::Serialize;

/// Health of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Health {
    /// [`Status::Healthy`] when every check is [`Check::Ok`].
    pub status: Status,
    /// Results of the checks.
    pub checks: Checks,
}

/// Results of the checks of the systems that docferry needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Checks {
    /// The DynamoDB table with all records.
    pub state: Check,
    /// The delivery bucket.
    pub storage: Check,
}

/// Health of the whole service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Every check succeeded.
    Healthy,
    /// A check failed.
    Unhealthy,
}

/// Result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// The system responded as expected.
    Ok,
    /// The system did not respond, or it rejected the request.
    Error,
}

impl From<Checks> for Health {
    fn from(checks: Checks) -> Self {
        let is_healthy = checks.state == Check::Ok && checks.storage == Check::Ok;
        Self { status: if is_healthy { Status::Healthy } else { Status::Unhealthy }, checks }
    }
}
