use jiff::{SignedDuration, Timestamp};

use crate::Pool;

/// How long a transfer may take once its size is known: a base, and more for what is
/// larger; never longer than what it was given when it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadlineRules {
    /// Whatever the size: waiting for the document, and for a turn.
    pub base: SignedDuration,
    /// What a delivery to OneDrive moves at least, bytes a second.
    pub onedrive_bytes_per_second: u64,
    /// What a download moves at least, bytes a second.
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
    /// When a document of `size` bytes must have arrived at its destination.
    #[must_use]
    pub fn for_size(&self, pool: Pool, size: u64, now: Timestamp) -> Timestamp {
        let rate = match pool {
            Pool::Onedrive => self.onedrive_bytes_per_second,
            Pool::Download => self.download_bytes_per_second,
        };
        let moving = i64::try_from(size.div_ceil(rate.max(1))).unwrap_or(i64::MAX);
        let time = self.base.saturating_add(SignedDuration::from_secs(moving));
        now.checked_add(time).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_larger_has_longer_and_each_destination_its_own_rate() {
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
        let none = DeadlineRules { onedrive_bytes_per_second: 0, ..rules };
        assert!(none.for_size(Pool::Onedrive, 5, Timestamp::UNIX_EPOCH) > Timestamp::UNIX_EPOCH);
    }
}
