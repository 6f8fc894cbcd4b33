//! `cargo xtask bench transfer`: compares the `upload` function with rclone in the same
//! environment.

mod cost;
mod memory;
mod shaped;

use anyhow::Result;
use serde_json::{Value, json};

use super::clients::{Rclone, Run, docferry};
use super::figures::{median, seconds};
use super::report::Report;
use super::stack::{BenchStack, TestFile};

const MB: u64 = 1_000_000;
const GB: u64 = 1000 * MB;

/// Bandwidth of a connection to the simulated S3 or Graph.
const BYTES_PER_SECOND: u64 = 85 * MB;
/// Latency of each request to the simulated Graph.
const DELAY_MILLISECONDS: u64 = 100;

/// Divisor of the file sizes with the option `--quick`.
const QUICK_DIVISOR: u64 = 16;

/// Chunk sizes from which the fastest one for rclone is chosen.
///
/// A chunk size must be a multiple of 320 KiB below 60 MiB. It must also have at most three
/// decimals in MiB, because rclone cannot read a value with more decimals from its own
/// configuration.
const CHUNK_SIZES: [&str; 4] = ["20M", "30M", "40M", "57.5M"];

pub(crate) async fn run(
    stack: &BenchStack,
    pairs: u32,
    quick: bool,
    report: &mut Report,
) -> Result<()> {
    let rclone = Rclone::new(stack).await?;
    let pairs = if quick { 1 } else { pairs };
    let bench = TransferBench { stack, rclone, pairs, quick };
    bench.shaped(report).await?;
    bench.unshaped(report).await?;
    bench.memory(report).await?;
    bench.cost(report).await
}

/// Benchmark of transfers in a running environment.
struct TransferBench<'a> {
    stack: &'a BenchStack,
    rclone: Rclone,
    /// Number of times that docferry and rclone run in turn.
    pairs: u32,
    /// Whether file sizes are reduced.
    quick: bool,
}

/// Runs of docferry, and of rclone with two chunk sizes. These three kinds of runs alternate, so
/// that additional load on the machine affects each kind equally.
#[derive(Debug, Default)]
struct Runs {
    /// Runs of docferry.
    ours: Vec<Run>,
    /// Runs of rclone with its default chunk size.
    rclone_default: Vec<Run>,
    /// Runs of rclone with the fastest chunk size.
    rclone_best: Vec<Run>,
}

impl TransferBench<'_> {
    /// Returns the file sizes, reduced if the option `--quick` is set.
    fn sizes(&self, sizes: &[u64]) -> Vec<u64> {
        sizes.iter().map(|size| if self.quick { size / QUICK_DIVISOR } else { *size }).collect()
    }

    async fn test_file(&self, size: u64) -> Result<TestFile> {
        self.stack.test_file(size).await
    }

    /// Runs docferry once, with a new test file.
    async fn ours(&self, size: u64) -> Result<Run> {
        let test_file = self.test_file(size).await?;
        docferry(self.stack, &test_file, &self.stack.emulator.url).await
    }

    /// Runs rclone once, with a new test file.
    async fn rclone(&self, size: u64, chunk: Option<&str>) -> Result<Run> {
        let test_file = self.test_file(size).await?;
        self.rclone.upload(self.stack, &test_file, chunk).await
    }

    /// Returns the chunk size with which rclone is fastest. Each chunk size is tried once.
    async fn fastest_chunk_size(&self, size: u64) -> Result<&'static str> {
        let mut fastest = (std::time::Duration::MAX, CHUNK_SIZES[0]);
        for chunk in CHUNK_SIZES {
            let took = self.rclone(size, Some(chunk)).await?.took;
            println!("rclone in chunks of {chunk}: {} s", seconds(took));
            fastest = fastest.min((took, chunk));
        }
        let (_, chunk) = fastest;
        Ok(chunk)
    }

    /// Runs docferry and rclone in turn, `self.pairs` times.
    async fn compare(&self, size: u64, chunk: &str) -> Result<Runs> {
        let mut runs = Runs::default();
        for pair in 1..=self.pairs {
            runs.ours.push(self.ours(size).await?);
            runs.rclone_default.push(self.rclone(size, None).await?);
            runs.rclone_best.push(self.rclone(size, Some(chunk)).await?);
            let last = |runs: &[Run]| seconds(runs.last().copied().unwrap_or_default().took);
            println!(
                "{} MB, {pair} of {}: docferry {} s, rclone {} s, with its best chunk size {} s",
                size / MB,
                self.pairs,
                last(&runs.ours),
                last(&runs.rclone_default),
                last(&runs.rclone_best)
            );
        }
        Ok(runs)
    }

    /// Sets the bandwidth and latency of the simulators to typical values between AWS and OneDrive.
    async fn shape(&self) -> Result<()> {
        let graph = json!({
            "bytesPerSecond": BYTES_PER_SECOND, "delayMs": DELAY_MILLISECONDS,
        });
        self.stack.shape(&json!({ "bytesPerSecond": BYTES_PER_SECOND }), &graph).await
    }

    async fn remove_limits(&self) -> Result<()> {
        let no_limits: Value = json!({});
        self.stack.shape(&no_limits, &no_limits).await
    }
}

fn size_text(size: u64) -> String {
    if size >= GB && size.is_multiple_of(GB) {
        format!("{} GB", size / GB)
    } else if size >= MB {
        format!("{} MB", size / MB)
    } else {
        format!("{} kB", size / 1000)
    }
}

fn median_seconds(runs: &[Run]) -> f64 {
    median(&runs.iter().map(|run| run.took).collect::<Vec<_>>()).as_secs_f64()
}

fn median_of(runs: &[Run], value: impl Fn(&Run) -> u64) -> u64 {
    median(&runs.iter().map(value).collect::<Vec<_>>())
}
