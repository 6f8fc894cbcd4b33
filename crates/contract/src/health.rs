//! The answer of `GET /health`.

use serde::Serialize;

/// Whether the service can do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Health {
    /// [`Status::Healthy`] when every check is [`Check::Ok`].
    pub status: Status,
    /// What was looked at.
    pub checks: Checks,
}

/// What a health check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Checks {
    /// The table that holds all records.
    pub state: Check,
    /// The bucket that downloads are fetched from.
    pub storage: Check,
}

/// The whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Every check succeeded.
    Healthy,
    /// A check failed.
    Unhealthy,
}

/// One of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// It answered.
    Ok,
    /// It did not answer, or refused us.
    Error,
}

impl From<Checks> for Health {
    fn from(checks: Checks) -> Self {
        let is_healthy = checks.state == Check::Ok && checks.storage == Check::Ok;
        Self { status: if is_healthy { Status::Healthy } else { Status::Unhealthy }, checks }
    }
}
