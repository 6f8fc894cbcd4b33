//! The only place where the simulators read the wall clock.

use jiff::Timestamp;

/// The wall-clock time, for the dates that answers and listings carry.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a simulator stands outside the Clock port: it plays another system, with a clock of its own"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}
