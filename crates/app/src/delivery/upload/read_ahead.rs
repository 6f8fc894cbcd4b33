//! Read-ahead: parallel ranged reads of the source within a fixed memory limit.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;

use super::object::SourceObject;
use crate::ports::{ExchangeError, ExchangeStore};

/// Size of the blocks into which the bytes of the source are copied, whatever the buffer sizes
/// of the connection. So the permits equal the memory that is held, and the allocator can reuse a
/// freed block for the next one. One block is one frame of a fragment's body.
const BLOCK_BYTES: usize = 64 * 1024;
/// Tries of one ranged read without progress before the reader fails.
const READ_TRIES: u32 = 4;

/// Limits of reading ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadAhead {
    /// Maximum number of bytes held in memory, whatever the size of the document.
    pub(super) memory_bytes: u32,
    /// Number of parallel ranged reads.
    pub(super) parallel_reads: u32,
}

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
    /// Splits off the first bytes, at most `at_most` of them.
    pub(super) fn take(&mut self, at_most: u64) -> Bytes {
        let take = usize::try_from(at_most).unwrap_or(usize::MAX).min(self.bytes.len());
        self.bytes.split_to(take)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl ReadAhead {
    /// Reads the source from `position` to its end, several ranges in parallel. Sends a
    /// receiver for each range to `ranges`, in order. Memory is granted in the same order, so a
    /// later range never holds memory that an earlier one needs.
    pub(super) async fn read<G: ExchangeStore + 'static>(
        self,
        exchange: Arc<G>,
        object: SourceObject,
        position: u64,
        ranges: mpsc::UnboundedSender<RangeBlocks>,
    ) {
        let range_bytes = self.range_bytes();
        let memory = Arc::new(Semaphore::new(range_bytes as usize * self.reads() as usize));
        // Dropping the set, when this future is aborted, cancels the reads.
        let mut readers = JoinSet::new();
        let mut position = position;
        while position < object.size {
            let end = object.size.min(position + u64::from(range_bytes));
            let len = u32::try_from(end - position).unwrap_or(range_bytes);
            let Ok(permit) = Arc::clone(&memory).acquire_many_owned(len).await else { return };
            let (sender, blocks) = mpsc::unbounded_channel();
            if ranges.send(blocks).is_err() {
                return;
            }
            let reader = RangeReader { permit, sender, range: position..end };
            readers.spawn(reader.read(Arc::clone(&exchange), object.clone()));
            while readers.try_join_next().is_some() {}
            position = end;
        }
        while readers.join_next().await.is_some() {}
    }

    /// Returns the number of parallel reads, at least 2: with a single range, nothing would
    /// be read while its last bytes are sent.
    fn reads(self) -> u32 {
        self.parallel_reads.clamp(2, 16)
    }

    /// Returns the size of a range in bytes: the memory divided by the number of reads.
    fn range_bytes(self) -> u32 {
        (self.memory_bytes / self.reads()).max(BLOCK_BYTES as u32)
    }
}

/// Reader of one range of the source.
struct RangeReader {
    /// Memory for the bytes that are still to be read.
    permit: OwnedSemaphorePermit,
    sender: mpsc::UnboundedSender<Result<Block, ExchangeError>>,
    /// The bytes that are still to be read.
    range: Range<u64>,
}

impl RangeReader {
    async fn read<G: ExchangeStore>(mut self, exchange: Arc<G>, object: SourceObject) {
        let mut tries = 0;
        while !self.range.is_empty() {
            let before = self.range.start;
            let outcome = self.read_on(&*exchange, &object).await;
            if self.range.start > before {
                tries = 0;
            }
            let error = match outcome {
                // An empty stream instead of an error.
                Ok(()) if self.range.start == before => ExchangeError::Gone,
                Ok(()) => continue,
                Err(ExchangeError::Unavailable(_)) if tries + 1 < READ_TRIES => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(100 << tries)).await;
                    continue;
                }
                Err(error) => error,
            };
            // The receiver may have been dropped, which is fine.
            let _ = self.sender.send(Err(error));
            return;
        }
    }

    /// Makes one ranged read of the bytes that are still missing.
    async fn read_on<G: ExchangeStore>(
        &mut self,
        exchange: &G,
        object: &SourceObject,
    ) -> Result<(), ExchangeError> {
        let mut stream = exchange.read(&object.key, &object.etag, self.range.clone()).await?;
        let mut block = BytesMut::new();
        while let Some(bytes) = stream.next().await {
            let mut bytes = bytes?;
            while !bytes.is_empty() {
                let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
                let size = left.min(BLOCK_BYTES);
                if size == 0 {
                    return Err(ExchangeError::Unavailable("more bytes than requested".into()));
                }
                if block.capacity() == 0 {
                    block.reserve(size);
                }
                block.extend_from_slice(&bytes.split_to(bytes.len().min(size - block.len())));
                if block.len() == size {
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use docferry_domain::document::SourceHash;
    use docferry_domain::transfer::ObjectHead;
    use jiff::Timestamp;

    use super::super::reader::SourceReader;
    use super::*;
    use crate::ports::ByteStream;

    const SIZE: u64 = 3_000_000;
    const AHEAD: ReadAhead = ReadAhead { memory_bytes: 1 << 20, parallel_reads: 4 };

    /// A store that records the reads made on it.
    #[derive(Default)]
    struct Store {
        ranges: Mutex<Vec<Range<u64>>>,
        bytes: AtomicUsize,
        /// Number of reads to interrupt halfway.
        breaks: AtomicUsize,
    }

    fn byte(at: u64) -> u8 {
        u8::try_from(at % 251).unwrap()
    }

    impl ExchangeStore for Arc<Store> {
        async fn store_time(&self) -> Result<Timestamp, ExchangeError> {
            Err(ExchangeError::Gone)
        }

        async fn head(&self, _: &str) -> Result<Option<ObjectHead>, ExchangeError> {
            Ok(None)
        }

        async fn read(
            &self,
            _: &str,
            etag: &str,
            range: Range<u64>,
        ) -> Result<ByteStream, ExchangeError> {
            if etag != "tag" {
                return Err(ExchangeError::Changed);
            }
            self.ranges.lock().unwrap().push(range.clone());
            let store = Arc::clone(self);
            let until = match store
                .breaks
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
            {
                Ok(_) => (range.start + range.end) / 2,
                Err(_) => range.end,
            };
            let pieces = futures::stream::unfold(range.start, move |at| {
                let end = until.min(at + 10_007);
                let piece: Bytes = (at..end).map(byte).collect();
                store.bytes.fetch_add(piece.len(), Ordering::SeqCst);
                std::future::ready((at < end).then_some((Ok(piece), end)))
            });
            let broken = ExchangeError::Unavailable("broken".into());
            let broken = futures::stream::iter((until < range.end).then_some(Err(broken)));
            Ok(pieces.chain(broken).boxed())
        }

        async fn delete(&self, _: &str) -> Result<(), ExchangeError> {
            Ok(())
        }
    }

    fn open(store: &Arc<Store>, position: u64, tag: &str) -> SourceReader {
        let object = SourceObject { key: "k".into(), etag: tag.into(), size: SIZE };
        let mut hash = SourceHash::default();
        hash.append(&(0..position).map(byte).collect::<Vec<_>>());
        SourceReader::open(Arc::new(Arc::clone(store)), object, position, hash, AHEAD)
    }

    async fn let_readers_run() {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn parallel_reads_stay_within_the_memory_budget() {
        let store = Arc::new(Store::default());
        let reader = open(&store, 0, "tag");
        let_readers_run().await;
        assert_eq!(store.ranges.lock().unwrap().len(), 4);
        assert_eq!(store.bytes.load(Ordering::SeqCst), 1 << 20);
        // Consuming bytes makes room for as many, and for a fifth range.
        let taken: Vec<_> = reader.fragment(1 << 18).collect().await;
        assert!(taken.iter().all(Result::is_ok));
        let_readers_run().await;
        assert_eq!(store.ranges.lock().unwrap().len(), 5);
        assert_eq!(store.bytes.load(Ordering::SeqCst), (1 << 20) + (1 << 18));
    }

    #[tokio::test(start_paused = true)]
    async fn interrupted_reads_yield_all_bytes_in_order_with_correct_hash() {
        let store = Arc::new(Store::default());
        store.breaks.store(5, Ordering::SeqCst);
        let reader = open(&store, 1001, "tag");
        let mut at = 1001;
        for len in [70_000, 1, 1_000_000, SIZE - 1_071_002] {
            let mut stream = reader.fragment(len);
            let end = at + len;
            while let Some(bytes) = stream.next().await {
                let bytes = bytes.unwrap();
                assert!(bytes.iter().zip(at..).all(|(b, at)| *b == byte(at)));
                at += bytes.len() as u64;
            }
            assert_eq!(at, end);
        }
        let mut hash = SourceHash::default();
        hash.append(&(0..SIZE).map(byte).collect::<Vec<_>>());
        assert_eq!(reader.hash().await, hash);
    }

    #[tokio::test]
    async fn every_read_requires_the_accepted_etag() {
        let store = Arc::new(Store::default());
        let reader = open(&store, 0, "another");
        assert!(reader.fragment(10).next().await.unwrap().is_err());
        assert!(matches!(reader.take_failure().await, Some(ExchangeError::Changed)));
    }
}
