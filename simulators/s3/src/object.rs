//! Objects of the S3 simulator. Their content is generated when it is read, so an object of any
//! size needs little memory.

use bytes::Bytes;
use jiff::Timestamp;

/// Length in bytes of the block that repeats in every object. It is a prime number, so that
/// different ranges contain different bytes even if their offsets are multiples of a common number.
const PERIOD: usize = 4_194_301;
/// Maximum number of bytes in one piece of a response.
const PIECE: usize = 256 * 1024;

/// An object: its size, and the block of bytes that repeats in it.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) size: u64,
    pub(crate) seed: u64,
    pub(crate) modified: Timestamp,
    etag: String,
    /// The repeated block.
    period: Bytes,
}

impl Object {
    pub(crate) fn new(size: u64, seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let words = std::iter::repeat_with(|| {
            // The random number generator SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (mixed ^ (mixed >> 31)).to_le_bytes()
        });
        let period = words.flatten().take(PERIOD).collect::<Vec<u8>>().into();
        // The ETag has the form that a multipart upload gets, so that no client regards it as the
        // MD5 of the bytes.
        let etag = format!("\"{seed:016x}{size:016x}-2\"");
        Self { size, seed, modified: sim_kit::now(), etag, period }
    }

    pub(crate) fn etag(&self) -> &str {
        &self.etag
    }

    /// Returns the first contiguous bytes of the range `offset..end`. Returns no bytes at the end.
    pub(crate) fn piece(&self, offset: u64, end: u64) -> Bytes {
        let start = usize::try_from(offset % PERIOD as u64).unwrap_or_default();
        let remaining = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = remaining.min(PIECE).min(PERIOD - start);
        self.period.slice(start..start + length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_bytes_depend_only_on_seed_and_position() {
        let object = Object::new(10_000_000, 3);
        let read = |mut position: u64, end: u64| {
            let mut bytes = Vec::new();
            while position < end {
                let piece = object.piece(position, end);
                position += piece.len() as u64;
                bytes.extend_from_slice(&piece);
            }
            bytes
        };
        let whole = read(0, object.size);
        assert_eq!(whole.len(), 10_000_000);
        for (start, end) in [(0, 1), (4_194_300, 4_194_302), (9_999_999, 10_000_000)] {
            let range = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
            assert_eq!(read(start, end), whole[range]);
        }
        assert_ne!(object.piece(0, 100), Object::new(10_000_000, 4).piece(0, 100));
        assert_ne!(whole[..327_680], whole[20 * 327_680..21 * 327_680]);
        assert!(object.piece(10_000_000, 10_000_000).is_empty());
    }
}
