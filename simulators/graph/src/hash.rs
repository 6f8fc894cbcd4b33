//! Hashes of file contents in the Microsoft Graph simulator: quickXorHash, which OneDrive reports
//! for each file, and SHA-256, which tests compare.
//!
//! quickXorHash is implemented from Microsoft's description of the algorithm.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

/// Size of the register of quickXorHash in bits.
const REGISTER_BITS: usize = 160;
/// Size of the register of quickXorHash in bytes.
const REGISTER_BYTES: usize = REGISTER_BITS / 8;
/// Distance in bits between the positions of two consecutive bytes in the register.
const SHIFT_BITS: usize = 11;
/// Number of bytes after which quickXorHash repeats its positions.
///
/// The hash XORs each byte into the register, 11 bits further than the previous byte. After 160
/// bytes, the position has moved by a multiple of 160 bits. So byte *i* and byte *i* + 160 have the
/// same position in the register, and belong to the same *column*.
///
/// [`QuickXorHash::update`] XORs the bytes into the 160 columns, eight bytes at a time. At the end,
/// [`QuickXorHash::base64`] XORs each column into the register at its position.
const COLUMNS: usize = 160;
/// Number of 64-bit words that contain the columns.
const WORDS: usize = COLUMNS / 8;

/// Streaming quickXorHash.
#[derive(Debug, Clone, Default)]
pub struct QuickXorHash {
    /// One byte for each column, eight in each word.
    columns: [u64; WORDS],
    /// Number of bytes added so far.
    length: u64,
}

impl QuickXorHash {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let column = self.next_column();
        let head_length = bytes.len().min((COLUMNS - column) % COLUMNS);
        // The head ends at the last column, so the blocks after it begin at the first column.
        let (head, blocks_and_tail) = bytes.split_at(head_length);
        self.add_bytes(column, head);
        let (blocks, tail) = blocks_and_tail.as_chunks::<COLUMNS>();
        for block in blocks {
            let (words, _no_remainder) = block.as_chunks::<8>();
            for (columns, word) in self.columns.iter_mut().zip(words) {
                *columns ^= u64::from_le_bytes(*word);
            }
        }
        self.add_bytes(0, tail);
        self.length += bytes.len() as u64;
    }

    /// Returns the column of the next byte.
    #[expect(clippy::cast_possible_truncation, reason = "a remainder below 160")]
    fn next_column(&self) -> usize {
        (self.length % COLUMNS as u64) as usize
    }

    /// XORs bytes one by one into the columns from `start` on.
    fn add_bytes(&mut self, start: usize, bytes: &[u8]) {
        for (column, byte) in (start..).zip(bytes) {
            self.columns[column / 8] ^= u64::from(*byte) << (8 * (column % 8));
        }
    }

    /// Returns the hash of the bytes added so far, in base64.
    #[must_use]
    pub fn base64(&self) -> String {
        let mut register = [0_u8; REGISTER_BYTES];
        let bytes = self.columns.iter().flat_map(|word| word.to_le_bytes());
        for (column, byte) in bytes.enumerate() {
            let bit = SHIFT_BITS * column % REGISTER_BITS;
            let shifted = u16::from(byte) << (bit % 8);
            let [low, high] = shifted.to_le_bytes();
            register[bit / 8] ^= low;
            register[(bit / 8 + 1) % REGISTER_BYTES] ^= high;
        }
        // The length is XORed into the last eight bytes of the register.
        for (target, byte) in
            register[REGISTER_BYTES - 8..].iter_mut().zip(self.length.to_le_bytes())
        {
            *target ^= byte;
        }
        STANDARD.encode(register)
    }
}

/// Hashes of one stream: quickXorHash, and SHA-256 unless it is disabled.
#[derive(Debug, Clone)]
pub(crate) struct Hashes {
    quick_xor: QuickXorHash,
    sha256: Option<Sha256>,
}

impl Default for Hashes {
    fn default() -> Self {
        Self { quick_xor: QuickXorHash::default(), sha256: Some(Sha256::default()) }
    }
}

impl Hashes {
    /// Disables SHA-256, which takes the most time.
    pub(crate) fn without_sha256(self) -> Self {
        Self { sha256: None, ..self }
    }

    /// Adds the next bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.quick_xor.update(bytes);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
    }

    /// Returns the quickXorHash in base64.
    pub(crate) fn quick_xor(&self) -> String {
        self.quick_xor.base64()
    }

    /// Returns the SHA-256 in hexadecimal, or `None` if it is disabled.
    pub(crate) fn sha256(&self) -> Option<String> {
        let digest = self.sha256.clone()?.finalize();
        Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
