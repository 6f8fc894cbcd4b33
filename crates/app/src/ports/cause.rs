//! Type of the cause that the errors of all ports carry.

/// Cause of an error, for the log.
///
/// Its text must hold no secret and no personal data.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;
