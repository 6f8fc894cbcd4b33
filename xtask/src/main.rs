//! `cargo xtask`: everything that is done with the project besides compiling it.

mod bench;
mod binaries;
mod check;
mod demo;
mod deploy;
mod emulator;
mod extras;
mod paths;
mod process;
mod simulators;
mod stack;
mod template;
mod test;
mod tools;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::paths::Paths;
use crate::stack::Settings;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Send documents the whole way on a local cloud, and show it.
    Demo {
        /// Leave everything running afterwards, until Ctrl-C.
        #[arg(long)]
        keep: bool,
        /// Use a LocalStack-compatible emulator that is already running.
        #[arg(long, value_name = "URL")]
        endpoint: Option<String>,
    },
    /// Everything that must be green: all steps, or those that are named.
    Test {
        /// Steps to run; all when none is named.
        steps: Vec<test::Step>,
        /// Run only the tests whose names contain this.
        #[arg(long, value_name = "NAME")]
        filter: Option<String>,
    },
    /// What the compiler does not see: all of it, or the parts that are named.
    Check {
        /// Parts to check; all when none is named.
        parts: Vec<check::Part>,
    },
    /// Rewrite the parts of the documents that are generated from the code.
    Generate,
    /// Bring the local cloud up and leave it running, until Ctrl-C.
    Stack {
        /// As the system tests use it: short deadlines and pauses.
        #[arg(long)]
        for_tests: bool,
        /// How long an upload session of the simulated Graph lives without a call.
        #[arg(long, value_name = "SECONDS")]
        session_lifetime_seconds: Option<u32>,
    },
    /// Measure: time, memory and cost of a transfer, and how functions start.
    Bench {
        #[command(subcommand)]
        bench: bench::Bench,
    },
    /// Make the tools (MiniStack, SAM CLI, cargo-lambda, cfn-lint) in .tools/.
    Tools,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let paths = Paths::of_workspace()?;
    match task {
        Task::Demo { keep, endpoint } => {
            let up = stack::up(&paths, &Settings { endpoint, ..Settings::demo() })?;
            // Both live as long as the demo: the file tells others where it runs.
            let _written = up.write_to(&paths.target.join("demo.json"))?;
            runtime()?.block_on(async {
                tokio::select! {
                    // First, because with `--keep` the demo itself waits for Ctrl-C.
                    biased;
                    ended = demo::run(&paths, &up.stack, keep) => ended,
                    told = told_to_end() => told.and_then(|()| bail!("interrupted")),
                }
            })
        }
        Task::Test { steps, filter } => test::run(&paths, &steps, filter.as_deref()),
        Task::Check { parts } => check::run(&paths, &parts),
        Task::Generate => check::generate(&paths),
        Task::Stack { for_tests, session_lifetime_seconds } => {
            let settings = if for_tests { Settings::tests() } else { Settings::demo() };
            let lifetime = session_lifetime_seconds.unwrap_or(settings.session_lifetime_seconds);
            let settings = Settings { session_lifetime_seconds: lifetime, ..settings };
            let up = stack::up(&paths, &Settings { name: "stack", ..settings })?;
            let written = up.write_to(&paths.target.join("stack.json"))?;
            println!(
                "\nAPI: {}\nAll of it: {}\nCtrl-C ends it.",
                up.stack.api,
                written.path().display()
            );
            runtime()?.block_on(told_to_end())
        }
        Task::Bench { bench } => runtime()?.block_on(async {
            tokio::select! {
                biased;
                ended = bench::run(&paths, &bench) => ended,
                told = told_to_end() => told.and_then(|()| bail!("interrupted")),
            }
        }),
        Task::Tools => tools::Tools::ensure(&paths).map(|_| ()),
    }
}

/// Ends with Ctrl-C or SIGTERM, so that what was started is ended in good order.
/// Should this program be killed instead, it ends all the same: see [`process`].
async fn told_to_end() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
