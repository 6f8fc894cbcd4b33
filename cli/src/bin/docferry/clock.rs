//! The present time.

use jiff::Timestamp;

/// Returns the present time in whole milliseconds, as the document registry stores times.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "a command runs at the present time")]
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}
