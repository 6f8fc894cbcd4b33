//! `cargo xtask bench start`: measures the start of each Lambda function.
//!
//! The results are the size of the zip file, the time from the start of the process to its first
//! request for an invocation, and the memory at this time.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::figures::median;
use super::process::Program;
use super::report::{Report, TargetResult, megabytes};
use super::runtime::RuntimeApi;
use super::stack::BenchStack;
use crate::binaries::FUNCTIONS;
use crate::process::run_quietly;

/// Timeout of a start.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// Target for the size of the zip file, in bytes.
const MAX_ZIP_SIZE: u64 = 5_000_000;
/// Target for the time until the first request.
const MAX_START_TIME: Duration = Duration::from_millis(40);
/// Target for the memory at the first request, in bytes.
const MAX_MEMORY: u64 = 20_000_000;

pub(crate) async fn run(stack: &BenchStack, starts: u32, report: &mut Report) -> Result<()> {
    let mut rows = Vec::new();
    for name in FUNCTIONS {
        let zip = zip_size(stack, name)?;
        let (mut times, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..starts {
            let (took, resident) = start_once(stack, name).await.context(name)?;
            times.push(took);
            memory.push(resident);
        }
        let (took, resident) = (median(&times), median(&memory));
        rows.push(vec![
            format!("`{name}`"),
            TargetResult::at_most(zip, MAX_ZIP_SIZE).describe(&megabytes(zip)),
            TargetResult::at_most(took, MAX_START_TIME)
                .describe(&format!("{:.1} ms", took.as_secs_f64() * 1e3)),
            TargetResult::at_most(resident, MAX_MEMORY).describe(&megabytes(resident)),
        ]);
    }
    report.table(
        &format!(
            "Start: medians of {starts}. Targets: zip ≤ {}, first request for work ≤ {} ms after \
             the start of the process, resident memory then ≤ {}.",
            megabytes(MAX_ZIP_SIZE),
            MAX_START_TIME.as_millis(),
            megabytes(MAX_MEMORY),
        ),
        &["function", "zip", "to the first request for work", "memory then"],
        &rows,
    );
    Ok(())
}

/// Starts a function once. Returns the time until its first request and its memory at this time.
async fn start_once(stack: &BenchStack, name: &str) -> Result<(Duration, u64)> {
    let mut runtime = RuntimeApi::start().await?;
    let mut command = Command::new(stack.build.program(&stack.paths, name));
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", runtime.address())
        .envs(stack.environment(name, &stack.emulator.url));
    let log = stack.file("start.log");
    let program = Program::start(&mut command, &log)?;
    let first_request = runtime
        .first_request(START_TIMEOUT)
        .await
        .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
    Ok((first_request.duration_since(program.started), program.resident_memory()))
}

/// Returns the size of the deployment package, which is a zip file that contains only the program.
fn zip_size(stack: &BenchStack, name: &str) -> Result<u64> {
    let bootstrap = stack.file("bootstrap");
    std::fs::copy(stack.build.program(&stack.paths, name), &bootstrap)?;
    let zip = stack.file("bootstrap.zip");
    let mut python = Command::new(stack.tools.python());
    python.args(["-m", "zipfile", "--create"]).arg(&zip).arg(&bootstrap);
    run_quietly(&mut python, &stack.file("zip.log"))?;
    Ok(zip.metadata()?.len())
}
