//! `cargo xtask bench`: benchmarks against rclone and against theoretical limits.

mod clients;
mod counting;
mod ground;
mod line;
mod process;
mod report;
mod runtime;
mod start;
mod transfer;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::binaries::{self, FUNCTIONS};
use crate::paths::Paths;
use crate::tools::Tools;

use ground::Ground;
use report::Report;

#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Measure time, memory and cost of a transfer, compared with rclone.
    Transfer {
        #[command(flatten)]
        options: Options,
        /// Number of runs of each program; their medians are compared.
        #[arg(long, value_name = "N", default_value_t = 5)]
        pairs: u32,
        /// Use small files and one run, to test the benchmark itself.
        #[arg(long)]
        quick: bool,
    },
    /// Measure the size, start time and memory of each function.
    Start {
        #[command(flatten)]
        options: Options,
        /// Number of starts of each function.
        #[arg(long, value_name = "N", default_value_t = 20)]
        starts: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Use the debug build, to test the benchmark itself.
    #[arg(long)]
    debug_build: bool,
    /// Write the tables into docs/BENCHMARKS.md.
    #[arg(long)]
    write: bool,
}

/// The build to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    Debug,
    Release,
}

impl Build {
    const SIMULATORS: [&str; 2] = ["docferry-sim-graph", "docferry-sim-s3"];

    fn of(options: &Options) -> Self {
        if options.debug_build { Self::Debug } else { Self::Release }
    }

    /// Returns the path of a program of this build.
    pub(crate) fn program(self, paths: &Paths, name: &str) -> PathBuf {
        paths.target.join(if self == Self::Debug { "debug" } else { "release" }).join(name)
    }

    fn make(self, paths: &Paths, functions: &[&str]) -> Result<()> {
        println!(
            "Building the measured programs ({self:?}); the first release build takes many minutes …"
        );
        let names: Vec<_> = functions.iter().chain(&Self::SIMULATORS).copied().collect();
        let release: &[&str] = if self == Self::Release { &["--release"] } else { &[] };
        binaries::build_named(paths, &names, release)
    }
}

/// Returns the median; for an even number of values, the lower of the middle two.
pub(crate) fn median<T: Ord + Copy + Default>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// Runs a benchmark. The caller stops it by dropping the future.
pub(crate) async fn run(paths: &Paths, bench: &Bench) -> Result<()> {
    let (options, functions): (_, &[&str]) = match bench {
        Bench::Transfer { options, .. } => (options, &["upload"]),
        Bench::Start { options, .. } => (options, &FUNCTIONS),
    };
    let tools = Tools::ensure(paths)?;
    let build = Build::of(options);
    build.make(paths, functions)?;
    let ground = Ground::start(paths, &tools, build)?;
    let mut report = Report::new(paths, build)?;
    let name = match bench {
        Bench::Transfer { pairs, quick, .. } => {
            transfer::run(&ground, *pairs, *quick, &mut report).await?;
            "transfer"
        }
        Bench::Start { starts, .. } => {
            start::run(&ground, *starts, &mut report).await?;
            "start"
        }
    };
    if options.write { report.write(name) } else { Ok(()) }
}

/// Formats seconds with two decimals.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_one_of_the_values() {
        assert_eq!(median(&[5, 1, 9]), 5);
        assert_eq!(median(&[4, 1, 9, 5]), 4);
        assert_eq!(median::<u64>(&[]), 0);
    }
}
