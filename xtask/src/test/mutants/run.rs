//! Compiles and runs the tests that must fail with a mutant, in the copy of the project.
//!
//! A mutant is a patch with a mistake. The *baseline* is a run of the same tests with the correct
//! code.

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

/// Timeout of a test with the correct code, generous enough for a slow machine.
pub(super) const BASELINE_TIMEOUT: Duration = Duration::from_mins(5);
/// Factor by which a test may take longer with a mutant than with the correct code.
const BASELINE_FACTOR: u32 = 3;

/// Shortest timeout of a test with a mutant. A quick test may need it on a busy machine.
const MIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Time between two checks whether a test has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Maximum number of lines of a compiler error in a report.
const ERROR_LINES: usize = 6;

/// Packages that the development profile of the workspace optimizes. Here they are compiled without
/// optimization. That is faster, because a test of a mutant takes only about a second.
const OPTIMIZED_PACKAGES: [&str; 3] = ["docferry-app", "docferry-domain", "docferry-testkit"];

/// Compiler of tests in the copy of the project.
#[derive(Debug)]
pub(super) struct TestCompiler<'a> {
    scratch: &'a Scratch,
    /// Names of the packages of all tests, by folder.
    packages: BTreeMap<String, String>,
}

/// Returns the timeout of a test with a mutant, from its duration with the correct code.
pub(super) fn timeout(baseline: Duration) -> Duration {
    MIN_TIMEOUT.max(baseline * BASELINE_FACTOR)
}

/// Compiled test programs.
#[derive(Debug)]
pub(super) struct Executables<'a> {
    scratch: &'a Scratch,
    files: BTreeMap<TestProgram, PathBuf>,
}

/// A program with tests of one package.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TestProgram {
    /// Folder of the package.
    package: String,
    /// Name of the integration test program, or `None` for the unit tests of the library.
    name: Option<String>,
}

/// Message of cargo about a compiled file, with only the fields that are used here.
#[derive(Debug, Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: ArtifactTarget,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct ArtifactTarget {
    kind: Vec<String>,
    name: String,
}

impl<'a> TestCompiler<'a> {
    pub(super) fn new(scratch: &'a Scratch, mutants: &[Mutant]) -> Result<Self> {
        let tests = mutants.iter().flat_map(|mutant| &mutant.caught_by);
        let folders: BTreeSet<_> = tests.map(|test| test.package().to_owned()).collect();
        let package_name = |folder: String| {
            let manifest = scratch.paths.root.join(&folder).join("Cargo.toml");
            let text = fs::read_to_string(&manifest)
                .with_context(|| format!("{folder} is not a package"))?;
            let name = text.lines().find_map(|line| line.strip_prefix("name = "));
            let name = name.with_context(|| format!("{folder} has no name"))?;
            Ok((folder, name.trim_matches('"').to_owned()))
        };
        let packages = folders.into_iter().map(package_name).collect::<Result<_>>()?;
        Ok(Self { scratch, packages })
    }

    /// Compiles the test programs that contain these tests.
    pub(super) fn compile(&self, tests: &[&TestName]) -> Result<Executables<'a>> {
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
        for package in OPTIMIZED_PACKAGES {
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
        let output_text = String::from_utf8_lossy(&output.stdout);
        let artifacts =
            output_text.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
        let files = artifacts.filter_map(|artifact| {
            let folder = artifact.manifest_path.parent()?.strip_prefix(&scratch.paths.root).ok()?;
            let is_kind = |expected: &str| artifact.target.kind.iter().any(|kind| kind == expected);
            // cargo also compiles the binaries of a package, because its tests may start them.
            if is_kind("bin") {
                return None;
            }
            let is_integration_test = is_kind("test");
            let package = folder.to_string_lossy().into_owned();
            let name = is_integration_test.then_some(artifact.target.name);
            Some((TestProgram { package, name }, artifact.executable?))
        });
        Ok(Executables { scratch, files: files.collect() })
    }
}

impl Executables<'_> {
    /// Runs one test. A test that is still running after the timeout counts as hung.
    pub(super) fn run(&self, test: &TestName, timeout: Duration) -> Result<TestResult> {
        let program = TestProgram {
            package: test.package().to_owned(),
            name: test.program().map(str::to_owned),
        };
        let file = self.files.get(&program);
        let file = file.with_context(|| format!("nothing was compiled for {test}"))?;
        let log = File::create(&self.scratch.log)?;
        let mut child = Command::new(file)
            .arg(&test.function)
            // cargo also runs tests in their package's folder.
            .current_dir(self.scratch.paths.root.join(test.package()))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|error| anyhow!("cannot start {}: {error}", file.display()))?;
        let start = Instant::now();
        while start.elapsed() < timeout {
            if let Some(status) = child.try_wait()? {
                let output = String::from_utf8_lossy(&fs::read(&self.scratch.log)?).into_owned();
                return Ok(TestResult::of(&output, status.success()));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        child.kill()?;
        child.wait()?;
        Ok(TestResult::Hung)
    }
}

/// Returns the first error in the compiler's output, or the whole output if it contains no error.
fn first_error(output: &str) -> String {
    let lines = output.lines().skip_while(|line| !line.starts_with("error"));
    let first: Vec<_> = lines.take(ERROR_LINES).collect();
    if first.is_empty() { output.trim().to_owned() } else { first.join("\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_compiler_error_or_else_the_whole_output_is_returned() {
        let output = "warning: unused\n  --> a\nerror[E0308]: mismatched\n  --> b\n";
        assert_eq!(first_error(output), "error[E0308]: mismatched\n  --> b");
        assert_eq!(first_error("no such command\n"), "no such command");
    }
}
