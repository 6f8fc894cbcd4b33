use std::sync::Arc;

use bytes::Bytes;
use docferry_domain::SourceHash;
use futures::StreamExt as _;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::read_ahead::{Part, Piece, ReadAhead};
use super::source::SourceObject;
use crate::ports::{ByteStream, Staging, StagingError};

/// Hands the source out in order, fragment by fragment, while it is being read
/// ahead.
///
/// Reading goes on while a fragment's answer is awaited, so that the time of a
/// transfer tends to the slower of the two sides, not to their sum. A reader is
/// dropped, and a new one opened elsewhere, whenever the drive's offset is not
/// where it stands.
#[derive(Debug)]
pub(super) struct SourceReader {
    state: Arc<Mutex<State>>,
    reading: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    parts: mpsc::UnboundedReceiver<Part>,
    part: Option<Part>,
    /// What is left of a piece that spanned two fragments, still in the budget.
    rest: Option<Piece>,
    position: u64,
    hash: SourceHash,
    failure: Option<StagingError>,
}

impl SourceReader {
    /// Starts reading at `position`; `hash` must cover the source up to there.
    pub(super) fn open<G: Staging + 'static>(
        staging: Arc<G>,
        object: SourceObject,
        position: u64,
        hash: SourceHash,
        ahead: ReadAhead,
    ) -> Self {
        let (sender, parts) = mpsc::unbounded_channel();
        let reading = tokio::spawn(ahead.read(staging, object, position, sender));
        let state = State { parts, part: None, rest: None, position, hash, failure: None };
        Self { state: Arc::new(Mutex::new(state)), reading }
    }

    /// The next `len` bytes as a stream for one fragment. Bytes are folded into
    /// the reader's hash as they are handed out; it counts only once the drive has
    /// acknowledged them.
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
        self.reading.abort();
    }
}

impl State {
    async fn next(&mut self, at_most: u64) -> Result<Bytes, StagingError> {
        match self.piece().await {
            Ok(mut piece) => {
                let bytes = piece.take(at_most);
                if !piece.is_empty() {
                    self.rest = Some(piece);
                }
                if !self.hash.fold(self.position, &bytes) {
                    return Err(self.fail(StagingError::Gone));
                }
                self.position += bytes.len() as u64;
                Ok(bytes)
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    async fn piece(&mut self) -> Result<Piece, StagingError> {
        if let Some(rest) = self.rest.take() {
            return Ok(rest);
        }
        loop {
            if let Some(part) = &mut self.part
                && let Some(piece) = part.recv().await
            {
                return piece;
            }
            self.part = Some(self.parts.recv().await.ok_or(StagingError::Gone)?);
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
