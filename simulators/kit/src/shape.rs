//! Bandwidth and latency, per request and in total.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, sleep_until};

/// Bytes that pass at once; small, so that a limited stream flows smoothly.
const PIECE: u64 = 64 * 1024;
/// How much a line may make up for: timers are a millisecond or two late, and on a
/// busy machine whoever waited gets its turn later still.
const CREDIT: Duration = Duration::from_millis(25);

/// A bandwidth and latency setting.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shape {
    /// Limit of each request.
    #[serde(default)]
    pub bytes_per_second: Option<u64>,
    /// Limit of all requests of this shape together.
    #[serde(default)]
    pub total_bytes_per_second: Option<u64>,
    /// Latency of each request.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// Only for subjects that contain this; absent = for those no other shape names.
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

#[derive(Debug)]
struct Active {
    shape: Shape,
    /// When the shared line is free again.
    line: Mutex<Instant>,
}

/// The shapes in force.
#[derive(Debug, Default)]
pub struct Shaper {
    active: Mutex<Vec<Arc<Active>>>,
}

impl Shaper {
    fn active(&self) -> MutexGuard<'_, Vec<Arc<Active>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets a shape in place of the one with the same `match`; one without any limit removes it.
    ///
    /// # Errors
    /// The words for the 400 answer.
    pub fn set(&self, shape: Shape) -> Result<(), String> {
        if shape.bytes_per_second == Some(0) || shape.total_bytes_per_second == Some(0) {
            return Err("a bandwidth of 0 would never end; use a fault with delayMs".to_owned());
        }
        let mut active = self.active();
        active.retain(|other| other.shape.matching != shape.matching);
        if !shape.is_empty() {
            active.push(Arc::new(Active { shape, line: Mutex::new(Instant::now()) }));
        }
        Ok(())
    }

    /// The shapes in force.
    #[must_use]
    pub fn list(&self) -> Vec<Shape> {
        self.active().iter().map(|active| active.shape.clone()).collect()
    }

    fn find(&self, subject: &str) -> Option<Arc<Active>> {
        let active = self.active();
        let named = |entry: &&Arc<Active>| {
            entry.shape.matching.as_deref().is_some_and(|part| subject.contains(part))
        };
        active
            .iter()
            .find(named)
            .or_else(|| active.iter().find(|entry| entry.shape.matching.is_none()))
            .cloned()
    }

    /// The latency of a request.
    pub async fn latency(&self, subject: &str) {
        let delay = self.find(subject).and_then(|active| active.shape.delay_ms);
        if let Some(delay) = delay {
            sleep(Duration::from_millis(delay)).await;
        }
    }

    /// The line one request sends or receives on.
    #[must_use]
    pub fn line(self: &Arc<Self>, subject: &str) -> Line {
        Line { shaper: Arc::clone(self), subject: subject.to_owned(), free_at: Instant::now() }
    }
}

/// One request's line. It looks its shape up again for every piece, so that a
/// shape set in the middle of a long request takes effect.
#[derive(Debug)]
pub struct Line {
    shaper: Arc<Shaper>,
    subject: String,
    free_at: Instant,
}

impl Line {
    /// Returns when `bytes` more may have passed.
    pub async fn pass(&mut self, bytes: usize) {
        let mut left = bytes as u64;
        while left > 0 {
            let Some(active) = self.shaper.find(&self.subject) else {
                return;
            };
            let piece = left.min(PIECE);
            left -= piece;
            let mut until = Instant::now();
            if let Some(rate) = active.shape.bytes_per_second {
                self.free_at = advance(self.free_at, piece, rate);
                until = until.max(self.free_at);
            }
            if let Some(rate) = active.shape.total_bytes_per_second {
                let mut line = active.line.lock().unwrap_or_else(PoisonError::into_inner);
                *line = advance(*line, piece, rate);
                until = until.max(*line);
            }
            // A timer whose time has come already would still cost a millisecond, which
            // is more than a piece takes at 65 MB/s.
            if until > Instant::now() {
                sleep_until(until).await;
            }
        }
    }
}

/// Deadlines add up from the last one, not from now, so that late timers do not
/// lower the rate; a line that was idle has no more than [`CREDIT`] to make up for.
fn advance(free_at: Instant, bytes: u64, rate: u64) -> Instant {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
    free_at.max(Instant::now().checked_sub(CREDIT).unwrap_or(free_at))
        + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX >> 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds that 170 MB take, in frames of 256 KiB, under a limit of 85 MB/s.
    async fn seconds(shape: Shape) -> f64 {
        let shaper = Arc::new(Shaper::default());
        shaper.set(shape).unwrap();
        let start = Instant::now();
        let mut line = shaper.line("anything");
        for _ in 0..649 {
            line.pass(256 * 1024).await;
        }
        start.elapsed().as_secs_f64()
    }

    /// In real time, because it is real timers that are late. A busy machine takes longer
    /// now and then; a limit that is too low by a third would show each time.
    #[tokio::test]
    async fn a_fast_line_is_as_fast_as_it_is_said_to_be() {
        let limit = Some(85_000_000);
        for shape in [
            Shape { bytes_per_second: limit, ..Shape::default() },
            Shape { total_bytes_per_second: limit, ..Shape::default() },
        ] {
            let mut took = Vec::new();
            while took.last().is_none_or(|last| *last >= 2.4) && took.len() < 5 {
                took.push(seconds(shape.clone()).await);
            }
            assert!(took.iter().all(|took| *took >= 1.97), "{took:?} s instead of 2");
            assert!(took.last().is_some_and(|last| *last < 2.4), "{took:?} s instead of 2");
        }
    }
}
