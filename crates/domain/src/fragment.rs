/// Every fragment but the last is a multiple of this (Graph, "upload large files").
pub const GRANULE_BYTES: u64 = 320 * 1024;

/// The largest safe fragment: 191 granules, below Graph's limit of 60 MiB.
pub const LARGEST_FRAGMENT_BYTES: u64 = 191 * GRANULE_BYTES;

/// The bytes `[start, end)` of a document of `total` bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FragmentRange {
    /// First byte.
    pub start: u64,
    /// One past the last byte; more than `start`.
    pub end: u64,
    /// Size of the whole document.
    pub total: u64,
}

impl FragmentRange {
    /// Number of bytes, at least 1.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Never true: a plan yields no empty fragment.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// Whether this fragment completes the document.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.end == self.total
    }
}

/// How large the next fragment is: it grows while all goes well and halves on a
/// time-out, always a multiple of [`GRANULE_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FragmentPlan {
    bytes: u64,
}

impl FragmentPlan {
    /// A plan that starts at about `bytes`, brought into the allowed range.
    #[must_use]
    pub const fn starting_at(bytes: u64) -> Self {
        Self { bytes: aligned(bytes) }
    }

    /// The size in force.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// The next fragment at `offset`, or `None` at the end.
    ///
    /// A server may stop at an unaligned offset; the fragment that starts there
    /// is still a multiple of the granule, as the rule is about lengths.
    #[must_use]
    pub const fn next(self, offset: u64, total: u64) -> Option<FragmentRange> {
        if offset >= total {
            return None;
        }
        let left = total - offset;
        let len = if left < self.bytes { left } else { self.bytes };
        Some(FragmentRange { start: offset, end: offset + len, total })
    }

    /// After a fragment went through cleanly.
    #[must_use]
    pub const fn grown(self) -> Self {
        Self::starting_at(self.bytes.saturating_mul(2))
    }

    /// After a time-out.
    #[must_use]
    pub const fn halved(self) -> Self {
        Self::starting_at(self.bytes / 2)
    }

    /// No larger than `bytes`, for the time that is left.
    #[must_use]
    pub const fn at_most(self, bytes: u64) -> Self {
        if self.bytes <= bytes { self } else { Self::starting_at(bytes) }
    }
}

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

    /// Regression: the old service sent an empty extra fragment here.
    #[test]
    fn an_exact_multiple_of_the_fragment_has_no_empty_last_fragment() {
        let plan = FragmentPlan::starting_at(GRANULE_BYTES);
        let total = 2 * GRANULE_BYTES;
        let last = plan.next(GRANULE_BYTES, total).unwrap();
        assert!(last.is_last() && !last.is_empty());
        assert_eq!(plan.next(total, total), None);
    }

    proptest! {
        /// Regression: short reads of the old service made unaligned fragments.
        #[test]
        fn fragments_cover_the_document_in_order_and_all_but_the_last_are_aligned(
            size in 1_u64..200_000_000,
            start in 0_u64..100_000_000,
        ) {
            let mut plan = FragmentPlan::starting_at(start);
            let mut offset = 0;
            let mut count = 0_u32;
            while let Some(range) = plan.next(offset, size) {
                prop_assert_eq!(range.start, offset);
                prop_assert!(range.len() <= LARGEST_FRAGMENT_BYTES && !range.is_empty());
                prop_assert!(range.is_last() || range.len().is_multiple_of(GRANULE_BYTES));
                offset = range.end;
                count += 1;
                plan = if count.is_multiple_of(3) { plan.halved() } else { plan.grown() };
            }
            prop_assert_eq!(offset, size);
        }
    }
}
