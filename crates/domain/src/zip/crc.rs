//! CRC-32 of ranges, computed from the CRC-32 of other ranges without reading their bytes.
//!
//! All values are CRC-32 of ZIP and of S3 (polynomial 0x04C11DB7, reflected).

use crc32fast::Hasher;

/// Returns the CRC-32 of two ranges in a row, from the CRC-32 of each and the length of the second
/// in bytes.
fn combine(first: u32, second: u32, second_len: u64) -> u32 {
    let mut hasher = Hasher::new_with_initial_len(first, 0);
    hasher.combine(&Hasher::new_with_initial_len(second, second_len));
    hasher.finalize()
}

/// Returns the CRC-32 of consecutive ranges, each given by its CRC-32 and its length in bytes.
///
/// The CRC-32 of no range is 0.
pub fn combined_crc32(ranges: impl IntoIterator<Item = (u32, u64)>) -> u32 {
    ranges.into_iter().fold(0, |crc, (next, len)| combine(crc, next, len))
}

/// Returns the CRC-32 of the rest of a document, from the CRC-32 of the whole document, the CRC-32
/// of the bytes before the rest, and the length of the rest in bytes.
///
/// The result has no meaning if `whole` and `first` are not of the same document.
#[must_use]
pub fn rest_crc32(whole: u32, first: u32, rest_len: u64) -> u32 {
    // CRC-32 is linear: the value of two ranges is the shifted value of the first, XORed with the
    // value of the second. A second value of 0 leaves the shifted value.
    whole ^ combine(first, 0, rest_len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn crc_of_the_rest_follows_from_the_whole_and_the_first_bytes(
            bytes in proptest::collection::vec(any::<u8>(), 0..3000),
            cut in any::<prop::sample::Index>(),
        ) {
            let (first, rest) = bytes.split_at(cut.index(bytes.len() + 1));
            let [whole_crc, first_crc, rest_crc] = [&bytes, first, rest].map(crc32fast::hash);
            prop_assert_eq!(rest_crc32(whole_crc, first_crc, rest.len() as u64), rest_crc);
        }

        #[test]
        fn combined_crc_equals_the_crc_of_the_joined_ranges(
            ranges in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..8),
        ) {
            let known = ranges.iter().map(|range| (crc32fast::hash(range), range.len() as u64));
            prop_assert_eq!(combined_crc32(known), crc32fast::hash(&ranges.concat()));
        }

        #[test]
        fn crc_of_the_rest_is_defined_for_every_length(
            whole in any::<u32>(),
            first in any::<u32>(),
            rest_len in any::<u64>(),
        ) {
            let rest = rest_crc32(whole, first, rest_len);
            prop_assert_eq!(combined_crc32([(first, 1), (rest, rest_len)]), whole);
        }
    }

    /// Source of the value: `crc32(b"123456789")` in the catalogue of CRC algorithms (CRC-32/ISO-HDLC).
    #[test]
    fn crc_has_the_check_value_of_the_catalogue() {
        let parts = [(crc32fast::hash(b"1234"), 4), (crc32fast::hash(b"56789"), 5)];
        assert_eq!(combined_crc32(parts), 0xCBF4_3926);
    }
}
