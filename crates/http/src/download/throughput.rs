//! Throughput of a job and its estimated remaining time. Both are calculated from the measurements
//! in the records of the documents that are being uploaded.

use docferry_domain::phase::Phase;
use docferry_domain::transfer::Transfer;
use docferry_domain::upload::eta_seconds;
use jiff::Timestamp;

/// Measured throughput of a job, and the time that it needs for the remaining bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobThroughput {
    /// Bytes per second, summed over all documents.
    pub(super) per_second: u64,
    /// Estimated remaining time in seconds, if the sizes of all documents are known.
    pub(super) eta_seconds: Option<u64>,
}

/// Returns the throughput of the job with these documents. Returns `None` if no document is being
/// uploaded, or if no document has a recent measurement.
pub(super) fn throughput(documents: &[Transfer], now: Timestamp) -> Option<JobThroughput> {
    let is_running = |document: &&Transfer| !document.phase.is_terminal();
    let measurement = |document: &Transfer| {
        let last = document.checkpoint.as_ref().and_then(|checkpoint| checkpoint.throughput);
        last.filter(|_| document.phase == Phase::Uploading)
    };
    let bytes_per_second = |document: &Transfer| measurement(document)?.per_second(now);
    let per_second = documents.iter().filter_map(bytes_per_second).reduce(u64::saturating_add)?;
    let remaining_bytes: Option<u64> = documents
        .iter()
        .filter(is_running)
        .map(|document| {
            let source = document.source.as_ref().filter(|_| document.phase > Phase::Pushing)?;
            let unsent = source.size.saturating_sub(document.bytes_done);
            // The record is updated only at checkpoints. Estimate the bytes sent since the last
            // one.
            let sent_since_checkpoint = measurement(document)
                .map_or(0, |measurement| measurement.estimated_bytes_since(now));
            Some(unsent.saturating_sub(sent_since_checkpoint))
        })
        .sum();
    let eta_seconds = remaining_bytes.and_then(|bytes| eta_seconds(bytes, per_second));
    Some(JobThroughput { per_second, eta_seconds })
}
