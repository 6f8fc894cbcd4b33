//! Building what runs on the local cloud.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::paths::Paths;
use crate::process;

/// The functions: package, binary and folder have the same name.
pub(crate) const FUNCTIONS: [&str; 15] = [
    "authorizer",
    "initiate",
    "control",
    "status",
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
];

/// The programs beside them.
const PROGRAMS: [&str; 4] =
    ["docferry-sim-graph", "docferry-sim-identity", "docferry-sim-ords", "docferry"];

/// Builds functions, simulators and the command line, in one call of cargo.
pub(crate) fn build(paths: &Paths) -> Result<()> {
    let names: Vec<_> = FUNCTIONS.iter().chain(&PROGRAMS).copied().collect();
    build_these(paths, &names, &[])
}

/// Builds these binaries, with more arguments for cargo.
pub(crate) fn build_these(paths: &Paths, names: &[&str], more: &[&str]) -> Result<()> {
    let mut cargo = cargo(paths);
    // The whole workspace chooses the features, as everywhere else in this
    // program: so each dependency is compiled once and not once a call.
    cargo.args(["build", "--workspace"]).args(more);
    for name in names {
        cargo.args(["--bin", name]);
    }
    process::run(&mut cargo)
}

/// The binary of a program that [`build`] made.
pub(crate) fn program(paths: &Paths, name: &str) -> PathBuf {
    paths.target.join("debug").join(name)
}

/// Lays out each function as Lambda wants it, `<folder>/<name>/bootstrap`.
pub(crate) fn stage(paths: &Paths) -> Result<PathBuf> {
    let folder = paths.target.join("lambda-local");
    for name in FUNCTIONS {
        let place = folder.join(name);
        fs::create_dir_all(&place)?;
        link_or_copy(&program(paths, name), &place.join("bootstrap"))?;
    }
    Ok(folder)
}

/// A hard link costs nothing; where there can be none, a copy does as well.
fn link_or_copy(from: &Path, to: &Path) -> Result<()> {
    let _may_not_exist = fs::remove_file(to);
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}

/// Cargo, in the workspace.
pub(crate) fn cargo(paths: &Paths) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&paths.root);
    command
}
