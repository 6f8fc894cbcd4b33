//! `cargo xtask bench`: measured against rclone and against what is possible.

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
    /// Time, memory and cost of a transfer, beside rclone's.
    Transfer {
        #[command(flatten)]
        options: Options,
        /// Pairs of runs whose medians are compared.
        #[arg(long, value_name = "N", default_value_t = 5)]
        pairs: u32,
        /// Small files and one pair: whether the bench works, not how fast anything is.
        #[arg(long)]
        quick: bool,
    },
    /// Size of each function, and how soon and how lean it is ready for work.
    Start {
        #[command(flatten)]
        options: Options,
        /// Starts of each function.
        #[arg(long, value_name = "N", default_value_t = 20)]
        starts: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Use the debug build, to try the bench itself out.
    #[arg(long)]
    debug_build: bool,
    /// Put the tables into docs/BENCHMARKS.md.
    #[arg(long)]
    write: bool,
}

/// Which build is measured.
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

    /// Where a program of this build is.
    pub(crate) fn program(self, paths: &Paths, name: &str) -> PathBuf {
        paths.target.join(if self == Self::Debug { "debug" } else { "release" }).join(name)
    }

    fn make(self, paths: &Paths, functions: &[&str]) -> Result<()> {
        println!(
            "Building what is measured ({self:?}); for release this takes many minutes once …"
        );
        let names: Vec<_> = functions.iter().chain(&Self::SIMULATORS).copied().collect();
        let release: &[&str] = if self == Self::Release { &["--release"] } else { &[] };
        binaries::build_these(paths, &names, release)
    }
}

/// The median; of an even number the lower one of the middle two.
pub(crate) fn median<T: Ord + Copy + Default>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

/// Runs one of the benches; the caller ends it by dropping the future.
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

/// Seconds with two places.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_one_of_the_values() {
        assert_eq!(median(&[5, 1, 9]), 5);
        assert_eq!(median(&[4, 1, 9, 5]), 4);
        assert_eq!(median::<u64>(&[]), 0);
    }
}
