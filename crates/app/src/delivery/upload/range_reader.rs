//! Reader of one range of a document in the exchange bucket (the *source*).
//!
//! A range arrives as a sequence of *blocks*. A block holds the permits for the memory of its bytes
//! until it is dropped.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::object::SourceObject;
use crate::ports::{ExchangeError, ExchangeStore};

/// Size of the blocks into which the bytes of the source are copied.
///
/// The buffers of the connection may have any size. Copying makes the permits equal the memory
/// that is held, and lets the allocator reuse the memory of a dropped block. One block is one
/// frame of a fragment's body.
pub(super) const BLOCK_BYTES: usize = 64 * 1024;

/// Maximum number of consecutive tries of a ranged read that yield no block. Then the reader fails.
const READ_TRIES: u32 = 4;

/// Receiver of the blocks of one range of the source, in byte order.
pub(super) type RangeBlocks = mpsc::UnboundedReceiver<Result<Block, ExchangeError>>;

/// Block of source bytes with the permit for its memory, which is released when the block is
/// dropped.
#[derive(Debug)]
pub(super) struct Block {
    bytes: Bytes,
    _memory: OwnedSemaphorePermit,
}

impl Block {
    /// Removes the first bytes of the block and returns them: `max_len` bytes, or all bytes if the
    /// block is shorter.
    pub(super) fn take(&mut self, max_len: u64) -> Bytes {
        let len = usize::try_from(max_len).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.split_to(len)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Reader of one range of the source.
pub(super) struct RangeReader {
    /// Permits for the bytes that are still to be read.
    permit: OwnedSemaphorePermit,
    sender: mpsc::UnboundedSender<Result<Block, ExchangeError>>,
    /// Positions of the bytes that are still to be read.
    range: Range<u64>,
}

impl RangeReader {
    /// Returns a reader of `range`. It holds one permit for each byte and sends its blocks to
    /// `sender`.
    pub(super) const fn new(
        permit: OwnedSemaphorePermit,
        sender: mpsc::UnboundedSender<Result<Block, ExchangeError>>,
        range: Range<u64>,
    ) -> Self {
        Self { permit, sender, range }
    }

    /// Reads the whole range. Repeats interrupted reads from the first missing byte.
    pub(super) async fn read<G: ExchangeStore>(mut self, exchange: Arc<G>, object: SourceObject) {
        let mut tries = 0;
        while !self.range.is_empty() {
            let start_of_try = self.range.start;
            let result = self.read_missing(&*exchange, &object).await;
            let has_progressed = self.range.start > start_of_try;
            if has_progressed {
                tries = 0;
            }
            let error = match result {
                Ok(()) if has_progressed => continue,
                // Some stores return an empty stream instead of an error.
                Ok(()) => ExchangeError::Gone,
                Err(ExchangeError::Unavailable(_)) if tries + 1 < READ_TRIES => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(100 << tries)).await;
                    continue;
                }
                Err(error) => error,
            };
            // Sending fails when the upload no longer needs the range. It then does not need the
            // error either.
            let _ = self.sender.send(Err(error));
            return;
        }
    }

    /// Makes one ranged read of the bytes that are still missing.
    async fn read_missing<G: ExchangeStore>(
        &mut self,
        exchange: &G,
        object: &SourceObject,
    ) -> Result<(), ExchangeError> {
        let mut stream = exchange.read(&object.key, &object.etag, self.range.clone()).await?;
        let mut block = BytesMut::new();
        while let Some(bytes) = stream.next().await {
            let mut bytes = bytes?;
            while !bytes.is_empty() {
                let missing =
                    usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
                let block_len = missing.min(BLOCK_BYTES);
                if block_len == 0 {
                    return Err(ExchangeError::Unavailable("more bytes than requested".into()));
                }
                if block.capacity() == 0 {
                    block.reserve(block_len);
                }
                let copied = bytes.len().min(block_len - block.len());
                block.extend_from_slice(&bytes.split_to(copied));
                if block.len() == block_len {
                    self.send(std::mem::take(&mut block).freeze());
                }
            }
        }
        Ok(())
    }

    /// Sends a block with the permit for its memory.
    fn send(&mut self, bytes: Bytes) {
        if let Some(memory) = self.permit.split(bytes.len()) {
            self.range.start += bytes.len() as u64;
            let _ = self.sender.send(Ok(Block { bytes, _memory: memory }));
        }
    }
}
