//! Progress of a transfer or job for display: bytes, throughput and remaining time.
//!
//! The watch of a transfer or job passes each status document that it polls to
//! [`Progress::observe`], and displays the result.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::percentage::PERCENT_AT_UPLOAD_START;
use crate::watched::StatusDocument;

pub use crate::percentage::bytes_at;

/// Time window over which the throughput is measured.
const RATE_WINDOW: Duration = Duration::from_secs(15);

/// Progress of one transfer or job, accumulated from its status documents.
///
/// The percentage and the bytes never decrease, even if responses arrive out of order.
#[derive(Debug, Default)]
pub struct Progress {
    percent: u8,
    size: Option<u64>,
    bytes: u64,
    name: Option<String>,
    /// Numbers of bytes at the times at which they changed, oldest first. They measure the
    /// throughput.
    samples: VecDeque<Sample>,
}

/// Number of bytes at a point in time.
#[derive(Debug, Clone, Copy)]
struct Sample {
    time: Instant,
    bytes: u64,
}

impl Progress {
    /// Adds a status document that was received at `now`. Returns whether the progress changed.
    pub fn observe(&mut self, status: &impl StatusDocument, now: Instant) -> bool {
        let previous = (self.percent, self.size, self.bytes, self.name.is_some());
        self.percent = self.percent.max(status.percent().min(100));
        self.size = self.size.max(status.size());
        let estimated_bytes = || bytes_at(self.percent, self.size.unwrap_or(0));
        let bytes = status.bytes().unwrap_or_else(estimated_bytes);
        self.bytes = self.bytes.max(bytes);
        if let Some(name) = status.name() {
            self.name.get_or_insert_with(|| name.to_owned());
        }
        if self.percent >= PERCENT_AT_UPLOAD_START {
            self.add_sample(now);
        }
        previous != (self.percent, self.size, self.bytes, self.name.is_some())
    }

    /// Records the number of bytes if it has changed, and removes old samples.
    fn add_sample(&mut self, now: Instant) {
        let bytes = self.bytes();
        if self.samples.back().is_none_or(|last| last.bytes != bytes) {
            self.samples.push_back(Sample { time: now, bytes });
        }
        // The last sample before the window is retained, because progress comes in steps: the
        // throughput of a step can be measured only from its start.
        let is_outside_window = |sample: &Sample| now.duration_since(sample.time) > RATE_WINDOW;
        while self.samples.get(1).is_some_and(is_outside_window) {
            self.samples.pop_front();
        }
    }

    /// Progress from 0 to 100.
    #[must_use]
    pub fn percent(&self) -> u8 {
        self.percent
    }

    /// Size of the document in bytes, once known.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// File name of the document, once known.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Bytes delivered. The number is an estimate if the status contains only a percentage.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Throughput in bytes per second over the last 15 seconds, or `None` before the first bytes.
    #[must_use]
    pub fn rate(&self, now: Instant) -> Option<u64> {
        let oldest = self.samples.front()?;
        let newest = self.samples.back()?;
        let seconds = now.duration_since(oldest.time).as_secs_f64();
        let bytes = newest.bytes.saturating_sub(oldest.bytes);
        (bytes > 0 && seconds > 0.0).then(|| (bytes as f64 / seconds) as u64)
    }

    /// Remaining time at the current throughput.
    #[must_use]
    pub fn time_left(&self, now: Instant) -> Option<Duration> {
        let rate = self.rate(now).filter(|rate| *rate > 0)?;
        let remaining = self.size?.saturating_sub(self.bytes());
        Some(Duration::from_secs(remaining.div_ceil(rate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::TransferStatus;

    fn status(percent: u8, size: u64) -> TransferStatus {
        serde_json::from_value(serde_json::json!({
            "transferId": "t", "percentTransfered": percent, "error": false, "fileSize": size,
        }))
        .unwrap()
    }

    #[test]
    fn observed_percent_and_bytes_never_decrease() {
        let mut progress = Progress::default();
        let start = Instant::now();
        let mut previous = (0, 0);
        for (second, percent) in [0, 10, 30, 20, 55, 10, 54, 100].into_iter().enumerate() {
            progress.observe(&status(percent, 900), start + Duration::from_secs(second as u64));
            let current = (progress.percent(), progress.bytes());
            assert!(current >= previous, "{current:?} after {previous:?}");
            previous = current;
        }
        assert_eq!(previous, (100, 900));
    }

    #[test]
    fn throughput_is_measured_within_a_time_window() {
        let mut progress = Progress::default();
        let start = Instant::now();
        let after_seconds = |seconds| start + Duration::from_secs(seconds);
        progress.observe(&status(10, 9000), after_seconds(0));
        assert_eq!(progress.time_left(after_seconds(0)), None);

        // The upload spans 10 to 100 %, so 10 % of it are 1000 of the 9000 bytes.
        progress.observe(&status(20, 9000), after_seconds(10));
        assert_eq!(progress.rate(after_seconds(10)), Some(100));
        assert_eq!(progress.time_left(after_seconds(10)), Some(Duration::from_secs(80)));

        // The throughput is now ten times as high. The slow start is outside the window.
        for step in 1..=4 {
            progress.observe(&status(20 + step * 10, 9000), after_seconds(30 + u64::from(step)));
        }
        assert!(progress.rate(after_seconds(34)) > Some(100));
    }

    #[test]
    fn empty_document_has_size_zero() {
        let mut progress = Progress::default();
        progress.observe(&status(0, 0), Instant::now());
        assert_eq!(progress.size(), None);
        progress.observe(&status(100, 0), Instant::now());
        assert_eq!(progress.size(), Some(0));
        assert_eq!(progress.bytes(), 0);
    }
}
