//! Read-ahead: parallel ranged reads of a document in the exchange bucket (the *source*), within a
//! fixed memory limit.
//!
//! The source is read as consecutive *ranges*, several of them at the same time. A semaphore has
//! one permit for each byte of the memory limit.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::object::SourceObject;
use super::range_reader::{BLOCK_BYTES, RangeBlocks, RangeReader};
use crate::ports::ExchangeStore;

/// Limits of reading ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReadAhead {
    /// Maximum number of bytes held in memory, whatever the size of the document.
    pub(super) memory_bytes: u32,
    /// Number of parallel ranged reads.
    pub(super) parallel_reads: u32,
}

impl ReadAhead {
    /// Reads the source from `position` to its end, several ranges in parallel. Sends one receiver
    /// for each range to `ranges`, in byte order. Memory is granted to the ranges in the same
    /// order, so a later range never holds memory that an earlier range needs.
    pub(super) async fn read<G: ExchangeStore + 'static>(
        self,
        exchange: Arc<G>,
        object: SourceObject,
        position: u64,
        ranges: mpsc::UnboundedSender<RangeBlocks>,
    ) {
        let range_bytes = self.range_bytes();
        let memory = Arc::new(Semaphore::new(range_bytes as usize * self.reads() as usize));
        // When this future is aborted, the set is dropped, which cancels the reads.
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
            let reader = RangeReader::new(permit, sender, position..end);
            readers.spawn(reader.read(Arc::clone(&exchange), object.clone()));
            // Removes the readers that have ended from the set.
            while readers.try_join_next().is_some() {}
            position = end;
        }
        while readers.join_next().await.is_some() {}
    }

    /// Returns the number of parallel reads. With only one, nothing would be read while the last
    /// bytes of its range are sent, so the minimum is 2.
    fn reads(self) -> u32 {
        self.parallel_reads.clamp(2, 16)
    }

    /// Returns the size of a range in bytes: the memory divided by the number of reads.
    fn range_bytes(self) -> u32 {
        (self.memory_bytes / self.reads()).max(BLOCK_BYTES as u32)
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use docferry_domain::document::SourceHash;
    use docferry_domain::transfer::ObjectHead;
    use futures::StreamExt as _;
    use jiff::Timestamp;

    use super::super::reader::SourceReader;
    use super::*;
    use crate::ports::{ByteStream, ExchangeError};

    /// Size of the document in bytes.
    const SIZE: u64 = 3_000_000;
    /// Memory limit in bytes.
    const MEMORY: u32 = 1 << 20;
    const READ_AHEAD: ReadAhead = ReadAhead { memory_bytes: MEMORY, parallel_reads: 4 };
    /// Tag of the only object in the store.
    const ETAG: &str = "tag";

    /// An exchange bucket with one document, which records all reads.
    #[derive(Default)]
    struct Store {
        /// Ranges that were requested.
        ranges: Mutex<Vec<Range<u64>>>,
        /// Number of bytes that were read.
        bytes: AtomicUsize,
        /// Number of reads that are still to be interrupted halfway.
        interruptions: AtomicUsize,
    }

    /// Returns the byte of the document at this position.
    fn byte(position: u64) -> u8 {
        u8::try_from(position % 251).unwrap()
    }

    /// Returns the hash of the document up to this position.
    fn hash_up_to(position: u64) -> SourceHash {
        let mut hash = SourceHash::default();
        hash.append(&(0..position).map(byte).collect::<Vec<_>>());
        hash
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
            if etag != ETAG {
                return Err(ExchangeError::Changed);
            }
            self.ranges.lock().unwrap().push(range.clone());
            let store = Arc::clone(self);
            let interruption =
                store.interruptions.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |remaining| {
                    remaining.checked_sub(1)
                });
            let end_of_read = match interruption {
                Ok(_) => (range.start + range.end) / 2,
                Err(_) => range.end,
            };
            let pieces = futures::stream::unfold(range.start, move |start| {
                // The size of a block is not a multiple of the size of a piece.
                let end = end_of_read.min(start + 10_007);
                let piece: Bytes = (start..end).map(byte).collect();
                store.bytes.fetch_add(piece.len(), Ordering::SeqCst);
                std::future::ready((start < end).then_some((Ok(piece), end)))
            });
            let error = ExchangeError::Unavailable("broken".into());
            let errors = futures::stream::iter((end_of_read < range.end).then_some(Err(error)));
            Ok(pieces.chain(errors).boxed())
        }

        async fn delete(&self, _: &str) -> Result<(), ExchangeError> {
            Ok(())
        }
    }

    /// Starts reading the object with this tag at this position.
    fn open(store: &Arc<Store>, position: u64, etag: &str) -> SourceReader {
        let object = SourceObject { key: "k".into(), etag: etag.into(), size: SIZE };
        let exchange = Arc::new(Arc::clone(store));
        SourceReader::open(exchange, object, position, hash_up_to(position), READ_AHEAD)
    }

    async fn let_readers_run() {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn parallel_reads_stay_within_the_memory_budget() {
        let store = Arc::new(Store::default());
        let memory = MEMORY as usize;
        let range_bytes = memory / 4;

        let reader = open(&store, 0, ETAG);
        let_readers_run().await;

        assert_eq!(store.ranges.lock().unwrap().len(), 4);
        assert_eq!(store.bytes.load(Ordering::SeqCst), memory);

        // When one range is consumed, a fifth range is read into its memory.
        let taken: Vec<_> = reader.fragment(range_bytes as u64).collect().await;
        assert!(taken.iter().all(Result::is_ok));
        let_readers_run().await;

        assert_eq!(store.ranges.lock().unwrap().len(), 5);
        assert_eq!(store.bytes.load(Ordering::SeqCst), memory + range_bytes);
    }

    #[tokio::test(start_paused = true)]
    async fn interrupted_reads_yield_all_bytes_in_order_with_correct_hash() {
        let store = Arc::new(Store::default());
        store.interruptions.store(5, Ordering::SeqCst);
        let mut position = 1001;
        let reader = open(&store, position, ETAG);

        for len in [70_000, 1, 1_000_000, SIZE - 1_071_002] {
            let mut fragment = reader.fragment(len);
            let end = position + len;
            while let Some(bytes) = fragment.next().await {
                for actual in bytes.unwrap() {
                    assert_eq!(actual, byte(position), "at {position}");
                    position += 1;
                }
            }
            assert_eq!(position, end);
        }

        assert_eq!(reader.hash().await, hash_up_to(SIZE));
    }

    #[tokio::test]
    async fn every_read_requires_the_accepted_etag() {
        let store = Arc::new(Store::default());

        let reader = open(&store, 0, "another tag");

        assert!(reader.fragment(10).next().await.unwrap().is_err());
        assert!(matches!(reader.take_failure().await, Some(ExchangeError::Changed)));
    }
}
