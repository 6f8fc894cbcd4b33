//! CRC-32 of byte sequences that are too long to be read.

/// CRC-32 of a sequence of bytes, with the length that is needed to append another sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crc32 {
    pub(crate) value: u32,
    length: u64,
}

impl Crc32 {
    /// CRC-32 of no bytes.
    pub(crate) const EMPTY: Self = Self { value: 0, length: 0 };

    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { value: crc32fast::hash(bytes), length: bytes.len() as u64 }
    }

    /// Returns the CRC-32 of both sequences together.
    pub(crate) fn followed_by(self, next: Self) -> Self {
        let hasher = |crc: Self| crc32fast::Hasher::new_with_initial_len(crc.value, crc.length);
        let mut joined = hasher(self);
        joined.combine(&hasher(next));
        Self { value: joined.finalize(), length: self.length + next.length }
    }

    /// Returns the CRC-32 of the sequence repeated `times` times, by repeated squaring.
    pub(crate) fn repeated(self, times: u64) -> Self {
        let (mut result, mut power, mut remaining) = (Self::EMPTY, self, times);
        while remaining > 0 {
            if remaining % 2 == 1 {
                result = result.followed_by(power);
            }
            remaining /= 2;
            if remaining > 0 {
                power = power.followed_by(power);
            }
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn combined_and_repeated_checksums_equal_those_of_the_bytes() {
        let (left, right) = (b"local header".as_slice(), b"stored bytes".as_slice());
        assert_eq!(
            Crc32::of(left).followed_by(Crc32::of(right)),
            Crc32::of(&[left, right].concat())
        );
        for times in [0, 1, 2, 3, 7, 100] {
            let expected = Crc32::of(&left.repeat(times));
            assert_eq!(Crc32::of(left).repeated(times as u64), expected, "{times}");
        }
        assert_eq!(Crc32::of(b"123456789").value, 0xcbf4_3926);
    }
}
