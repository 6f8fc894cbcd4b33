//! Command line of the benchmarks.

use clap::{Args, Subcommand};

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
    /// Measure the pages of a search for documents.
    Search {
        #[command(flatten)]
        options: Options,
        /// Numbers of registered documents, separated by commas; each subject has 1,000 of them.
        #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1_000, 100_000])]
        documents: Vec<u32>,
        /// Number of pages to measure for each number of documents.
        #[arg(long, value_name = "N", default_value_t = 100)]
        pages: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Use the debug build, to test the benchmark itself.
    #[arg(long)]
    pub(super) debug_build: bool,
    /// Write the tables into docs/BENCHMARKS.md.
    #[arg(long)]
    pub(super) write: bool,
}
