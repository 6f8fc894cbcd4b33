//! Measures the peak memory of a transfer at several file sizes.

use anyhow::Result;

use super::{GB, MB, TransferBench, size_text};
use crate::bench::report::{Report, TargetResult, megabytes};

/// Upper limit of the peak memory of `upload`, as a target.
const MAX_MEMORY: u64 = 48 * MB;

impl TransferBench<'_> {
    /// Measures without limits of bandwidth.
    pub(super) async fn memory(&self, report: &mut Report) -> Result<()> {
        self.remove_limits().await?;
        let mut rows = Vec::new();
        for size in self.sizes(&[64 * MB, GB, 10 * GB]) {
            let ours = self.ours(size).await?;
            let rclone_default = self.rclone(size, None).await?;
            let rclone_largest_chunks = self.rclone(size, Some("57.5M")).await?;
            println!("{}: docferry {}", size_text(size), megabytes(ours.peak_memory));
            rows.push(vec![
                size_text(size),
                TargetResult::at_most(ours.peak_memory, MAX_MEMORY)
                    .describe(&megabytes(ours.peak_memory)),
                megabytes(rclone_default.peak_memory),
                megabytes(rclone_largest_chunks.peak_memory),
            ]);
        }
        let caption = format!(
            "**Peak memory** (`VmHWM` of the process), unshaped, one run each. Target: ≤ {} at \
             every size.",
            megabytes(MAX_MEMORY)
        );
        report.table(&caption, &["size", "docferry", "rclone", "rclone in chunks of 57.5M"], &rows);
        Ok(())
    }
}
