//! Deadline of a transfer by the size of its document. docferry sets it after the *push*, when the
//! document source has announced the size.

use jiff::{SignedDuration, Timestamp};

use crate::slots::Pool;

/// Rules for the deadline of a transfer. A larger document gets more time. The transfer also has a
/// deadline from the time of the request; the earlier one applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadlineRules {
    /// Time for a document of any size. It includes the waits for the document and for a slot.
    pub base: SignedDuration,
    /// Minimum throughput of a delivery to OneDrive, in bytes per second.
    pub onedrive_bytes_per_second: u64,
    /// Minimum throughput of a download, in bytes per second.
    pub download_bytes_per_second: u64,
}

impl Default for DeadlineRules {
    fn default() -> Self {
        Self {
            base: SignedDuration::from_hours(1),
            onedrive_bytes_per_second: 1_000_000,
            download_bytes_per_second: 5_000_000,
        }
    }
}

impl DeadlineRules {
    /// Returns the time by which a document of `size` bytes must have been delivered.
    #[must_use]
    pub fn for_size(&self, pool: Pool, size: u64, now: Timestamp) -> Timestamp {
        let bytes_per_second = match pool {
            Pool::Onedrive => self.onedrive_bytes_per_second,
            Pool::Download => self.download_bytes_per_second,
        };
        let transfer_seconds =
            i64::try_from(size.div_ceil(bytes_per_second.max(1))).unwrap_or(i64::MAX);
        let time_limit = self.base.saturating_add(SignedDuration::from_secs(transfer_seconds));
        now.checked_add(time_limit).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadline_grows_with_size_by_the_rate_of_the_destination() {
        let rules = DeadlineRules {
            base: SignedDuration::from_secs(100),
            onedrive_bytes_per_second: 10,
            download_bytes_per_second: 100,
        };
        let seconds = |pool, size| rules.for_size(pool, size, Timestamp::UNIX_EPOCH).as_second();
        assert_eq!(seconds(Pool::Onedrive, 0), 100);
        assert_eq!(seconds(Pool::Onedrive, 1_001), 201);
        assert_eq!(seconds(Pool::Download, 1_001), 111);
        assert_eq!(rules.for_size(Pool::Onedrive, u64::MAX, Timestamp::MAX), Timestamp::MAX);
        let without_rate = DeadlineRules { onedrive_bytes_per_second: 0, ..rules };
        assert!(
            without_rate.for_size(Pool::Onedrive, 5, Timestamp::UNIX_EPOCH) > Timestamp::UNIX_EPOCH
        );
    }
}
