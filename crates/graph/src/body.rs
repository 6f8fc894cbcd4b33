use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use docferry_app::ports::ByteStream;
use futures::StreamExt as _;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, sleep};

/// Pieces are handed on in frames of at most this size, so that progress on a
/// slow line is seen even when the source yields megabytes at once.
const FRAME_BYTES: usize = 64 * 1024;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The source failed, or gave another number of bytes than announced.
    #[error("the source of the body failed")]
    Source,
    /// Nobody waits for the answer any more.
    #[error("the request was abandoned")]
    Abandoned,
}

/// A request body of exactly known size, which is why it is never chunked.
pub(crate) struct FragmentBody {
    stream: ByteStream,
    piece: Bytes,
    left: u64,
    state: Arc<State>,
}

struct State {
    since: Instant,
    /// When a frame was last taken, in milliseconds after `since`.
    moved_ms: AtomicU64,
    failed: AtomicBool,
    abandoned: AtomicBool,
}

/// The sender's view of a body that the connection has taken over. When it is
/// dropped, a body that is still being sent in the background ends.
pub(crate) struct BodyWatch(Arc<State>);

impl FragmentBody {
    /// A body that yields exactly `len` bytes of `stream` or fails.
    pub(crate) fn new(stream: ByteStream, len: u64) -> (Self, BodyWatch) {
        let state = Arc::new(State {
            since: Instant::now(),
            moved_ms: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
        });
        let watch = BodyWatch(Arc::clone(&state));
        let body = Self { stream, piece: Bytes::new(), left: len, state };
        (body, watch)
    }

    /// No body at all.
    pub(crate) fn empty() -> (Self, BodyWatch) {
        Self::new(futures::stream::empty().boxed(), 0)
    }

    fn fail(&self) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.state.failed.store(true, Ordering::Release);
        Poll::Ready(Some(Err(BodyError::Source)))
    }
}

impl Body for FragmentBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.state.abandoned.load(Ordering::Acquire) {
            return Poll::Ready(Some(Err(BodyError::Abandoned)));
        }
        while this.piece.is_empty() {
            if this.left == 0 {
                return Poll::Ready(None);
            }
            match ready!(this.stream.poll_next_unpin(cx)) {
                Some(Ok(piece)) if piece.len() as u64 <= this.left => this.piece = piece,
                Some(_) | None => return this.fail(),
            }
        }
        let frame = this.piece.split_to(this.piece.len().min(FRAME_BYTES));
        this.left -= frame.len() as u64;
        let moved = u64::try_from(this.state.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        this.state.moved_ms.store(moved, Ordering::Release);
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl BodyWatch {
    /// Whether the source, not the network, ended the request.
    pub(crate) fn source_failed(&self) -> bool {
        self.0.failed.load(Ordering::Acquire)
    }

    /// Waits until nothing has moved for `limit`.
    pub(crate) async fn stalled(&self, limit: Duration) {
        loop {
            let moved = Duration::from_millis(self.0.moved_ms.load(Ordering::Acquire));
            let idle = self.0.since.elapsed().saturating_sub(moved);
            if idle >= limit {
                return;
            }
            sleep(limit - idle).await;
        }
    }
}

impl Drop for BodyWatch {
    fn drop(&mut self) {
        self.0.abandoned.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use docferry_app::ports::StagingError;
    use futures::stream;
    use http_body_util::BodyExt as _;

    use super::*;

    fn pieces(lens: &[usize]) -> ByteStream {
        let pieces: Vec<_> = lens.iter().map(|n| Ok(Bytes::from(vec![7; *n]))).collect();
        stream::iter(pieces).boxed()
    }

    #[tokio::test]
    async fn exactly_the_announced_bytes_pass_in_small_frames() {
        let (mut body, watch) = FragmentBody::new(pieces(&[0, 200_000, 0, 5]), 200_005);
        assert_eq!(body.size_hint().exact(), Some(200_005));
        let mut sizes = Vec::new();
        while let Some(frame) = body.frame().await {
            sizes.push(frame.unwrap().into_data().unwrap().len());
        }
        assert_eq!(sizes, [65_536, 65_536, 65_536, 3392, 5]);
        assert!(body.is_end_stream());
        assert!(!watch.source_failed());
    }

    #[tokio::test]
    async fn a_short_long_or_failing_source_is_told_from_a_network_error() {
        let failing = stream::iter([Ok(Bytes::from_static(b"ab")), Err(StagingError::Gone)]);
        for stream in [pieces(&[9]), pieces(&[11]), failing.boxed()] {
            let (body, watch) = FragmentBody::new(stream, 10);
            assert!(body.collect().await.is_err());
            assert!(watch.source_failed());
        }
    }

    #[tokio::test]
    async fn an_abandoned_body_ends_without_reading_its_source() {
        let (body, watch) = FragmentBody::new(pieces(&[10]), 10);
        drop(watch);
        assert!(matches!(body.collect().await, Err(BodyError::Abandoned)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_counts_from_the_last_frame() {
        let (mut body, watch) = FragmentBody::new(pieces(&[5, 5]), 10);
        let started = Instant::now();
        let frames = async {
            for _ in 0..2 {
                sleep(Duration::from_secs(8)).await;
                body.frame().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = frames => {}
            () = watch.stalled(Duration::from_secs(10)) => {}
        }
        assert_eq!(started.elapsed().as_secs(), 26);
    }
}
