//! `bench transfer`: compares the `upload` function with rclone in the same environment.

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

/// Bandwidth of a connection, on either side.
const BYTES_PER_SECOND: u64 = 85 * MB;
/// Latency of each request to Graph.
const DELAY_MILLISECONDS: u64 = 100;

/// Chunk sizes tried with rclone: below 60 MiB, multiples of 320 KiB, and with at most three
/// decimals of a MiB, so that rclone can read back the value that it writes.
const CHUNKS: [&str; 4] = ["20M", "30M", "40M", "57.5M"];

pub(crate) async fn run(
    stack: &BenchStack,
    pairs: u32,
    quick: bool,
    report: &mut Report,
) -> Result<()> {
    let rclone = Rclone::new(stack).await?;
    let pairs = if quick { 1 } else { pairs };
    let bench = Transfers { stack, rclone, pairs, quick };
    bench.shaped(report).await?;
    bench.unshaped(report).await?;
    bench.memory(report).await?;
    bench.cost(report).await
}

struct Transfers<'a> {
    stack: &'a BenchStack,
    rclone: Rclone,
    pairs: u32,
    /// Whether file sizes are reduced.
    quick: bool,
}

/// Runs of all three programs. They alternate, so that other load on the machine affects all of
/// them alike.
#[derive(Debug, Default)]
/// Runs of docferry.
struct Runs {
    /// Runs of rclone with its default chunk size.
    ours: Vec<Run>,
    /// Runs of rclone with the fastest chunk size.
    default: Vec<Run>,
    best: Vec<Run>,
}

impl Transfers<'_> {
    fn sizes(&self, sizes: &[u64]) -> Vec<u64> {
        sizes.iter().map(|size| if self.quick { size / 16 } else { *size }).collect()
    }

    async fn test_file(&self, size: u64) -> Result<TestFile> {
        self.stack.test_file(size).await
    }

    async fn ours(&self, size: u64) -> Result<Run> {
        let test_file = self.test_file(size).await?;
        docferry(self.stack, &test_file, &self.stack.emulator.url).await
    }

    async fn rclone(&self, size: u64, chunk: Option<&str>) -> Result<Run> {
        let test_file = self.test_file(size).await?;
        self.rclone.carry(self.stack, &test_file, chunk).await
    }

    /// Returns the fastest chunk size of rclone; each is tried once.
    async fn tune(&self, size: u64) -> Result<&'static str> {
        let mut best = (std::time::Duration::MAX, CHUNKS[0]);
        for chunk in CHUNKS {
            let took = self.rclone(size, Some(chunk)).await?.took;
            println!("rclone in chunks of {chunk}: {} s", seconds(took));
            best = best.min((took, chunk));
        }
        Ok(best.1)
    }

    async fn compare(&self, size: u64, chunk: &str) -> Result<Runs> {
        let mut runs = Runs::default();
        for pair in 1..=self.pairs {
            runs.ours.push(self.ours(size).await?);
            runs.default.push(self.rclone(size, None).await?);
            runs.best.push(self.rclone(size, Some(chunk)).await?);
            let last = |runs: &[Run]| seconds(runs.last().copied().unwrap_or_default().took);
            println!(
                "{} MB, {pair} of {}: docferry {} s, rclone {} s, with its best chunk size {} s",
                size / MB,
                self.pairs,
                last(&runs.ours),
                last(&runs.default),
                last(&runs.best)
            );
        }
        Ok(runs)
    }

    async fn shape(&self) -> Result<()> {
        let graph = json!({
            "bytesPerSecond": BYTES_PER_SECOND, "delayMs": DELAY_MILLISECONDS,
        });
        self.stack.shape(&json!({ "bytesPerSecond": BYTES_PER_SECOND }), &graph).await
    }

    async fn remove_limits(&self) -> Result<()> {
        let nothing: Value = json!({});
        self.stack.shape(&nothing, &nothing).await
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
