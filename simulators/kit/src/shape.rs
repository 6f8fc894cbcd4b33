//! Traffic shaping in the simulators: limits of bandwidth and added latency, for each request and
//! for all requests together.
//!
//! A test sets a [`Shape`] for some subjects. A *subject* is the object that a request concerns,
//! such as a user and path. The handler of a request passes its bytes through a [`Line`], which
//! delays them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, sleep_until};

/// Size in bytes of the pieces in which a line passes its bytes. Pieces are small, so that a
/// limited stream flows evenly.
const PIECE_SIZE: u64 = 64 * 1024;
/// Maximum delay that a line compensates by sending faster. Timers fire a millisecond or two late,
/// and a busy machine schedules a waiting task even later.
const MAX_CATCH_UP: Duration = Duration::from_millis(25);
/// Number of nanoseconds in a second.
const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Limits of bandwidth and latency for the requests with some subjects.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shape {
    /// Bandwidth limit of each request.
    #[serde(default)]
    pub bytes_per_second: Option<u64>,
    /// Bandwidth limit of all requests together to which this shape applies.
    #[serde(default)]
    pub total_bytes_per_second: Option<u64>,
    /// Latency added to each request, in milliseconds.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// Substring of the subjects to which the shape applies. A shape without it applies to the
    /// subjects that match no shape with a substring.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matching: Option<String>,
}

impl Shape {
    fn is_empty(&self) -> bool {
        self.bytes_per_second.is_none()
            && self.total_bytes_per_second.is_none()
            && self.delay_ms.is_none()
    }
}

/// A shape that a test has set, with the state of its shared limit.
#[derive(Debug)]
struct ActiveShape {
    shape: Shape,
    /// Time from which the requests of the shape may pass more bytes, under the limit that they
    /// share.
    shared_free_at: Mutex<Instant>,
}

/// All active shapes.
#[derive(Debug, Default)]
pub struct Shaper {
    active: Mutex<Vec<Arc<ActiveShape>>>,
}

impl Shaper {
    fn active(&self) -> MutexGuard<'_, Vec<Arc<ActiveShape>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a shape, or replaces the shape with the same `match`. A new shape without any limit
    /// only removes the old shape.
    ///
    /// # Errors
    /// Returns the message for the 400 response.
    pub fn set(&self, shape: Shape) -> Result<(), String> {
        if shape.bytes_per_second == Some(0) || shape.total_bytes_per_second == Some(0) {
            return Err("a bandwidth of 0 would never end; use a fault with delayMs".to_owned());
        }
        let mut active = self.active();
        active.retain(|other| other.shape.matching != shape.matching);
        if !shape.is_empty() {
            let shared_free_at = Mutex::new(Instant::now());
            active.push(Arc::new(ActiveShape { shape, shared_free_at }));
        }
        Ok(())
    }

    /// Returns the active shapes.
    #[must_use]
    pub fn list(&self) -> Vec<Shape> {
        self.active().iter().map(|active| active.shape.clone()).collect()
    }

    /// Returns the shape that applies to a subject.
    fn find(&self, subject: &str) -> Option<Arc<ActiveShape>> {
        let active = self.active();
        let matches_subject = |entry: &&Arc<ActiveShape>| {
            entry.shape.matching.as_deref().is_some_and(|substring| subject.contains(substring))
        };
        active
            .iter()
            .find(matches_subject)
            .or_else(|| active.iter().find(|entry| entry.shape.matching.is_none()))
            .cloned()
    }

    /// Waits as long as the latency that the active shape adds to a request.
    pub async fn latency(&self, subject: &str) {
        let delay = self.find(subject).and_then(|active| active.shape.delay_ms);
        if let Some(delay) = delay {
            sleep(Duration::from_millis(delay)).await;
        }
    }

    /// Returns the line for the body of one request.
    #[must_use]
    pub fn line(self: &Arc<Self>, subject: &str) -> Line {
        Line { shaper: Arc::clone(self), subject: subject.to_owned(), free_at: Instant::now() }
    }
}

/// Bandwidth-limited line on which one request sends or receives its body.
///
/// The line looks up its shape for every piece, so that a shape that is set during a long request
/// takes effect.
#[derive(Debug)]
pub struct Line {
    shaper: Arc<Shaper>,
    subject: String,
    /// Time from which this line may pass more bytes.
    free_at: Instant,
}

impl Line {
    /// Waits until this number of bytes may pass.
    pub async fn pass(&mut self, bytes: usize) {
        let mut remaining = bytes as u64;
        while remaining > 0 {
            let Some(active) = self.shaper.find(&self.subject) else {
                return;
            };
            let piece = remaining.min(PIECE_SIZE);
            remaining -= piece;
            let mut until = Instant::now();
            if let Some(rate) = active.shape.bytes_per_second {
                self.free_at = advance(self.free_at, piece, rate);
                until = until.max(self.free_at);
            }
            if let Some(rate) = active.shape.total_bytes_per_second {
                let mut shared_free_at =
                    active.shared_free_at.lock().unwrap_or_else(PoisonError::into_inner);
                *shared_free_at = advance(*shared_free_at, piece, rate);
                until = until.max(*shared_free_at);
            }
            // Even a timer that is already due costs a millisecond, the time of a whole piece at
            // 65 MB/s.
            if until > Instant::now() {
                sleep_until(until).await;
            }
        }
    }
}

/// Returns the new value of `free_at` after a line has passed `bytes` at `rate` bytes per second.
///
/// The value is computed from the old value and not from the current time, so that late timers do
/// not lower the rate. A line that was idle catches up at most [`MAX_CATCH_UP`].
fn advance(free_at: Instant, bytes: u64, rate: u64) -> Instant {
    let nanos = u128::from(bytes) * NANOS_PER_SECOND / u128::from(rate.max(1));
    let earliest = Instant::now().checked_sub(MAX_CATCH_UP).unwrap_or(free_at);
    // Half of the maximum, because the sum must not overflow.
    free_at.max(earliest) + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Size in bytes of the frames that the tests pass.
    const FRAME: usize = 256 * 1024;
    /// Number of frames that contain 170 MB together.
    const FRAMES: usize = 649;

    /// Returns how many seconds 170 MB take under the limits of `shape`.
    async fn seconds_for_170_mb(shape: Shape) -> f64 {
        let shaper = Arc::new(Shaper::default());
        shaper.set(shape).unwrap();
        let start = Instant::now();
        let mut line = shaper.line("anything");
        for _ in 0..FRAMES {
            line.pass(FRAME).await;
        }
        start.elapsed().as_secs_f64()
    }

    /// Both kinds of limit are 85 MB/s, so 170 MB take two seconds.
    ///
    /// The test uses real time, because only real timers fire late. It makes up to five attempts,
    /// because a busy machine is slower now and then. A limit that is a third too low fails in
    /// every attempt.
    #[tokio::test]
    async fn fast_bandwidth_limit_is_accurate() {
        let limit = Some(85_000_000);
        for shape in [
            Shape { bytes_per_second: limit, ..Shape::default() },
            Shape { total_bytes_per_second: limit, ..Shape::default() },
        ] {
            let mut took = Vec::new();
            while took.last().is_none_or(|last| *last >= 2.4) && took.len() < 5 {
                took.push(seconds_for_170_mb(shape.clone()).await);
            }
            assert!(took.iter().all(|took| *took >= 1.97), "{took:?} s instead of 2");
            assert!(took.last().is_some_and(|last| *last < 2.4), "{took:?} s instead of 2");
        }
    }
}
