//! Fragments: ranges of a document's bytes, each sent in one request to an upload session.
//!
//! [`FragmentPlan`] chooses the length of the next fragment from the measured throughput. The state
//! machine of an upload asks the plan for each fragment.

use std::time::Duration;

/// Unit of fragment lengths. Every fragment except the last must be a multiple of it (Microsoft
/// Graph, "upload large files").
pub const GRANULE_BYTES: u64 = 320 * 1024;

/// Maximum fragment length: 191 granules, below Graph's limit of 60 MiB.
pub const LARGEST_FRAGMENT_BYTES: u64 = 191 * GRANULE_BYTES;

/// Maximum size of a document that is sent in one PUT without an upload session (Graph's
/// contract: "fine up to 4,000,000 bytes").
pub const SMALL_FILE_BYTES: u64 = 4_000_000;

/// Length of the first fragment, while the throughput is unknown: 10 MiB. Graph recommends 5 to
/// 10 MiB for ordinary links.
const FIRST_FRAGMENT_BYTES: u64 = 32 * GRANULE_BYTES;

/// Maximum size of a document that is sent as one fragment: about 16 MiB. A second fragment would
/// need another request, which takes 0.1 to 0.3 s. Its only benefit is that an interruption costs
/// fewer bytes.
const MAX_SINGLE_FRAGMENT_BYTES: u64 = 51 * GRANULE_BYTES;

/// Target duration of a fragment at the measured throughput. Each request has an overhead of 0.1 to
/// 0.3 s, which is then 1 to 3 % of the time. The upload reports progress and checks for a cancel
/// request after each fragment, that is, about every ten seconds.
const TARGET_DURATION: Duration = Duration::from_secs(10);

/// Maximum growth factor from one fragment to the next. The largest fragment is only about six
/// times as long as the first, so on a fast link the second fragment already has the largest
/// length.
const MAX_GROWTH_FACTOR: u64 = 8;

/// Range of bytes `[start, end)` of a document of `total` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FragmentRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte; greater than `start`.
    pub end: u64,
    /// Size of the whole document.
    pub total: u64,
}

impl FragmentRange {
    /// Returns the number of bytes, at least 1.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Returns whether the fragment is empty. A planned fragment never is.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// Returns whether this fragment completes the document.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.end == self.total
    }
}

/// Plan of an upload's fragments: the length of the next one, always a multiple of
/// [`GRANULE_BYTES`].
///
/// The length grows up to the number of bytes that the connection transfers in ten seconds.
/// It is halved after a time-out. Request bodies are streamed, so a large fragment does not
/// need more memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FragmentPlan {
    bytes: u64,
}

impl FragmentPlan {
    /// Creates a plan with the length `bytes`, rounded down to a multiple of the granule and
    /// limited to the allowed lengths.
    #[must_use]
    pub const fn starting_at(bytes: u64) -> Self {
        Self { bytes: aligned(bytes) }
    }

    /// Creates the plan for a document of `total` bytes, with fragments of at most
    /// `largest` bytes.
    #[must_use]
    pub const fn first(total: u64, largest: u64) -> Self {
        let bytes = if total <= MAX_SINGLE_FRAGMENT_BYTES {
            MAX_SINGLE_FRAGMENT_BYTES
        } else {
            FIRST_FRAGMENT_BYTES
        };
        Self::starting_at(bytes).at_most(largest)
    }

    /// Returns the present fragment length, in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// Returns the next fragment at `offset`, or `None` at the end.
    ///
    /// `offset` need not be a multiple of the granule: a server may acknowledge any number of
    /// bytes. Only the length of the fragment is aligned.
    #[must_use]
    pub const fn next(self, offset: u64, total: u64) -> Option<FragmentRange> {
        if offset >= total {
            return None;
        }
        let remaining = total - offset;
        let len = if remaining < self.bytes { remaining } else { self.bytes };
        Some(FragmentRange { start: offset, end: offset + len, total })
    }

    /// Returns the plan after a fragment of `sent` bytes that took the time `took`. The new length
    /// is at most `largest`.
    #[must_use]
    pub fn grown(self, sent: u64, took: Duration, largest: u64) -> Self {
        let took_millis = took.as_millis().max(1);
        let sendable = u128::from(sent) * TARGET_DURATION.as_millis() / took_millis;
        let sendable = u64::try_from(sendable).unwrap_or(u64::MAX);
        let max_growth = self.bytes.saturating_mul(MAX_GROWTH_FACTOR);
        Self::starting_at(sendable.clamp(self.bytes, max_growth)).at_most(largest)
    }

    /// Returns the plan after a time-out, with half the length.
    #[must_use]
    pub const fn halved(self) -> Self {
        Self::starting_at(self.bytes / 2)
    }

    /// Returns the plan with its length limited to `bytes`.
    #[must_use]
    pub const fn at_most(self, bytes: u64) -> Self {
        if self.bytes <= bytes { self } else { Self::starting_at(bytes) }
    }
}

/// Rounds down to a multiple of the granule, within the allowed lengths.
const fn aligned(bytes: u64) -> u64 {
    let bytes = bytes - bytes % GRANULE_BYTES;
    if bytes < GRANULE_BYTES {
        GRANULE_BYTES
    } else if bytes > LARGEST_FRAGMENT_BYTES {
        LARGEST_FRAGMENT_BYTES
    } else {
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Regression: the service before docferry sent an empty extra fragment here.
    #[test]
    fn document_of_whole_fragments_has_no_empty_last_fragment() {
        let plan = FragmentPlan::starting_at(GRANULE_BYTES);
        let total = 2 * GRANULE_BYTES;
        let last = plan.next(GRANULE_BYTES, total).unwrap();
        assert!(last.is_last() && !last.is_empty());
        assert_eq!(plan.next(total, total), None);
    }

    /// Returns the lengths of the fragments of a document, in granules, at a constant
    /// throughput.
    fn granules(total: u64, bytes_per_second: u64) -> Vec<u64> {
        let mut plan = FragmentPlan::first(total, LARGEST_FRAGMENT_BYTES);
        let (mut offset, mut lengths) = (0, Vec::new());
        while let Some(range) = plan.next(offset, total) {
            lengths.push(range.len() / GRANULE_BYTES);
            let took = Duration::from_millis(range.len() * 1000 / bytes_per_second);
            plan = plan.grown(range.len(), took, LARGEST_FRAGMENT_BYTES);
            offset = range.end;
        }
        lengths
    }

    #[test]
    fn fragment_length_follows_the_throughput() {
        assert_eq!(granules(16_000_000, 85_000_000), [48]);
        assert_eq!(granules(256_000_000, 85_000_000), [32, 191, 191, 191, 176]);
        assert_eq!(granules(50_000_000, 500_000), [32, 32, 32, 32, 24]);
        assert_eq!(granules(60_000_000, 2_000_000), [32, 61, 61, 29]);
    }

    #[test]
    fn no_fragment_is_larger_than_the_setting() {
        let first = FragmentPlan::first(GRANULE_BYTES * 40, GRANULE_BYTES * 3);
        assert_eq!(first.bytes(), GRANULE_BYTES * 3);
        let plan = FragmentPlan::starting_at(GRANULE_BYTES);
        let grown = plan.grown(GRANULE_BYTES, Duration::ZERO, GRANULE_BYTES * 3);
        assert_eq!(grown.bytes(), GRANULE_BYTES * 3);
    }

    proptest! {
        /// Regression: short reads of the service before docferry made unaligned fragments.
        #[test]
        fn fragments_cover_the_document_in_order_and_are_aligned(
            size in 1_u64..200_000_000,
            first_length in 0_u64..100_000_000,
        ) {
            let mut plan = FragmentPlan::starting_at(first_length);
            let mut offset = 0;
            let mut count = 0_u32;
            while let Some(range) = plan.next(offset, size) {
                prop_assert_eq!(range.start, offset);
                prop_assert!(range.len() <= LARGEST_FRAGMENT_BYTES && !range.is_empty());
                prop_assert!(range.is_last() || range.len().is_multiple_of(GRANULE_BYTES));
                offset = range.end;
                count += 1;
                plan = if count.is_multiple_of(3) {
                    plan.halved()
                } else {
                    plan.grown(range.len(), Duration::from_millis(u64::from(count)), u64::MAX)
                };
            }
            prop_assert_eq!(offset, size);
        }
    }
}
