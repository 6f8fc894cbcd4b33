//! `cargo xtask`: the development tasks of the project, such as tests, checks, the demo and
//! benchmarks.

mod arguments;
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
mod source;
mod stack;
mod template;
mod test;
mod tools;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Arguments, Task};
use crate::paths::Paths;
use crate::stack::Settings;

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
            // Other programs read the addresses of the demo from this file, so it must exist as
            // long as the demo runs.
            let _address_file = up.write_to(&paths.target.join("demo.json"))?;
            runtime()?.block_on(async {
                tokio::select! {
                    // The demo is polled first, because with `--keep` it waits for Ctrl-C itself.
                    biased;
                    result = demo::run(&paths, &up.stack, keep) => result,
                    signaled = shutdown_signal() => signaled.and_then(|()| bail!("interrupted")),
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
            let address_file = up.write_to(&paths.target.join("stack.json"))?;
            println!(
                "\nAPI: {}\nAll addresses and credentials: {}\nPress Ctrl-C to stop.",
                up.stack.api,
                address_file.path().display()
            );
            runtime()?.block_on(shutdown_signal())
        }
        Task::Bench { bench } => runtime()?.block_on(async {
            tokio::select! {
                biased;
                result = bench::run(&paths, &bench) => result,
                signaled = shutdown_signal() => signaled.and_then(|()| bail!("interrupted")),
            }
        }),
        Task::Tools => tools::Tools::ensure(&paths).map(|_| ()),
    }
}

/// Waits for Ctrl-C or SIGTERM. The caller can then stop the started programs in order. If this
/// process is killed, these programs stop too, as [`process`] explains.
async fn shutdown_signal() -> Result<()> {
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
