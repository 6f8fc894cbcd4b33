//! `cargo xtask bench`: measures the transfer of files, the start of functions and the search for
//! documents, and compares the results with rclone and with targets.

mod build;
mod clients;
mod counting;
mod figures;
mod line;
mod options;
mod process;
mod report;
mod runtime;
mod search;
mod stack;
mod start;
mod transfer;

use anyhow::Result;

use crate::binaries::FUNCTIONS;
use crate::paths::Paths;
use crate::tools::Tools;

use build::Build;
pub(crate) use options::Bench;
use report::Report;
use stack::BenchStack;

/// Runs a benchmark. The caller stops it by dropping the future.
pub(crate) async fn run(paths: &Paths, bench: &Bench) -> Result<()> {
    let (options, functions): (_, &[&str]) = match bench {
        Bench::Transfer { options, .. } => (options, &["upload"]),
        Bench::Start { options, .. } => (options, &FUNCTIONS),
        Bench::Search { options, .. } => (options, &["search"]),
    };
    let tools = Tools::ensure(paths)?;
    let build = Build::of(options);
    build.make(paths, functions)?;
    let stack = BenchStack::start(paths, &tools, build)?;
    let mut report = Report::new(paths, build)?;
    let name = match bench {
        Bench::Transfer { pairs, quick, .. } => {
            transfer::run(&stack, *pairs, *quick, &mut report).await?;
            "transfer"
        }
        Bench::Start { starts, .. } => {
            start::run(&stack, *starts, &mut report).await?;
            "start"
        }
        Bench::Search { documents, pages, .. } => {
            search::run(&stack, documents, *pages, &mut report).await?;
            "search"
        }
    };
    if options.write { report.write(name) } else { Ok(()) }
}
