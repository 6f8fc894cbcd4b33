//! `bench start`: how large a function is, how soon it asks for work, how lean it is then.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::ground::Ground;
use super::median;
use super::process::Program;
use super::report::{Report, Target, megabytes};
use super::runtime::RuntimeApi;
use crate::binaries::FUNCTIONS;
use crate::process::run_quietly;

const BOUND: Duration = Duration::from_secs(10);
const LARGEST_ZIP: u64 = 5_000_000;
const LONGEST_START: Duration = Duration::from_millis(40);
const MOST_MEMORY: u64 = 20_000_000;

pub(crate) async fn run(ground: &Ground, starts: u32, report: &mut Report) -> Result<()> {
    let mut rows = Vec::new();
    for name in FUNCTIONS {
        let zip = zipped(ground, name)?;
        let (mut times, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..starts {
            let (took, resident) = start_once(ground, name).await.context(name)?;
            times.push(took);
            memory.push(resident);
        }
        let (took, resident) = (median(&times), median(&memory));
        rows.push(vec![
            format!("`{name}`"),
            Target::at_most(zip, LARGEST_ZIP).beside(&megabytes(zip)),
            Target::at_most(took, LONGEST_START)
                .beside(&format!("{:.1} ms", took.as_secs_f64() * 1e3)),
            Target::at_most(resident, MOST_MEMORY).beside(&megabytes(resident)),
        ]);
    }
    report.table(
        &format!(
            "Start: medians of {starts}. Targets: zip ≤ {}, first request for work ≤ {} ms after \
             the start of the process, resident memory then ≤ {}.",
            megabytes(LARGEST_ZIP),
            LONGEST_START.as_millis(),
            megabytes(MOST_MEMORY),
        ),
        &["function", "zip", "to the first request for work", "memory then"],
        &rows,
    );
    Ok(())
}

async fn start_once(ground: &Ground, name: &str) -> Result<(Duration, u64)> {
    let mut runtime = RuntimeApi::start().await?;
    let mut command = Command::new(ground.build.program(&ground.paths, name));
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", runtime.address())
        .envs(ground.environment(name, &ground.emulator.url));
    let log = ground.file("start.log");
    let program = Program::start(&mut command, &log)?;
    let asked = runtime
        .first_request(BOUND)
        .await
        .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
    Ok((asked.duration_since(program.started), program.resident_memory()))
}

/// The size of what is deployed: the program alone in a zip, as Lambda wants it.
fn zipped(ground: &Ground, name: &str) -> Result<u64> {
    let bootstrap = ground.file("bootstrap");
    std::fs::copy(ground.build.program(&ground.paths, name), &bootstrap)?;
    let zip = ground.file("bootstrap.zip");
    let mut python = Command::new(ground.tools.python());
    python.args(["-m", "zipfile", "--create"]).arg(&zip).arg(&bootstrap);
    run_quietly(&mut python, &ground.file("zip.log"))?;
    Ok(zip.metadata()?.len())
}
