//! The bytes of documents: kept in a file, or made up as they are read.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// Large enough for few calls, small enough to hold.
const PIECE: u64 = 1 << 20;

/// The bytes of one document.
#[derive(Debug)]
pub(crate) enum Source {
    /// A file, removed with the last user.
    Stored { path: PathBuf, size: u64 },
    /// Pseudo-random bytes that depend on the seed and the position only.
    Generated { seed: u64, size: u64 },
}

impl Source {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Stored { size, .. } | Self::Generated { size, .. } => *size,
        }
    }

    /// Bytes `offset..offset + length`; the caller keeps within the size.
    pub(crate) fn read(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let mut buffer = vec![0; length];
        match self {
            Self::Stored { path, .. } => File::open(path)?.read_exact_at(&mut buffer, offset)?,
            Self::Generated { seed, .. } => generate(*seed, offset, &mut buffer),
        }
        Ok(buffer.into())
    }

    /// Reads the whole source once; for a large one that takes a while.
    pub(crate) fn sha256(&self) -> io::Result<String> {
        let mut hash = Sha256::new();
        let mut offset = 0;
        while offset < self.size() {
            let length = (self.size() - offset).min(PIECE);
            hash.update(self.read(offset, usize::try_from(length).unwrap_or(usize::MAX))?);
            offset += length;
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    pub(crate) fn stored(path: &Path, size: u64) -> Self {
        Self::Stored { path: path.to_owned(), size }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Stored { path, .. } = self {
            // Already gone is as good; nobody is left to tell otherwise.
            let _removed = std::fs::remove_file(path);
        }
    }
}

fn generate(seed: u64, offset: u64, buffer: &mut [u8]) {
    let skip = usize::try_from(offset % 8).unwrap_or(0);
    let (head, rest) = buffer.split_at_mut(buffer.len().min((8 - skip) % 8));
    let mut index = offset / 8;
    if !head.is_empty() {
        head.copy_from_slice(&word(seed, index)[skip..skip + head.len()]);
        index += 1;
    }
    for (chunk, index) in rest.chunks_mut(8).zip(index..) {
        chunk.copy_from_slice(&word(seed, index)[..chunk.len()]);
    }
}

/// SplitMix64: any position without those before it.
fn word(seed: u64, index: u64) -> [u8; 8] {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_bytes_are_the_same_however_they_are_read() {
        let source = Source::Generated { seed: 7, size: 1000 };
        let whole = source.read(0, 1000).unwrap();
        for (offset, length) in [(0, 3), (3, 20), (5, 1), (8, 992), (13, 900), (999, 1), (1000, 0)]
        {
            let part = source.read(offset, length).unwrap();
            let offset = usize::try_from(offset).unwrap();
            assert_eq!(part, whole[offset..offset + length], "{offset} {length}");
        }
        assert_ne!(whole, Source::Generated { seed: 8, size: 1000 }.read(0, 1000).unwrap());
    }
}
