//! Builds the binaries of a local stack: Lambda functions, simulators and the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;

use crate::paths::Paths;
use crate::process;

/// Names of the Lambda functions. Package, binary and folder have the same name.
pub(crate) const FUNCTIONS: [&str; 18] = [
    "authorizer",
    "initiate",
    "control",
    "status",
    "search",
    "download",
    "subscribe",
    "ping",
    "push",
    "poll",
    "upload",
    "publish",
    "finalize",
    "sweep",
    "notify",
    "webhook",
    "archive",
    "feed",
];

/// Binaries of the simulators and the command line.
const PROGRAMS: [&str; 4] =
    ["docferry-sim-graph", "docferry-sim-identity", "docferry-sim-ords", "docferry"];

/// Builds functions, simulators and the command line with one call of cargo.
pub(crate) fn build(paths: &Paths) -> Result<()> {
    let names: Vec<_> = FUNCTIONS.iter().chain(&PROGRAMS).copied().collect();
    build_named(paths, &names, &[])
}

/// Builds the named binaries, with additional arguments for cargo.
pub(crate) fn build_named(paths: &Paths, names: &[&str], extra_args: &[&str]) -> Result<()> {
    let mut cargo = cargo(paths);
    // With `--workspace`, the dependencies have the same features as in all cargo calls of this
    // program, so that each dependency is compiled only once.
    cargo.args(["build", "--workspace"]).args(extra_args);
    for name in names {
        cargo.args(["--bin", name]);
    }
    process::run(&mut cargo)
}

/// Returns the path of a binary that [`build`] has built.
pub(crate) fn program(paths: &Paths, name: &str) -> PathBuf {
    paths.target.join("debug").join(name)
}

/// Puts each built function at `<folder>/<name>/bootstrap`, where Lambda expects it. Returns the
/// folder.
pub(crate) fn stage(paths: &Paths) -> Result<PathBuf> {
    let folder = paths.target.join("lambda-local");
    for name in FUNCTIONS {
        let function_folder = folder.join(name);
        fs::create_dir_all(&function_folder)?;
        link_or_copy(&program(paths, name), &function_folder.join("bootstrap"))?;
    }
    Ok(folder)
}

/// Creates a hard link, or a copy if the file system does not support hard links.
fn link_or_copy(original: &Path, copy: &Path) -> Result<()> {
    let _may_not_exist = fs::remove_file(copy);
    if fs::hard_link(original, copy).is_err() {
        fs::copy(original, copy).with_context(|| format!("cannot copy {}", original.display()))?;
    }
    Ok(())
}

/// Returns a cargo command that runs in the workspace.
pub(crate) fn cargo(paths: &Paths) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&paths.root);
    command
}

/// Returns the result of `cargo metadata` with these further arguments.
pub(crate) fn metadata<T: DeserializeOwned>(paths: &Paths, arguments: &[&str]) -> Result<T> {
    let mut command = cargo(paths);
    let output = command.args(["metadata", "--format-version", "1"]).args(arguments).output()?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
        .context("cargo metadata failed")
}
