//! Cause of an error of a port.

/// Cause of an error, for the log.
///
/// Its text must hold no secret and no personal data.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;
