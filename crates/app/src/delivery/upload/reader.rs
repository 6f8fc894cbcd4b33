//! Source reader: yields the source in order, fragment by fragment, while it is being read
//! ahead.

use std::sync::Arc;

use bytes::Bytes;
use docferry_domain::document::SourceHash;
use futures::StreamExt as _;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::object::SourceObject;
use super::read_ahead::{Block, RangeBlocks, ReadAhead};
use crate::ports::{ByteStream, ExchangeError, ExchangeStore};

/// Yields the source in order, fragment by fragment, while it is being read ahead.
///
/// Reading continues while the drive's answer to a fragment is awaited, so a transfer takes
/// about as long as the slower of the two sides, not as long as both together. When the drive's
/// offset differs from the reader's position, the reader is dropped and a new one is opened.
#[derive(Debug)]
pub(super) struct SourceReader {
    state: Arc<Mutex<State>>,
    /// The task that reads ahead; aborted when the reader is dropped.
    reading: JoinHandle<()>,
}

/// Reader whose next byte has this position in the source.
#[derive(Debug)]
pub(super) struct PositionedReader {
    pub(super) position: u64,
    pub(super) reader: SourceReader,
}

#[derive(Debug)]
struct State {
    /// Ranges of the source whose reads have been started, in order.
    ranges: mpsc::UnboundedReceiver<RangeBlocks>,
    /// The range that is being consumed.
    range: Option<RangeBlocks>,
    /// Remainder of a block that spans two fragments; it still holds its memory.
    remainder: Option<Block>,
    /// Offset of the next byte to yield.
    position: u64,
    /// Hash of all bytes up to `position`.
    hash: SourceHash,
    /// Why the last stream failed, until [`SourceReader::take_failure`] takes it.
    failure: Option<ExchangeError>,
}

impl SourceReader {
    /// Starts reading at `position`; `hash` must cover the source up to there.
    pub(super) fn open<G: ExchangeStore + 'static>(
        exchange: Arc<G>,
        object: SourceObject,
        position: u64,
        hash: SourceHash,
        ahead: ReadAhead,
    ) -> Self {
        let (sender, ranges) = mpsc::unbounded_channel();
        let reading = tokio::spawn(ahead.read(exchange, object, position, sender));
        let state = State { ranges, range: None, remainder: None, position, hash, failure: None };
        Self { state: Arc::new(Mutex::new(state)), reading }
    }

    /// Returns the next `len` bytes as a stream for one fragment. Bytes enter the reader's hash
    /// as they are yielded; the caller uses that hash only after the drive has acknowledged
    /// them.
    pub(super) fn fragment(&self, len: u64) -> ByteStream {
        let state = Arc::clone(&self.state);
        futures::stream::unfold((state, len), |(state, left)| async move {
            if left == 0 {
                return None;
            }
            let item = state.lock().await.next(left).await;
            // The stream ends after a failure.
            let left = item.as_ref().map_or(0, |bytes| left - bytes.len() as u64);
            Some((item, (state, left)))
        })
        .boxed()
    }

    /// Returns the hash of all bytes yielded so far.
    pub(super) async fn hash(&self) -> SourceHash {
        self.state.lock().await.hash.clone()
    }

    /// Takes the error that broke the last fragment's stream, if the source caused it.
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
    async fn next(&mut self, at_most: u64) -> Result<Bytes, ExchangeError> {
        match self.next_block().await {
            Ok(mut block) => {
                let bytes = block.take(at_most);
                if !block.is_empty() {
                    self.remainder = Some(block);
                }
                if !self.hash.fold(self.position, &bytes) {
                    return Err(self.fail(ExchangeError::Gone));
                }
                self.position += bytes.len() as u64;
                Ok(bytes)
            }
            Err(error) => Err(self.fail(error)),
        }
    }

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

    /// Stores the error for the engine, and returns a copy that ends the stream; its consumer
    /// does not need the cause.
    fn fail(&mut self, error: ExchangeError) -> ExchangeError {
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
