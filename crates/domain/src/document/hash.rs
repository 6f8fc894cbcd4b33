//! QuickXorHash, the hash by which OneDrive identifies content.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

const WIDTH_BITS: u64 = 160;
const SHIFT_BITS: u64 = 11;
/// Period of the bit offset, in bytes: lcm(160, 11) / 11.
const PERIOD: usize = 160;

/// QuickXorHash by Microsoft, with a state that fits into a checkpoint.
///
/// It has a 160-bit register. Byte *i* is XORed in at bit offset `11·i mod 160`. At the end
/// the 64-bit length is XORed into bytes 12–19, little-endian (Microsoft's public
/// description of `quickXorHash`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuickXorHash {
    /// One column for each position modulo 160. Bytes of the same position are XORed
    /// together here and distributed over the register only for a digest, so the hot loop
    /// is a plain XOR of slices.
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
    /// The register before the length is added: 20 bytes in base64.
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
        let (head, rest) = bytes.split_at(bytes.len().min(PERIOD - start));
        xor_into(&mut self.columns.0[start..], head);
        let mut blocks = rest.chunks_exact(PERIOD);
        for block in &mut blocks {
            xor_into(&mut self.columns.0, block);
        }
        xor_into(&mut self.columns.0, blocks.remainder());
    }

    /// Returns the digest of all bytes so far, in base64 as Graph writes it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut register = self.register();
        for (byte, len) in register[12..].iter_mut().zip(self.len.to_le_bytes()) {
            *byte ^= len;
        }
        STANDARD.encode(register)
    }

    /// Returns the state with which hashing can continue in another process.
    #[must_use]
    pub fn state(&self) -> HashState {
        HashState { register: STANDARD.encode(self.register()), len: self.len }
    }

    /// Continues from a stored state; `None` when the state is malformed.
    #[must_use]
    pub fn resume(state: &HashState) -> Option<Self> {
        let register: [u8; 20] = STANDARD.decode(&state.register).ok()?.try_into().ok()?;
        // The columns at bit offsets 0, 8, 16, … cover the register exactly, so the bytes of
        // the register are put back into those columns.
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
    fn register(&self) -> [u8; 20] {
        let mut register = [0_u8; 20];
        for (position, column) in self.columns.0.iter().enumerate() {
            let bit = (position as u64 * SHIFT_BITS % WIDTH_BITS) as usize;
            let shifted = u16::from(*column) << (bit % 8);
            let [low, high] = shifted.to_le_bytes();
            register[bit / 8] ^= low;
            register[(bit / 8 + 1) % 20] ^= high;
        }
        register
    }
}

fn xor_into(target: &mut [u8], source: &[u8]) {
    for (t, s) in target.iter_mut().zip(source) {
        *t ^= s;
    }
}

/// Hash of a source's first bytes, which are passed with their position.
///
/// After a resumed upload the server may be behind the hashed bytes. Those bytes are read
/// and sent again but hashed only once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceHash(QuickXorHash);

impl SourceHash {
    /// Continues from a checkpoint. A malformed state starts at 0, which costs a second
    /// read of the source and nothing else.
    #[must_use]
    pub fn resume(state: Option<&HashState>) -> Self {
        Self(state.and_then(QuickXorHash::resume).unwrap_or_default())
    }

    /// Returns the end of the hashed source bytes, `[0, hashed_to)`.
    #[must_use]
    pub const fn hashed_to(&self) -> u64 {
        self.0.len()
    }

    /// Hashes the part of `bytes` that is not hashed yet. The bytes begin at `position` in
    /// the source.
    ///
    /// Returns `false` and hashes nothing when there is a gap before `position`.
    #[must_use]
    pub fn fold(&mut self, position: u64, bytes: &[u8]) -> bool {
        let Some(known) = self.hashed_to().checked_sub(position) else {
            return false;
        };
        if let Ok(known) = usize::try_from(known)
            && let Some(new) = bytes.get(known..)
        {
            self.0.update(new);
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

    /// Returns the digest of `[0, hashed_to)`, in base64.
    #[must_use]
    pub fn digest(&self) -> String {
        self.0.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(bytes: &[u8]) -> String {
        let mut hash = QuickXorHash::new();
        hash.update(bytes);
        hash.digest()
    }

    #[test]
    fn quickxor_matches_the_published_vectors() {
        for (input, expected) in [
            ("", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
            ("Sg==", "SgAAAAAAAAAAAAAAAQAAAAAAAAA="),
            ("tbQ=", "taAFAAAAAAAAAAAAAgAAAAAAAAA="),
            ("T6LYJIfDh81JrAK309H2JMJTXis=", "zBTHrspn3mEcohlJdIUAbjGNaNg="),
        ] {
            assert_eq!(of(&STANDARD.decode(input).unwrap()), expected);
        }
        assert_eq!(of(b"hello world"), "aCgDG9jwBhDc4Q1yawMZAAAAAAA=");
        assert_eq!(of(b"1\n"), "MVAAAAAAAAAAAAAAAgAAAAAAAAA=");
    }

    proptest! {
        #[test]
        fn quickxor_agrees_with_the_reference_when_split_and_resumed(
            bytes in proptest::collection::vec(any::<u8>(), 0..2000),
            cut in 0_usize..2000,
        ) {
            let mut oracle = quickxorhash::QuickXorHash::new();
            oracle.update(&bytes);
            let cut = cut.min(bytes.len());
            let mut first = QuickXorHash::new();
            first.update(&bytes[..cut]);
            let mut second = QuickXorHash::resume(&first.state()).unwrap();
            second.update(&bytes[cut..]);
            prop_assert_eq!(second.digest(), STANDARD.encode(oracle.finalize()));
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
            prop_assert!(hash.fold(0, &bytes[..acknowledged]));
            prop_assert!(hash.fold(resume_at as u64, &bytes[resume_at..]));
            prop_assert_eq!(hash.digest(), of(&bytes));
        }
    }

    #[test]
    fn hash_refuses_bytes_after_a_gap() {
        let mut hash = SourceHash::default();
        assert!(!hash.fold(1, b"x"));
        assert_eq!(hash.hashed_to(), 0);
    }
}
