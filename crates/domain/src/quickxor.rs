use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

const WIDTH_BITS: u64 = 160;
const SHIFT_BITS: u64 = 11;
/// Bytes after which the bit offset returns to where it was: lcm(160, 11) / 11.
const PERIOD: usize = 160;

/// Microsoft's QuickXorHash, with a state that fits a checkpoint.
///
/// A 160-bit register; byte *i* is XORed in at bit offset `11·i mod 160`; at the
/// end the 64-bit length is XORed into bytes 12–19, little-endian
/// (Microsoft's public description of `quickXorHash`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuickXorHash {
    /// One column a position modulo 160. Bytes of equal position are XORed
    /// together here and spread over the register only when a digest is asked
    /// for, so that the hot loop is a plain XOR of slices.
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

/// What a checkpoint keeps of a hash: the register before the length goes in,
/// base64, and the number of bytes folded in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashState {
    /// 20 bytes, base64.
    pub register: String,
    /// Bytes folded in so far.
    pub len: u64,
}

impl QuickXorHash {
    /// The hash of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Bytes folded in so far.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has been folded in.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Folds the next bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        // Cannot truncate: a remainder of 160.
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

    /// The digest of all bytes so far, base64 as Graph writes it.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut register = self.register();
        for (byte, len) in register[12..].iter_mut().zip(self.len.to_le_bytes()) {
            *byte ^= len;
        }
        STANDARD.encode(register)
    }

    /// What to keep so that hashing can go on in another process.
    #[must_use]
    pub fn state(&self) -> HashState {
        HashState { register: STANDARD.encode(self.register()), len: self.len }
    }

    /// Goes on from a kept state; `None` when the state is not one.
    #[must_use]
    pub fn resume(state: &HashState) -> Option<Self> {
        let register: [u8; 20] = STANDARD.decode(&state.register).ok()?.try_into().ok()?;
        // Positions 0, 160/gcd… repeat; the columns at bit offsets 0, 8, 16, …
        // cover the register exactly, so the register is laid back into those.
        let mut columns = [0; PERIOD];
        for (position, column) in columns.iter_mut().enumerate() {
            let bit = position as u64 * SHIFT_BITS % WIDTH_BITS;
            if bit.is_multiple_of(8) {
                *column = register[(bit / 8) as usize];
            }
        }
        Some(Self { columns: Columns(columns), len: state.len })
    }

    fn register(&self) -> [u8; 20] {
        let mut register = [0_u8; 20];
        for (position, column) in self.columns.0.iter().enumerate() {
            let bit = (position as u64 * SHIFT_BITS % WIDTH_BITS) as usize;
            let spread = u16::from(*column) << (bit % 8);
            let [low, high] = spread.to_le_bytes();
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

/// The hash of a source's first bytes, fed by position.
///
/// After a resume the server may be behind what was hashed already; those bytes
/// are read and sent again but folded in only once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceHash(QuickXorHash);

impl SourceHash {
    /// Goes on from a checkpoint; a state that cannot be read starts at 0, which
    /// costs a second read of the source and nothing else.
    #[must_use]
    pub fn resume(state: Option<&HashState>) -> Self {
        Self(state.and_then(QuickXorHash::resume).unwrap_or_default())
    }

    /// Source bytes `[0, hashed_to)` are folded in.
    #[must_use]
    pub const fn hashed_to(&self) -> u64 {
        self.0.len()
    }

    /// Folds in the part of `bytes`, which stand at `position`, that is new.
    ///
    /// Returns `false`, and folds nothing, when bytes between would be missing.
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

    /// Folds in the bytes that stand at [`SourceHash::hashed_to`].
    pub fn append(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// What to keep in a checkpoint.
    #[must_use]
    pub fn state(&self) -> HashState {
        self.0.state()
    }

    /// The digest of `[0, hashed_to)`, base64.
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
    fn the_published_vectors_hold() {
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
        fn it_agrees_with_the_oracle_however_it_is_cut_and_resumed(
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
        fn bytes_that_are_read_twice_are_folded_in_once(
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
    fn a_gap_is_never_folded_over() {
        let mut hash = SourceHash::default();
        assert!(!hash.fold(1, b"x"));
        assert_eq!(hash.hashed_to(), 0);
    }
}
