//! QuickXorHash, the hash that OneDrive reports for the content of a file.
//!
//! [`SourceHash`] hashes a document while it is read. Its state can be stored in an upload's
//! checkpoint, so that another process can continue the hash. After the upload the digest is
//! compared with the hash that OneDrive reports.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// Width of the register, in bits.
const WIDTH_BITS: u64 = 160;
/// Width of the register, in bytes.
const REGISTER_BYTES: usize = 20;
/// Offset in the register at which the length is XORed in, in bytes.
const LENGTH_OFFSET: usize = 12;
/// Distance between the bit offsets of two consecutive bytes.
const SHIFT_BITS: u64 = 11;
/// Number of bytes after which the bit offsets repeat: 160 and 11 have no common factor.
const PERIOD: usize = 160;

/// Microsoft's QuickXorHash, with a state that can be stored and resumed.
///
/// The hash has a register of 160 bits. Byte *i* is XORed into it at the bit offset `11·i mod 160`.
/// At the end, the 64-bit length is XORed into the bytes 12–19 of the register, little-endian
/// (Microsoft's public description of `quickXorHash`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuickXorHash {
    /// Column *p* is the XOR of the bytes at the positions *p*, *p* + 160, *p* + 320 and so on.
    /// These bytes have the same bit offset in the register. So hashing is a plain XOR of slices,
    /// and the columns are combined into the register only for a digest or a state.
    columns: Columns,
    len: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Columns([u8; PERIOD]);

impl Default for Columns {
    fn default() -> Self {
        Self([0; PERIOD])
    }
}

/// State of a hash in a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashState {
    /// The register without the length: 20 bytes in base64.
    pub register: String,
    /// Number of bytes hashed so far.
    pub len: u64,
}

impl QuickXorHash {
    /// Creates the hash of no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of bytes hashed so far.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether no byte has been hashed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Hashes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        // The cast cannot truncate, because the remainder is below 160.
        let start = (self.len % PERIOD as u64) as usize;
        self.len += bytes.len() as u64;
        let (first_bytes, next_bytes) = bytes.split_at(bytes.len().min(PERIOD - start));
        xor_into(&mut self.columns.0[start..], first_bytes);
        let mut blocks = next_bytes.chunks_exact(PERIOD);
        for block in &mut blocks {
            xor_into(&mut self.columns.0, block);
        }
        xor_into(&mut self.columns.0, blocks.remainder());
    }

    /// Returns the digest of all bytes so far, in base64 as Graph writes it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut register = self.register();
        for (byte, len_byte) in register[LENGTH_OFFSET..].iter_mut().zip(self.len.to_le_bytes()) {
            *byte ^= len_byte;
        }
        STANDARD.encode(register)
    }

    /// Returns the state with which hashing can continue in another process.
    #[must_use]
    pub fn state(&self) -> HashState {
        HashState { register: STANDARD.encode(self.register()), len: self.len }
    }

    /// Continues from a stored state. Returns `None` when the state is malformed.
    #[must_use]
    pub fn resume(state: &HashState) -> Option<Self> {
        let register: [u8; REGISTER_BYTES] =
            STANDARD.decode(&state.register).ok()?.try_into().ok()?;
        // The state contains the register but not the columns. Any columns that combine to this
        // register give the same digest. The columns at the bit offsets 0, 8, 16, … cover the
        // register exactly, so each of them gets one byte of the register and the others are 0.
        let mut columns = [0; PERIOD];
        for (position, column) in columns.iter_mut().enumerate() {
            let bit = position as u64 * SHIFT_BITS % WIDTH_BITS;
            if bit.is_multiple_of(8) {
                *column = register[(bit / 8) as usize];
            }
        }
        Some(Self { columns: Columns(columns), len: state.len })
    }

    /// Combines the columns into the register.
    fn register(&self) -> [u8; REGISTER_BYTES] {
        let mut register = [0_u8; REGISTER_BYTES];
        for (position, column) in self.columns.0.iter().enumerate() {
            let bit = (position as u64 * SHIFT_BITS % WIDTH_BITS) as usize;
            let shifted = u16::from(*column) << (bit % 8);
            let [low, high] = shifted.to_le_bytes();
            register[bit / 8] ^= low;
            register[(bit / 8 + 1) % REGISTER_BYTES] ^= high;
        }
        register
    }
}

/// XORs each byte of `source` into the byte of `target` at the same position.
fn xor_into(target: &mut [u8], source: &[u8]) {
    for (target_byte, source_byte) in target.iter_mut().zip(source) {
        *target_byte ^= source_byte;
    }
}

/// Hash of the first bytes of a document. In contrast to [`QuickXorHash`], it knows the position of
/// each byte, and hashes a byte only once even if it is read twice.
///
/// Bytes are read twice when an upload resumes and the server has fewer bytes than were hashed.
/// Then the missing bytes are sent again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceHash(QuickXorHash);

impl SourceHash {
    /// Continues from a stored state. If there is no state, or the state is malformed, starts at
    /// position 0, and the caller must read the source from its beginning.
    #[must_use]
    pub fn resume(state: Option<&HashState>) -> Self {
        Self(state.and_then(QuickXorHash::resume).unwrap_or_default())
    }

    /// Returns the number of bytes hashed so far. They are the first bytes of the source.
    #[must_use]
    pub const fn hashed_to(&self) -> u64 {
        self.0.len()
    }

    /// Hashes the part of `bytes` that is not hashed yet. The bytes begin at `position` in
    /// the source.
    ///
    /// Returns `false` and hashes nothing when there is a gap before `position`.
    #[must_use]
    pub fn update_at(&mut self, position: u64, bytes: &[u8]) -> bool {
        let Some(already_hashed) = self.hashed_to().checked_sub(position) else {
            return false;
        };
        if let Ok(already_hashed) = usize::try_from(already_hashed)
            && let Some(new_bytes) = bytes.get(already_hashed..)
        {
            self.0.update(new_bytes);
        }
        true
    }

    /// Hashes the bytes that begin at [`SourceHash::hashed_to`].
    pub fn append(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the state for a checkpoint.
    #[must_use]
    pub fn state(&self) -> HashState {
        self.0.state()
    }

    /// Returns the digest of the bytes hashed so far, in base64.
    #[must_use]
    pub fn digest(&self) -> String {
        self.0.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest_of(bytes: &[u8]) -> String {
        let mut hash = QuickXorHash::new();
        hash.update(bytes);
        hash.digest()
    }

    #[test]
    fn quickxor_matches_the_published_vectors() {
        for (base64_input, expected) in [
            ("", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ("Sg==", "SgAAAAAAAAAAAAAAAQAAAAAAAAA="),
            ("tbQ=", "taAFAAAAAAAAAAAAAgAAAAAAAAA="),
            ("T6LYJIfDh81JrAK309H2JMJTXis=", "zBTHrspn3mEcohlJdIUAbjGNaNg="),
        ] {
            assert_eq!(digest_of(&STANDARD.decode(base64_input).unwrap()), expected);
        }
        assert_eq!(digest_of(b"hello world"), "aCgDG9jwBhDc4Q1yawMZAAAAAAA=");
        assert_eq!(digest_of(b"1\n"), "MVAAAAAAAAAAAAAAAgAAAAAAAAA=");
    }

    proptest! {
        #[test]
        fn quickxor_agrees_with_the_reference_when_split_and_resumed(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            cut in 0_usize..2000,
        ) {
            let mut reference = quickxorhash::QuickXorHash::new();
            reference.update(&bytes);
            let cut = cut.min(bytes.len());
            let mut first = QuickXorHash::new();
            first.update(&bytes[..cut]);
            let mut second = QuickXorHash::resume(&first.state()).unwrap();
            second.update(&bytes[cut..]);
            prop_assert_eq!(second.digest(), STANDARD.encode(reference.finalize()));
            prop_assert_eq!(second.len(), bytes.len() as u64);
        }

        #[test]
        fn bytes_that_are_read_twice_are_hashed_once(
            bytes in proptest::collection::vec(any::<u8>(), 1..500),
            acknowledged in 0_usize..500,
            resume_at in 0_usize..500,
        ) {
            let acknowledged = acknowledged.min(bytes.len());
            let resume_at = resume_at.min(acknowledged);
            let mut hash = SourceHash::default();
            prop_assert!(hash.update_at(0, &bytes[..acknowledged]));
            prop_assert!(hash.update_at(resume_at as u64, &bytes[resume_at..]));
            prop_assert_eq!(hash.digest(), digest_of(&bytes));
        }
    }

    #[test]
    fn hash_refuses_bytes_after_a_gap() {
        let mut hash = SourceHash::default();
        assert!(!hash.update_at(1, b"x"));
        assert_eq!(hash.hashed_to(), 0);
    }
}
