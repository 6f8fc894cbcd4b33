use jiff::Timestamp;

/// The time of day. Use cases never ask the system, so that tests can move it.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}
