//! Wall clock of the simulators. No other module reads the system time.

use jiff::Timestamp;

/// Returns the wall-clock time, for dates in responses and listings.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a simulator plays another system with its own clock, so it needs no Clock port"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}
