use docferry_domain::{SourceHash, Transfer};
use futures::StreamExt as _;

use crate::ports::{Staging, StagingError};

/// Which object to read.
#[derive(Debug, Clone)]
pub(crate) struct SourceObject {
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(super) size: u64,
}

impl SourceObject {
    /// The exchange object of a transfer, once it has arrived.
    pub(crate) fn of(transfer: &Transfer) -> Option<Self> {
        let (source, object) = (transfer.source.as_ref()?, transfer.object.as_ref()?);
        Some(Self { key: source.key.clone(), etag: object.etag.clone(), size: source.size })
    }

    /// Size in bytes.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Reads on from where `hash` stands and folds in what comes, up to `until`.
    pub(crate) async fn hash_up_to<G: Staging>(
        &self,
        staging: &G,
        hash: &mut SourceHash,
        until: u64,
    ) -> Result<(), StagingError> {
        let from = hash.hashed_to();
        if from >= until {
            return Ok(());
        }
        let mut stream = staging.read(&self.key, &self.etag, from..until).await?;
        while let Some(bytes) = stream.next().await {
            hash.append(&bytes?);
        }
        // Nothing came: an empty stream in place of an error.
        if hash.hashed_to() == from { Err(StagingError::Gone) } else { Ok(()) }
    }

    /// The whole object, which is small, and its hash.
    pub(super) async fn read_whole<G: Staging>(
        &self,
        staging: &G,
    ) -> Result<(bytes::Bytes, SourceHash), StagingError> {
        let mut whole = bytes::BytesMut::new();
        if self.size > 0 {
            let mut stream = staging.read(&self.key, &self.etag, 0..self.size).await?;
            while let Some(bytes) = stream.next().await {
                whole.extend_from_slice(&bytes?);
            }
        }
        if whole.len() as u64 != self.size {
            return Err(StagingError::Gone);
        }
        let mut hash = SourceHash::default();
        hash.append(&whole);
        Ok((whole.freeze(), hash))
    }
}
