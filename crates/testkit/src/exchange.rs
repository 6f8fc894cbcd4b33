//! Implementation of the port [`ExchangeStore`] by the [`World`]: the in-memory exchange bucket.

use std::ops::Range;

use bytes::Bytes;
use docferry_app::ports::{ByteStream, ExchangeError, ExchangeStore};
use docferry_domain::transfer::ObjectHead;
use futures::StreamExt as _;
use jiff::Timestamp;

use crate::World;

/// Size in bytes of the pieces in which a read returns its bytes. It is so small that a fragment
/// consists of several pieces.
const PIECE: usize = 100_000;

impl World {
    /// Puts an object into the exchange bucket, last modified now.
    pub fn put_object(&self, key: &str, bytes: Bytes) {
        let mut state = self.state();
        let now = state.now;
        state.put_object(key, bytes, now);
    }
}

impl ExchangeStore for World {
    async fn store_time(&self) -> Result<Timestamp, ExchangeError> {
        self.effect("store_time", ExchangeError::Unavailable, async || Ok(self.state().now)).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectHead>, ExchangeError> {
        self.effect("head", ExchangeError::Unavailable, async || {
            if key.is_empty() {
                return Err(ExchangeError::Unavailable("an empty key cannot be requested".into()));
            }
            Ok(self.state().objects.get(key).map(|object| ObjectHead {
                size: object.bytes.len() as u64,
                etag: object.etag.clone(),
                last_modified: object.last_modified,
            }))
        })
        .await
    }

    async fn read(
        &self,
        key: &str,
        etag: &str,
        range: Range<u64>,
    ) -> Result<ByteStream, ExchangeError> {
        let state = self.state();
        let object = state.objects.get(key).ok_or(ExchangeError::Gone)?;
        if object.etag != etag {
            return Err(ExchangeError::Changed);
        }
        let start = usize::try_from(range.start).unwrap();
        let end = usize::try_from(range.end).unwrap();
        if end > object.bytes.len() {
            return Err(ExchangeError::Gone);
        }
        let mut bytes = object.bytes.slice(start..end);
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            pieces.push(Ok(bytes.split_to(PIECE.min(bytes.len()))));
        }
        Ok(futures::stream::iter(pieces).boxed())
    }

    async fn delete(&self, key: &str) -> Result<(), ExchangeError> {
        self.effect("delete_object", ExchangeError::Unavailable, async || {
            self.state().objects.remove(key);
            Ok(())
        })
        .await
    }
}
