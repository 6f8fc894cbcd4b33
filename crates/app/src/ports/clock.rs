//! Port of the clock.

use jiff::Timestamp;

/// Source of the current time. Use cases never read the system clock, so that tests can control
/// the time.
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;
}
