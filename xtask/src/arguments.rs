//! Command line of `cargo xtask`: its tasks and their options.

use clap::{Parser, Subcommand};

use crate::bench::Bench;
use crate::check::Part;
use crate::test::Step;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Run the demo: deliver documents end to end on a local cloud.
    Demo {
        /// Keep everything running afterwards, until Ctrl-C.
        #[arg(long)]
        keep: bool,
        /// Use a running LocalStack-compatible emulator instead of starting one.
        #[arg(long, value_name = "URL")]
        endpoint: Option<String>,
    },
    /// Run the tests: all steps, or only the named ones.
    Test {
        /// Steps to run; default: all.
        steps: Vec<Step>,
        /// Run only the tests whose names contain this text.
        #[arg(long, value_name = "NAME")]
        filter: Option<String>,
    },
    /// Run the static checks that the compiler does not cover: all parts, or only the named ones.
    Check {
        /// Parts to check; default: all.
        parts: Vec<Part>,
    },
    /// Regenerate the parts of the documents that are generated from the code.
    Generate,
    /// Start the whole stack on a local cloud and keep it running until Ctrl-C.
    Stack {
        /// Use the settings of the system tests: short deadlines and pauses.
        #[arg(long)]
        for_tests: bool,
        /// Idle lifetime of the simulated Graph's upload sessions, in seconds.
        #[arg(long, value_name = "SECONDS")]
        session_lifetime_seconds: Option<u32>,
    },
    /// Run benchmarks: time, memory and cost of a transfer, and start times of functions.
    Bench {
        #[command(subcommand)]
        bench: Bench,
    },
    /// Install the tools (MiniStack, SAM CLI, cargo-lambda, cfn-lint) in .tools/.
    Tools,
}
