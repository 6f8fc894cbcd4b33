//! CRC-32 checksum of a document or of a part of it. S3 compares the checksum with the bytes that
//! S3 stores.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc32fast::Hasher;
use serde::{Deserialize, Serialize};

/// CRC-32 (ISO-HDLC) of some bytes. ZIP files and S3 use this checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Crc32(u32);

impl Crc32 {
    /// Creates a checksum from its value.
    #[must_use]
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// Returns the checksum of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(crc32fast::hash(bytes))
    }

    /// Returns the checksum of consecutive parts together. `parts` contains the checksum and the
    /// size in bytes of each part, in order. The bytes themselves are not needed.
    #[must_use]
    pub fn of_parts(parts: impl IntoIterator<Item = (Self, u64)>) -> Self {
        let mut whole = Hasher::new();
        for (part, size) in parts {
            whole.combine(&Hasher::new_with_initial_len(part.0, size));
        }
        Self(whole.finalize())
    }

    /// Returns the checksum of the rest of a content. `whole` is the checksum of the content,
    /// `beginning` is the checksum of its first bytes, and `rest_size` is the number of the bytes
    /// after them. The bytes themselves are not needed.
    ///
    /// The result is meaningless if the two checksums belong to different contents.
    #[must_use]
    pub fn of_rest(whole: Self, beginning: Self, rest_size: u64) -> Self {
        // CRC-32 is linear. The checksum of two consecutive ranges is `shift(first) XOR second`.
        // With 0 as the second checksum, `combine` returns `shift(first)`.
        let mut shifted = Hasher::new_with_initial_len(beginning.0, 0);
        shifted.combine(&Hasher::new_with_initial_len(0, rest_size));
        Self(whole.0 ^ shifted.finalize())
    }

    /// Returns the value of the checksum.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Returns the checksum as S3 writes it: four bytes, the highest first, in base64.
    #[must_use]
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0.to_be_bytes())
    }

    /// Reads a checksum as S3 writes it. Returns `None` for any other text. For example, S3 gives
    /// some multipart uploads a checksum of checksums, which is no CRC-32 of the content.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?.try_into().ok()?;
        Some(Self(u32::from_be_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn checksum_has_the_known_value_and_form() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(Crc32::of(b"123456789").get(), 0xcbf4_3926);
        assert_eq!(Crc32::of(b"part one").to_base64(), "ixQTsA==");
        assert_eq!(Crc32::of(b""), Crc32::of_parts([]));
    }

    #[test]
    fn only_the_text_of_a_checksum_is_read() {
        assert_eq!(Crc32::from_base64("ixQTsA=="), Some(Crc32::of(b"part one")));
        for text in ["", "ixQTsA", "ixQTsA==-2", "ixQTsAA=", "not base64"] {
            assert_eq!(Crc32::from_base64(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn checksum_of_parts_is_that_of_the_whole(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..6),
        ) {
            let described = parts.iter().map(|part| (Crc32::of(part), part.len() as u64));
            prop_assert_eq!(Crc32::of_parts(described), Crc32::of(&parts.concat()));
        }

        #[test]
        fn checksum_of_the_rest_follows_from_whole_and_beginning(
            bytes in prop::collection::vec(any::<u8>(), 0..3000),
            cut in any::<prop::sample::Index>(),
        ) {
            let (beginning, rest) = bytes.split_at(cut.index(bytes.len() + 1));
            let [whole, beginning, expected] = [&bytes, beginning, rest].map(Crc32::of);
            prop_assert_eq!(Crc32::of_rest(whole, beginning, rest.len() as u64), expected);
        }

        #[test]
        fn checksum_of_the_rest_is_defined_for_every_size(
            whole in any::<u32>().prop_map(Crc32::new),
            beginning in any::<u32>().prop_map(Crc32::new),
            rest_size in any::<u64>(),
        ) {
            let rest = Crc32::of_rest(whole, beginning, rest_size);
            prop_assert_eq!(Crc32::of_parts([(beginning, 1), (rest, rest_size)]), whole);
        }
    }
}
