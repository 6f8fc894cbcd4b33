//! Request body that carries one fragment of a document to an upload URL.
//!
//! [`FragmentBody`] reads the bytes from a stream and has an exact length. The sender gives it to
//! the connection, and keeps a [`BodyWatch`]. With this handle, the sender observes the progress of
//! the body and stops it.

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

/// Maximum size of a frame. Larger chunks are split, so that progress on a slow connection is
/// visible even if the source yields megabytes at once.
const MAX_FRAME_BYTES: usize = 64 * 1024;

/// Reason why a body ended before its last byte.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The source failed, or yielded another number of bytes than announced.
    #[error("the source of the body failed")]
    Source,
    /// The sender dropped the request and no longer waits for the response.
    #[error("the request was abandoned")]
    Abandoned,
}

/// Request body with a known size. Because the size is known, hyper sends `Content-Length` and does
/// not use chunked transfer encoding.
pub(crate) struct FragmentBody {
    stream: ByteStream,
    /// Part of the stream's last chunk that has not been sent yet.
    unsent_chunk: Bytes,
    /// Number of bytes of the body that have not been sent yet.
    remaining: u64,
    state: Arc<State>,
}

/// State shared by a [`FragmentBody`] and its [`BodyWatch`].
struct State {
    created_at: Instant,
    /// Time at which the connection took the last frame, in milliseconds after `created_at`.
    last_frame_ms: AtomicU64,
    /// Whether the source of the bytes failed.
    source_failed: AtomicBool,
    /// Whether the sender dropped the request.
    abandoned: AtomicBool,
}

/// Handle to a body that the connection sends. When the handle is dropped, the body ends
/// with [`BodyError::Abandoned`], even if the connection is still sending it in the background.
pub(crate) struct BodyWatch(Arc<State>);

impl FragmentBody {
    /// Creates a body that yields the bytes of `stream`. It fails if the stream does not yield
    /// exactly `len` bytes.
    pub(crate) fn new(stream: ByteStream, len: u64) -> (Self, BodyWatch) {
        let state = Arc::new(State {
            created_at: Instant::now(),
            last_frame_ms: AtomicU64::new(0),
            source_failed: AtomicBool::new(false),
            abandoned: AtomicBool::new(false),
        });
        let watch = BodyWatch(Arc::clone(&state));
        let body = Self { stream, unsent_chunk: Bytes::new(), remaining: len, state };
        (body, watch)
    }

    /// Creates a body without bytes.
    pub(crate) fn empty() -> (Self, BodyWatch) {
        Self::new(futures::stream::empty().boxed(), 0)
    }

    /// Records that the source failed, and ends the body with an error.
    fn fail(&self) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.state.source_failed.store(true, Ordering::Release);
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
        while this.unsent_chunk.is_empty() {
            if this.remaining == 0 {
                return Poll::Ready(None);
            }
            match ready!(this.stream.poll_next_unpin(cx)) {
                Some(Ok(chunk)) if chunk.len() as u64 <= this.remaining => {
                    this.unsent_chunk = chunk;
                }
                Some(_) | None => return this.fail(),
            }
        }
        let frame = this.unsent_chunk.split_to(this.unsent_chunk.len().min(MAX_FRAME_BYTES));
        this.remaining -= frame.len() as u64;
        let elapsed = this.state.created_at.elapsed().as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        this.state.last_frame_ms.store(elapsed, Ordering::Release);
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

impl BodyWatch {
    /// Returns whether the request ended because the source of the bytes failed. If this returns
    /// false, the network ended the request.
    pub(crate) fn source_failed(&self) -> bool {
        self.0.source_failed.load(Ordering::Acquire)
    }

    /// Completes once the connection has taken no frame for the time `limit`.
    pub(crate) async fn stalled(&self, limit: Duration) {
        loop {
            let last_frame = Duration::from_millis(self.0.last_frame_ms.load(Ordering::Acquire));
            let idle = self.0.created_at.elapsed().saturating_sub(last_frame);
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
    use docferry_app::ports::ExchangeError;
    use futures::stream;
    use http_body_util::BodyExt as _;

    use super::*;

    /// Returns a stream of chunks with these lengths.
    fn stream_of_chunks(lengths: &[usize]) -> ByteStream {
        let chunks: Vec<_> =
            lengths.iter().map(|length| Ok(Bytes::from(vec![7; *length]))).collect();
        stream::iter(chunks).boxed()
    }

    #[tokio::test]
    async fn body_yields_exactly_the_announced_bytes_in_small_frames() {
        let stream = stream_of_chunks(&[0, 200_000, 0, 5]);
        let (mut body, watch) = FragmentBody::new(stream, 200_005);
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
    async fn body_of_a_short_long_or_failing_stream_reports_a_source_failure() {
        let too_short = stream_of_chunks(&[9]);
        let too_long = stream_of_chunks(&[11]);
        let failing = stream::iter([Ok(Bytes::from_static(b"ab")), Err(ExchangeError::Gone)]);
        for stream in [too_short, too_long, failing.boxed()] {
            let (body, watch) = FragmentBody::new(stream, 10);

            assert!(body.collect().await.is_err());
            assert!(watch.source_failed());
        }
    }

    #[tokio::test]
    async fn abandoned_body_ends_without_reading_its_source() {
        let (body, watch) = FragmentBody::new(stream_of_chunks(&[10]), 10);

        drop(watch);

        assert!(matches!(body.collect().await, Err(BodyError::Abandoned)));
    }

    #[tokio::test(start_paused = true)]
    async fn stall_timeout_starts_at_the_last_frame() {
        let (mut body, watch) = FragmentBody::new(stream_of_chunks(&[5, 5]), 10);
        let started = Instant::now();
        let take_two_frames_at_8_and_16_seconds = async {
            for _ in 0..2 {
                sleep(Duration::from_secs(8)).await;
                body.frame().await;
            }
            std::future::pending::<()>().await;
        };

        tokio::select! {
            () = take_two_frames_at_8_and_16_seconds => {}
            () = watch.stalled(Duration::from_secs(10)) => {}
        }

        assert_eq!(started.elapsed().as_secs(), 16 + 10);
    }
}
