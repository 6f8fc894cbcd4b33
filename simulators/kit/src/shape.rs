//! Traffic shaping: bandwidth and latency limits, per request and in total.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, sleep_until};

/// Size of the pieces in which bytes pass; small, so that a limited stream flows smoothly.
const PIECE: u64 = 64 * 1024;
/// Maximum delay that a line may catch up on. Timers fire a millisecond or two late, and a waiting
/// task is scheduled even later on a busy machine.
const CREDIT: Duration = Duration::from_millis(25);

/// A bandwidth and latency setting.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shape {
    /// Bandwidth limit of each request.
    #[serde(default)]
    pub bytes_per_second: Option<u64>,
    /// Bandwidth limit of all requests of this shape together.
    #[serde(default)]
    pub total_bytes_per_second: Option<u64>,
    /// Latency of each request, in milliseconds.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// Substring of the subjects it applies to. Absent: applies to subjects that no other shape
    /// matches.
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
    /// Time at which the shared line is free again.
    line: Mutex<Instant>,
}

/// All active shapes.
#[derive(Debug, Default)]
pub struct Shaper {
    active: Mutex<Vec<Arc<Active>>>,
}

impl Shaper {
    fn active(&self) -> MutexGuard<'_, Vec<Arc<Active>>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a shape, or replaces the one with the same `match`. A shape without any limit removes
    /// it.
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
            active.push(Arc::new(Active { shape, line: Mutex::new(Instant::now()) }));
        }
        Ok(())
    }

    /// Returns the active shapes.
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

    /// Waits for the latency of a request.
    pub async fn latency(&self, subject: &str) {
        let delay = self.find(subject).and_then(|active| active.shape.delay_ms);
        if let Some(delay) = delay {
            sleep(Duration::from_millis(delay)).await;
        }
    }

    /// Returns the line that one request sends or receives on.
    #[must_use]
    pub fn line(self: &Arc<Self>, subject: &str) -> Line {
        Line { shaper: Arc::clone(self), subject: subject.to_owned(), free_at: Instant::now() }
    }
}

/// Bandwidth-limited line of one request. It looks up its shape for every piece, so that a shape
/// set during a long request takes effect.
#[derive(Debug)]
pub struct Line {
    shaper: Arc<Shaper>,
    subject: String,
    /// Time at which this line is free again.
    free_at: Instant,
}

impl Line {
    /// Waits until `bytes` more may pass.
    pub async fn pass(&mut self, bytes: usize) {
        let mut remaining = bytes as u64;
        while remaining > 0 {
            let Some(active) = self.shaper.find(&self.subject) else {
                return;
            };
            let piece = remaining.min(PIECE);
            remaining -= piece;
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
            // A timer that is already due would still cost a millisecond, longer than a piece takes
            // at 65 MB/s.
            if until > Instant::now() {
                sleep_until(until).await;
            }
        }
    }
}

/// Returns when the line is free after `bytes` more. Deadlines add up from the previous one, not
/// from now, so that late timers do not lower the rate. An idle line catches up on [`CREDIT`] at
/// most.
fn advance(free_at: Instant, bytes: u64, rate: u64) -> Instant {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
    free_at.max(Instant::now().checked_sub(CREDIT).unwrap_or(free_at))
        + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX >> 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how many seconds 170 MB take, in frames of 256 KiB, under the limits of `shape`.
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

    /// Uses real time, because real timers are the ones that fire late. A busy machine is slower
    /// now and then; a limit that is too low by a third would show in every attempt.
    #[tokio::test]
    async fn fast_bandwidth_limit_is_accurate() {
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
