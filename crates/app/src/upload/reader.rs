use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use docferry_domain::{SourceHash, Transfer};
use futures::StreamExt as _;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use crate::ports::{ByteStream, Staging, StagingError};

/// One ranged read; long enough that its request costs nothing beside its bytes.
const READ_BYTES: u64 = 32 * 1024 * 1024;
/// Pieces that the budget is counted in.
const PIECE_BYTES: usize = 256 * 1024;
/// Tries of one ranged read before the reader gives up.
const READ_TRIES: u32 = 4;

/// Reads the source ahead of the fragments, within a budget of bytes.
///
/// The reader goes on while a fragment's answer is awaited, so that the time of
/// a transfer tends to the slower of the two sides, not to their sum. It is
/// dropped, and a new one opened elsewhere, whenever the drive's offset is not
/// where the reader stands.
#[derive(Debug)]
pub(super) struct SourceReader {
    state: Arc<Mutex<State>>,
    pump: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    pieces: mpsc::UnboundedReceiver<Result<Piece, StagingError>>,
    /// What is left of a piece that spanned two fragments, still in the budget.
    rest: Option<Piece>,
    position: u64,
    hash: SourceHash,
    failure: Option<StagingError>,
}

#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    _budget: OwnedSemaphorePermit,
}

/// Which object to read.
#[derive(Debug, Clone)]
pub(crate) struct SourceObject {
    pub(super) key: String,
    pub(super) etag: String,
    pub(super) size: u64,
}

impl SourceObject {
    /// The exchange object of a transfer, once it has arrived.
    pub(crate) fn of(transfer: &Transfer) -> Option<Self> {
        let (source, object) = (transfer.source.as_ref()?, transfer.object.as_ref()?);
        Some(Self { key: source.key.clone(), etag: object.etag.clone(), size: source.size })
    }

    /// The same object under a new tag.
    pub(super) fn tagged(&self, etag: String) -> Self {
        Self { etag, ..self.clone() }
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
}

impl SourceReader {
    /// Starts reading at `position`; `hash` must cover the source up to there.
    pub(super) fn open<G: Staging + 'static>(
        staging: Arc<G>,
        object: SourceObject,
        position: u64,
        hash: SourceHash,
        budget_bytes: u32,
    ) -> Self {
        let (sender, pieces) = mpsc::unbounded_channel();
        let budget = Arc::new(Semaphore::new(
            usize::try_from(budget_bytes).unwrap_or(usize::MAX).max(PIECE_BYTES),
        ));
        let range = position..object.size;
        let pump = tokio::spawn(pump(staging, object, range, budget, sender));
        let state = State { pieces, rest: None, position, hash, failure: None };
        Self { state: Arc::new(Mutex::new(state)), pump }
    }

    /// The next `len` bytes as a stream for one fragment. Bytes are folded into
    /// the hash as they are handed out.
    pub(super) fn fragment(&self, len: u64) -> ByteStream {
        let state = Arc::clone(&self.state);
        futures::stream::unfold((state, len), |(state, left)| async move {
            if left == 0 {
                return None;
            }
            let item = state.lock().await.next(left).await;
            // After a failure nothing more is handed out.
            let left = item.as_ref().map_or(0, |bytes| left - bytes.len() as u64);
            Some((item, (state, left)))
        })
        .boxed()
    }

    /// The hash of everything that was handed out.
    pub(super) async fn hash(&self) -> SourceHash {
        self.state.lock().await.hash.clone()
    }

    /// Why the last fragment's stream broke, if it was the source's fault.
    pub(super) async fn take_failure(&self) -> Option<StagingError> {
        self.state.lock().await.failure.take()
    }
}

impl Drop for SourceReader {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl State {
    async fn next(&mut self, at_most: u64) -> Result<Bytes, StagingError> {
        let piece = match self.rest.take() {
            Some(piece) => Some(Ok(piece)),
            None => self.pieces.recv().await,
        };
        match piece {
            Some(Ok(mut piece)) => {
                let take = usize::try_from(at_most).unwrap_or(usize::MAX).min(piece.bytes.len());
                let bytes = piece.bytes.split_to(take);
                if !piece.bytes.is_empty() {
                    self.rest = Some(piece);
                }
                if !self.hash.fold(self.position, &bytes) {
                    return Err(self.fail(StagingError::Gone));
                }
                self.position += bytes.len() as u64;
                Ok(bytes)
            }
            Some(Err(error)) => Err(self.fail(error)),
            None => Err(self.fail(StagingError::Gone)),
        }
    }

    /// Keeps the reason for the engine; the stream's consumer needs only to stop.
    fn fail(&mut self, error: StagingError) -> StagingError {
        let copy = match &error {
            StagingError::Unavailable(_) => StagingError::Unavailable("read failed".into()),
            StagingError::Changed => StagingError::Changed,
            StagingError::Gone => StagingError::Gone,
            StagingError::Unauthorized => StagingError::Unauthorized,
        };
        self.failure = Some(error);
        copy
    }
}

async fn pump<G: Staging>(
    staging: Arc<G>,
    object: SourceObject,
    range: Range<u64>,
    budget: Arc<Semaphore>,
    sender: mpsc::UnboundedSender<Result<Piece, StagingError>>,
) {
    let mut position = range.start;
    let mut tries = 0;
    while position < range.end {
        let before = position;
        let until = range.end.min(position + READ_BYTES);
        let outcome = read_range(&*staging, &object, &mut position, until, &budget, &sender).await;
        if position > before {
            tries = 0;
        }
        match outcome {
            Ok(()) if position == before => {
                let _ = sender.send(Err(StagingError::Gone));
                return;
            }
            Ok(()) => {}
            Err(Stop::Closed) => return,
            Err(Stop::Failed(StagingError::Unavailable(_))) if tries + 1 < READ_TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(100 << tries)).await;
            }
            Err(Stop::Failed(error)) => {
                // Nobody listening any more is fine.
                let _ = sender.send(Err(error));
                return;
            }
        }
    }
}

enum Stop {
    Closed,
    Failed(StagingError),
}

async fn read_range<G: Staging>(
    staging: &G,
    object: &SourceObject,
    position: &mut u64,
    until: u64,
    budget: &Arc<Semaphore>,
    sender: &mpsc::UnboundedSender<Result<Piece, StagingError>>,
) -> Result<(), Stop> {
    let mut stream =
        staging.read(&object.key, &object.etag, *position..until).await.map_err(Stop::Failed)?;
    while let Some(bytes) = stream.next().await {
        let mut bytes = bytes.map_err(Stop::Failed)?;
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
            let len = piece.len();
            let cost = u32::try_from(len).unwrap_or(u32::MAX);
            let Ok(permit) = Arc::clone(budget).acquire_many_owned(cost).await else {
                return Err(Stop::Closed);
            };
            if sender.send(Ok(Piece { bytes: piece, _budget: permit })).is_err() {
                return Err(Stop::Closed);
            }
            *position += len as u64;
        }
    }
    Ok(())
}
