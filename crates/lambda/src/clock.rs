//! The system clock.

use docferry_app::ports::Clock;
use jiff::Timestamp;

/// [`Clock`] that returns the system time.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the system time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
