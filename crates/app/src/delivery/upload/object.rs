//! The exchange object: the document's copy in the exchange bucket, which `upload` and `publish`
//! read. This file also checks that the object was not written by a push of another document.
//!
//! A *push* is the request to the source to put a document into the exchange bucket. The source
//! chooses the *exchange key* (the name of the object) and may choose the same key for two
//! documents. A push is *in flight* until the source has named its key.

use std::ops::Range;

use docferry_domain::document::SourceHash;
use docferry_domain::failure::FailureCode;
use docferry_domain::transfer::{Transfer, is_contested as is_contested_by_pushes};
use futures::StreamExt as _;
use jiff::Timestamp;

use crate::TaskError;
use crate::ports::{ExchangeError, ExchangeKeyStore, ExchangeStore, PushStore};

/// Returns whether a recorded push of another document may have written the object. `written_at` is
/// the time of the object by the exchange store's clock. If it is `None`, any push may have written
/// the object.
///
/// Use this for an object that the step `poll` has accepted: `poll` has already waited for pushes
/// in flight.
pub(crate) async fn is_contested(
    store: &impl ExchangeKeyStore,
    transfer: &Transfer,
    written_at: Option<Timestamp>,
) -> Result<bool, TaskError> {
    let source = transfer.source.as_ref().ok_or(FailureCode::Internal)?;
    let key = store.exchange_key(&source.key).await?;
    let written_at = written_at.unwrap_or(Timestamp::MAX);
    Ok(is_contested_by_pushes(&transfer.object_guid, source, written_at, &key.outstanding))
}

/// Returns whether an object that `poll` has not accepted may be another document. In contrast to
/// [`is_contested`], this also considers pushes in flight, whose keys are not yet known.
pub(crate) async fn may_be_other_document(
    store: &(impl PushStore + ExchangeKeyStore),
    transfer: &Transfer,
    written_at: Option<Timestamp>,
) -> Result<bool, TaskError> {
    // The pushes in flight are read before the exchange key. A push is recorded under its key
    // before it is removed from the pushes in flight, so one of the two reads finds it.
    let may_be_from_push_in_flight = store.pushes_in_flight().await?.into_iter().any(|push| {
        push.guid != transfer.object_guid
            && written_at.is_none_or(|written_at| push.may_have_brought(written_at))
    });
    Ok(may_be_from_push_in_flight || is_contested(store, transfer, written_at).await?)
}

/// A version of an exchange object, identified by key and ETag.
#[derive(Debug, Clone)]
pub(crate) struct SourceObject {
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(super) size: u64,
}

impl SourceObject {
    /// Returns the exchange object of a transfer, once it has arrived.
    pub(crate) fn of(transfer: &Transfer) -> Option<Self> {
        let (source, object) = (transfer.source.as_ref()?, transfer.object.as_ref()?);
        Some(Self { key: source.key.clone(), etag: object.etag.clone(), size: source.size })
    }

    /// Returns the size of the object in bytes.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Extends `hash` to cover the source up to byte `until`.
    pub(crate) async fn hash_up_to<G: ExchangeStore>(
        &self,
        exchange: &G,
        hash: &mut SourceHash,
        until: u64,
    ) -> Result<(), ExchangeError> {
        let from = hash.hashed_to();
        if from >= until {
            return Ok(());
        }
        let mut stream = exchange.read(&self.key, &self.etag, from..until).await?;
        while let Some(bytes) = stream.next().await {
            hash.append(&bytes?);
        }
        // Some stores return an empty stream instead of an error.
        if hash.hashed_to() == from { Err(ExchangeError::Gone) } else { Ok(()) }
    }

    /// Reads a small range of the object into memory.
    pub(crate) async fn read_range<G: ExchangeStore>(
        &self,
        exchange: &G,
        range: Range<u64>,
    ) -> Result<bytes::Bytes, ExchangeError> {
        let length = range.end - range.start;
        let mut content = bytes::BytesMut::new();
        let mut stream = exchange.read(&self.key, &self.etag, range).await?;
        while let Some(bytes) = stream.next().await {
            content.extend_from_slice(&bytes?);
        }
        if content.len() as u64 == length { Ok(content.freeze()) } else { Err(ExchangeError::Gone) }
    }

    /// Reads the whole object, which must be small, into memory and hashes it.
    pub(super) async fn read_whole<G: ExchangeStore>(
        &self,
        exchange: &G,
    ) -> Result<(bytes::Bytes, SourceHash), ExchangeError> {
        let content = match self.size {
            0 => bytes::Bytes::new(),
            size => self.read_range(exchange, 0..size).await?,
        };
        let mut hash = SourceHash::default();
        hash.append(&content);
        Ok((content, hash))
    }
}
