//! Compiling and running the tests that a mutant names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;

use super::header::{Mutant, TestName};
use super::scratch::Scratch;
use super::verdict::TestResult;
use crate::binaries::cargo;

/// For a test of the right code, on however slow a machine.
pub(super) const BASELINE_PATIENCE: Duration = Duration::from_mins(5);
/// One that a mutant keeps from ending is not waited for: so many times what it took
/// without, and never less than a quick test may need on a busy machine.
const TIMES_BASELINE: u32 = 3;
const LEAST_PATIENCE: Duration = Duration::from_secs(30);

/// Our packages that the workspace optimises. Here each is compiled for one test, which
/// takes a second: what counts is the compiler's time.
const OPTIMISED: [&str; 3] = ["docferry-app", "docferry-domain", "docferry-testkit"];

/// Compiles tests in the copy of the tree.
#[derive(Debug)]
pub(super) struct Builds<'a> {
    scratch: &'a Scratch,
    /// Names of the packages of all tests, by their folders.
    packages: BTreeMap<String, String>,
}

/// How long to wait for a test, when it took so long with the right code.
pub(super) fn patience(baseline: Duration) -> Duration {
    LEAST_PATIENCE.max(baseline * TIMES_BASELINE)
}

/// Test programs, by the tests' own package and program.
#[derive(Debug)]
pub(super) struct Executables<'a> {
    scratch: &'a Scratch,
    files: BTreeMap<(String, Option<String>), PathBuf>,
}

/// What cargo says of what it compiled, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

impl<'a> Builds<'a> {
    pub(super) fn new(scratch: &'a Scratch, mutants: &[Mutant]) -> Result<Self> {
        let tests = mutants.iter().flat_map(|mutant| &mutant.caught_by);
        let folders: BTreeSet<_> = tests.map(|test| test.package().to_owned()).collect();
        let named = |folder: String| {
            let manifest = scratch.paths.root.join(&folder).join("Cargo.toml");
            let text = fs::read_to_string(&manifest);
            let text = text.with_context(|| format!("{folder} is no package"))?;
            let name = text.lines().find_map(|line| line.strip_prefix("name = "));
            let name = name.with_context(|| format!("{folder} has no name"))?;
            Ok((folder, name.trim_matches('"').to_owned()))
        };
        let packages = folders.into_iter().map(named).collect::<Result<_>>()?;
        Ok(Self { scratch, packages })
    }

    /// Compiles what these tests are in.
    pub(super) fn build(&self, tests: &[&TestName]) -> Result<Executables<'a>> {
        let scratch = self.scratch;
        let mut command = cargo(&scratch.paths);
        command.args([
            "test",
            "--no-run",
            "--quiet",
            "--message-format",
            "json-render-diagnostics",
        ]);
        command.args(self.packages.values().flat_map(|name| ["--package", name]));
        let programs: BTreeSet<_> = tests.iter().map(|test| test.program()).collect();
        for program in programs {
            match program {
                Some(program) => command.args(["--test", program]),
                None => command.arg("--lib"),
            };
        }
        for package in OPTIMISED {
            command.args(["--config", &format!("profile.dev.package.{package}.opt-level=0")]);
        }
        let output = command
            .env("CARGO_TARGET_DIR", &scratch.paths.target)
            .env("CARGO_PROFILE_DEV_INCREMENTAL", "true")
            .stdin(Stdio::null())
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            bail!("{}", first_error(&String::from_utf8_lossy(&output.stderr)));
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        let artifacts =
            printed.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
        let files = artifacts.filter_map(|artifact| {
            let folder = artifact.manifest_path.parent()?.strip_prefix(&scratch.paths.root).ok()?;
            let is = |wanted: &str| artifact.target.kind.iter().any(|kind| kind == wanted);
            // A program that tests of its package may want to start.
            if is("bin") {
                return None;
            }
            let is_test = is("test");
            let program = is_test.then_some(artifact.target.name);
            Some(((folder.to_string_lossy().into_owned(), program), artifact.executable?))
        });
        Ok(Executables { scratch, files: files.collect() })
    }
}

impl Executables<'_> {
    /// Runs one test, which has hung when it has not ended by then.
    pub(super) fn run(&self, test: &TestName, patience: Duration) -> Result<TestResult> {
        let program = (test.package().to_owned(), test.program().map(str::to_owned));
        let file = self.files.get(&program);
        let file = file.with_context(|| format!("nothing was compiled for {test}"))?;
        let log = File::create(&self.scratch.log)?;
        let mut child = Command::new(file)
            .arg(&test.function)
            // As cargo does.
            .current_dir(self.scratch.paths.root.join(test.package()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| anyhow!("cannot start {}: {error}", file.display()))?;
        let start = Instant::now();
        while start.elapsed() < patience {
            if let Some(status) = child.try_wait()? {
                let printed = String::from_utf8_lossy(&fs::read(&self.scratch.log)?).into_owned();
                return Ok(TestResult::of(&printed, status.success()));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill()?;
        child.wait()?;
        Ok(TestResult::Hung)
    }
}

/// What the compiler said first, in its own words.
fn first_error(said: &str) -> String {
    let lines = said.lines().skip_while(|line| !line.starts_with("error"));
    let first: Vec<_> = lines.take(6).collect();
    if first.is_empty() { said.trim().to_owned() } else { first.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_the_compiler_says_the_first_error_is_told() {
        let said = "warning: unused\n  --> a\nerror[E0308]: mismatched\n  --> b\n";
        assert_eq!(first_error(said), "error[E0308]: mismatched\n  --> b");
        assert_eq!(first_error("no such command\n"), "no such command");
    }
}
