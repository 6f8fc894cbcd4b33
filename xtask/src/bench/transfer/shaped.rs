//! Measures the duration of a transfer, and compares it with rclone and with a theoretical lower
//! bound.
//!
//! "Shaped" means that the simulators limit their bandwidth and delay their responses.

use anyhow::Result;

use super::{
    BYTES_PER_SECOND, DELAY_MILLISECONDS, GB, MB, Runs, TransferBench, median_of, median_seconds,
    size_text,
};
use crate::bench::report::{Report, TargetResult};

/// Number of requests before the first fragment: for the token, the user and the session.
const SESSION_REQUESTS: u64 = 3;

/// Target: docferry takes at most this multiple of the lower bound.
const MAX_OF_BOUND: f64 = 1.05;
/// Target: rclone with its default chunk size takes at least this multiple of docferry's time.
const MIN_OF_RCLONE_DEFAULT: f64 = 1.4;
/// Target: rclone with its fastest chunk size takes at least this multiple of docferry's time.
const MIN_OF_RCLONE_BEST: f64 = 1.25;

impl TransferBench<'_> {
    /// Measures with the bandwidth and latency that are typical between AWS and OneDrive.
    pub(super) async fn shaped(&self, report: &mut Report) -> Result<()> {
        self.shape().await?;
        let sizes = self.sizes(&[256 * MB, GB]);
        let chunk = self.fastest_chunk_size(sizes[0]).await?;
        let mut rows = Vec::new();
        for size in sizes {
            let runs = self.compare(size, chunk).await?;
            rows.push(shaped_row(size, &runs));
        }
        let caption = format!(
            "**Shaped**: S3 and Graph {} MB/s a connection, {DELAY_MILLISECONDS} ms before each \
             answer of Graph; medians of {} runs in turn, each from the start of the process. \
             rclone's best chunk size here: {chunk}. The bound is `size / bandwidth + fragments × \
             delay + {SESSION_REQUESTS} × delay`, with the fragments that docferry sent. Targets: \
             rclone takes ≥ {MIN_OF_RCLONE_DEFAULT} times as long with its defaults and ≥ \
             {MIN_OF_RCLONE_BEST} times at its best; docferry takes ≤ {MAX_OF_BOUND} times the \
             bound.",
            BYTES_PER_SECOND / MB,
            self.pairs,
        );
        let head = [
            "size",
            "docferry",
            "fragments",
            "bound",
            "of the bound",
            "rclone",
            "",
            "at its best",
            "",
        ];
        report.table(&caption, &head, &rows);
        Ok(())
    }

    /// Measures without limits, as fast as the machine allows.
    pub(super) async fn unshaped(&self, report: &mut Report) -> Result<()> {
        self.remove_limits().await?;
        let size = self.sizes(&[GB])[0];
        let chunk = self.fastest_chunk_size(size).await?;
        let runs = self.compare(size, chunk).await?;
        let Medians { ours, rclone_default, rclone_best } = Medians::of(&runs);
        let row = vec![
            size_text(size),
            format!("{ours:.2} s"),
            format!("{rclone_default:.2} s"),
            format!("× {:.2}", rclone_default / ours),
            format!("{rclone_best:.2} s"),
            at_least(rclone_best / ours, 1.0),
        ];
        let caption = format!(
            "**Unshaped**: medians of {} runs in turn; rclone's best chunk size here: {chunk}. \
             All programs share the machine's processors with the simulators. Target: not slower \
             than rclone at its best.",
            self.pairs,
        );
        report.table(&caption, &["size", "docferry", "rclone", "", "at its best", ""], &[row]);
        Ok(())
    }
}

/// Returns the row of the table of shaped transfers.
fn shaped_row(size: u64, runs: &Runs) -> Vec<String> {
    let Medians { ours, rclone_default, rclone_best } = Medians::of(runs);
    let fragments = median_of(&runs.ours, |run| run.fragments);
    let bound = lower_bound(size, fragments);
    vec![
        size_text(size),
        format!("{ours:.2} s"),
        fragments.to_string(),
        format!("{bound:.2} s"),
        TargetResult::at_most(ours / bound, MAX_OF_BOUND)
            .describe(&format!("× {:.3}", ours / bound)),
        format!("{rclone_default:.2} s"),
        at_least(rclone_default / ours, MIN_OF_RCLONE_DEFAULT),
        format!("{rclone_best:.2} s"),
        at_least(rclone_best / ours, MIN_OF_RCLONE_BEST),
    ]
}

/// Median durations in seconds, by program.
struct Medians {
    ours: f64,
    rclone_default: f64,
    rclone_best: f64,
}

impl Medians {
    fn of(runs: &Runs) -> Self {
        Self {
            ours: median_seconds(&runs.ours),
            rclone_default: median_seconds(&runs.rclone_default),
            rclone_best: median_seconds(&runs.rclone_best),
        }
    }
}

/// Returns the text of a ratio that should not be less than the target.
fn at_least(ratio: f64, target: f64) -> String {
    TargetResult::at_most(target, ratio).describe(&format!("× {ratio:.2}"))
}

/// Returns the lower bound of a transfer's duration in seconds. Reading and writing have the same
/// bandwidth and happen at the same time, so the size counts only once.
#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^52")]
fn lower_bound(size: u64, fragments: u64) -> f64 {
    let requests = (fragments + SESSION_REQUESTS) * DELAY_MILLISECONDS;
    size as f64 / BYTES_PER_SECOND as f64 + requests as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_bound_includes_a_delay_for_each_request() {
        // The bytes take 1 s. The 7 fragments and the 3 requests before them add 10 × 100 ms.
        let seconds = lower_bound(BYTES_PER_SECOND, 7);
        assert!((seconds - 2.0).abs() < 1e-9, "{seconds}");
    }
}
