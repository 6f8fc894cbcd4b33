//! Source reader of an upload: yields the bytes of the exchange object (the *source*) in order,
//! while a background task reads ahead.
//!
//! The upload sends the bytes in *fragments*, one PUT each. The background task reads the source in
//! *ranges*, one request each. A range arrives in *blocks*, which hold permits for memory.

use std::sync::Arc;

use bytes::Bytes;
use docferry_domain::document::SourceHash;
use futures::StreamExt as _;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::object::SourceObject;
use super::range_reader::{Block, RangeBlocks};
use super::read_ahead::ReadAhead;
use crate::ports::{ByteStream, ExchangeError, ExchangeStore};

/// Reader that yields the bytes of the source in order, fragment by fragment.
///
/// Reading continues while docferry waits for the drive's response to a fragment. A transfer
/// therefore takes about as long as the slower one of reading and sending, not the sum of both.
/// When the drive expects another offset than the reader's position, the engine drops the reader
/// and opens a new one.
#[derive(Debug)]
pub(super) struct SourceReader {
    state: Arc<Mutex<State>>,
    /// The task that reads ahead; aborted when the reader is dropped.
    reading: JoinHandle<()>,
}

/// Reader together with the position of its next byte in the source.
#[derive(Debug)]
pub(super) struct PositionedReader {
    pub(super) position: u64,
    pub(super) reader: SourceReader,
}

/// State of a reader, which the reader shares with the stream of the current fragment.
#[derive(Debug)]
struct State {
    /// Ranges of the source whose reads have been started, in order.
    ranges: mpsc::UnboundedReceiver<RangeBlocks>,
    /// The range whose blocks are yielded now.
    range: Option<RangeBlocks>,
    /// Remainder of a block that spans two fragments. The block still holds its permits.
    remainder: Option<Block>,
    /// Offset of the next byte to yield.
    position: u64,
    /// Hash of all bytes up to `position`.
    hash: SourceHash,
    /// Error that ended the last fragment's stream; [`SourceReader::take_failure`] takes it.
    failure: Option<ExchangeError>,
}

impl SourceReader {
    /// Starts reading at `position`. `hash` must cover the source up to `position`.
    pub(super) fn open<G: ExchangeStore + 'static>(
        exchange: Arc<G>,
        object: SourceObject,
        position: u64,
        hash: SourceHash,
        read_ahead: ReadAhead,
    ) -> Self {
        let (sender, ranges) = mpsc::unbounded_channel();
        let reading = tokio::spawn(read_ahead.read(exchange, object, position, sender));
        let state = State { ranges, range: None, remainder: None, position, hash, failure: None };
        Self { state: Arc::new(Mutex::new(state)), reading }
    }

    /// Returns the next `len` bytes as a stream for one fragment.
    ///
    /// The reader's hash includes the bytes as soon as they are yielded. The caller must not use
    /// the hash before the drive has acknowledged the fragment.
    pub(super) fn fragment(&self, len: u64) -> ByteStream {
        let state = Arc::clone(&self.state);
        futures::stream::unfold((state, len), |(state, missing)| async move {
            if missing == 0 {
                return None;
            }
            let item = state.lock().await.next_bytes(missing).await;
            // The stream ends after a failure.
            let still_missing = item.as_ref().map_or(0, |bytes| missing - bytes.len() as u64);
            Some((item, (state, still_missing)))
        })
        .boxed()
    }

    /// Returns the hash of all bytes yielded so far.
    pub(super) async fn hash(&self) -> SourceHash {
        self.state.lock().await.hash.clone()
    }

    /// Takes the error that ended the last fragment's stream, if reading the source failed.
    pub(super) async fn take_failure(&self) -> Option<ExchangeError> {
        self.state.lock().await.failure.take()
    }
}

impl Drop for SourceReader {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl State {
    /// Yields the next bytes, at most `max_len`, and adds them to the hash.
    async fn next_bytes(&mut self, max_len: u64) -> Result<Bytes, ExchangeError> {
        match self.next_block().await {
            Ok(mut block) => {
                let bytes = block.take(max_len);
                if !block.is_empty() {
                    self.remainder = Some(block);
                }
                if !self.hash.update_at(self.position, &bytes) {
                    return Err(self.record_failure(ExchangeError::Gone));
                }
                self.position += bytes.len() as u64;
                Ok(bytes)
            }
            Err(error) => Err(self.record_failure(error)),
        }
    }

    /// Returns the next block, or the remainder of the block that was used last.
    async fn next_block(&mut self) -> Result<Block, ExchangeError> {
        if let Some(remainder) = self.remainder.take() {
            return Ok(remainder);
        }
        loop {
            if let Some(range) = &mut self.range
                && let Some(block) = range.recv().await
            {
                return block;
            }
            self.range = Some(self.ranges.recv().await.ok_or(ExchangeError::Gone)?);
        }
    }

    /// Stores the error for the engine. Returns a copy without the cause, which ends the stream of
    /// the fragment. The drive's client consumes that stream and does not need the cause.
    fn record_failure(&mut self, error: ExchangeError) -> ExchangeError {
        let copy = match &error {
            ExchangeError::Unavailable(_) => ExchangeError::Unavailable("read failed".into()),
            ExchangeError::Changed => ExchangeError::Changed,
            ExchangeError::Gone => ExchangeError::Gone,
            ExchangeError::Unauthorized => ExchangeError::Unauthorized,
        };
        self.failure = Some(error);
        copy
    }
}
